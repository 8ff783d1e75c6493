"""The legacy tables of the utility-billing database: one export is a full snapshot of all tenants."""

from migration.exports.sources import SourceTable

_TIMES = ("created_at", "updated_at")
PERSONAL_COLUMNS = frozenset({"email", "telephone", "phone", "address", "id_number", "password", "remember_token"})


def _table(
    name: str, required_keys: tuple[str, ...], optional: tuple[str, ...], *, required: bool = True
) -> SourceTable:
    return SourceTable(
        name,
        columns=(*required_keys, *optional, *_TIMES),
        key="id",
        required_keys=required_keys,
        required=required,
        null_tokens_csv=("", "NULL", "\\N"),
        surrogates="remove",
    )


tenants = _table("tenants", ("id",), ("name",))
users = _table("users", ("id", "tenant_id", "role", "balance", "overpayment"), ("name", "status"))
meters = _table("meters", ("id", "tenant_id"), ("meter_number", "status", "balance", "overpayment"))
meter_assignments = _table(
    "meter_assignments",
    ("id", "customer_id", "meter_id", "is_active"),
    ("tenant_id", "assigned_at", "unassigned_at"),
)
bills = _table(
    "bills",
    ("id", "customer_id", "bill_type", "total_amount"),
    ("tenant_id", "meter_assignment_id", "status", "generation_date"),
)
invoices = _table(
    "invoices",
    ("id", "customer_id", "meter_id", "amount", "balance_brought_forward", "total_amount", "status"),
    (
        "tenant_id",
        "invoice_number",
        "invoice_date",
        "due_date",
        "paid_amount",
        "balance",
        "overpayment_applied",
        "state",
    ),
)
invoice_bills = _table("invoice_bills", ("id", "invoice_id", "bill_id", "amount"), ())
payments = _table(
    "payments",
    ("id", "customer_id", "invoice_id", "meter_id", "amount", "status"),
    ("tenant_id", "method", "reference", "date", "reversed_at"),
)
overpayments = _table(
    "overpayments",
    ("id", "customer_id", "payment_id", "amount"),
    ("tenant_id", "meter_id", "status", "date"),
    required=False,
)

ALL = (tenants, users, meters, meter_assignments, bills, invoices, invoice_bills, payments, overpayments)
