"""METER, the utility billing of many tenants: samples of the export from which meters get their own balances.

What the five steps find in a sample, in its first export and in the following one, at every scale and with the default
options:

| Tenant | Steps | Why |
|---|---|---|
| 1 | pass without a single finding | clean money; several meters, replaced meters, customers who left, void rows |
| 2 | pass without a single finding | as tenant 1; one stored balance is off by 0.01, which is the tolerance |
| 3 | pass with warnings | shared meters, balances on meters that nobody has any more, balances that differ only in \
how they are split, balances that are no money, reversed invoices without a meter, an invoice over nothing |
| 4 | blocked at the gate | customers who never had a meter paid in advance |
| 5 | fail the full validation | CUSTOMER_DRIFT for several reasons; also an open invoice without a meter and credit \
of customers who never had one |
| 6 | pass | has no customers yet, nor a name; its first customers come with the following export |
| 7 and up | pass without a single finding | they exist from a scale of about 1.5 on |

The dirt is of two kinds. Rows that a load rejects, merges or skips are additional ones, which no other row needs. The
dirt in good rows is another spelling of the same value, or it meets columns that no money depends on, or (a payment
that names a wrong invoice or meter) it happens to customers with one meter only, where the money has no other way. So
it never decides which tenant passes.
"""

from samples.meter import billing, meters, payments, people
from samples.meter.world import World
from samples.writing import SampleSpec, SampleSystem, SampleTable


def tables(spec: SampleSpec) -> list[SampleTable]:
    """The tables of one METER sample."""
    world = World(spec)
    return [
        SampleTable("tenants", people.TENANT_COLUMNS, lambda: people.tenants(world)),
        SampleTable("users", people.USER_COLUMNS, people.UserTable(world).rows),
        SampleTable("meters", meters.METER_COLUMNS, meters.MeterTable(world).rows),
        SampleTable("meter_assignments", meters.ASSIGNMENT_COLUMNS, meters.AssignmentTable(world).rows),
        SampleTable("bills", billing.BILL_COLUMNS, billing.BillTable(world).rows),
        SampleTable("invoices", billing.INVOICE_COLUMNS, billing.InvoiceTable(world).rows),
        SampleTable("invoice_bills", billing.LINK_COLUMNS, billing.LinkTable(world).rows),
        SampleTable("payments", payments.COLUMNS, payments.PaymentTable(world).rows),
        SampleTable("overpayments", payments.CREDIT_COLUMNS, payments.CreditTable(world).rows),
    ]


SYSTEM = SampleSystem("meter", tables)
