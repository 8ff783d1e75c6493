"""The golden examples of the contract: one export that holds them all, each under a tenant of its own.

Example 7 lives in tenant 7 and its meter 5 is 7005; a variant of it would live in tenant 107. What an example must give
is said about a `View`, which shows the reference or a real database.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.meter.meter_cases import (
    Export,
    assignment,
    bill,
    customer,
    export_of,
    invoice,
    invoiced,
    link,
    meter,
    overpayment,
    payment,
    tenant,
)
from tests.meter.meter_files import Row
from tests.meter.meter_reference import Options, Reference

EXPORT_ID = "20260210T030000Z"
# Tenants that are not run with the default options.
OPTIONS = {111: Options(no_bills_policy="keep"), 121: Options(billed_basis="total_amount")}

Records = Iterator[tuple[str, Row]]


@dataclass(frozen=True)
class View:
    """What is to be seen of a migrated database.

    Attributes:
        rows: the rows of a table of the schema.
        succeeded: whether the steps of each tenant ended well.
    """

    rows: Callable[[str], list[Row]]
    succeeded: Mapping[int, bool]

    def some(self, table: str, **where: Any) -> list[Row]:
        """The rows of a table with these values."""
        return [row for row in self.rows(table) if all(row[name] == value for name, value in where.items())]

    def one(self, table: str, **where: Any) -> Row:
        """The one row of a table with these values."""
        found = self.some(table, **where)
        assert len(found) == 1, (table, where, len(found))
        return found[0]

    def meter_of(self, entity_id: int, table: str = "payments") -> tuple[int | None, str]:
        """The meter that step 1 has given, and why."""
        row = self.one(table, id=entity_id)
        return row["meter_id"], row["meter_id_source"]

    def reviews(self, tenant_id: int) -> dict[str, list[int]]:
        """The review reasons of a tenant with their candidates."""
        return {
            row["reason_code"]: row["candidate_meter_ids"] for row in self.some("meter_id_review", tenant_id=tenant_id)
        }

    def findings(self, tenant_id: int, check: str) -> list[tuple[Any, ...]]:
        """What the validation says of a tenant under one name."""
        found = self.some("validation_discrepancy", tenant_id=tenant_id, check_name=check)
        names = ("step", "severity", "entity_id", "expected", "actual", "difference")
        return [tuple(row[name] for name in names) for row in found]

    def money(self, meter_id: int) -> tuple[Decimal, Decimal, str]:
        """Balance, overpayment and status of a meter."""
        row = self.one("meters", id=meter_id)
        return row["balance"], row["overpayment"], row["financial_status"]


def view_of(db: Reference, succeeded: Mapping[int, bool]) -> View:
    """The reference as a view."""
    ledger_names = ("export_id", "source_table", "source_row", "target_table")
    ledger = [
        dict(zip(ledger_names, key, strict=True))
        | dict(zip(("source_pk", "outcome", "reason", "target_key"), value, strict=True))
        for key, value in db.ledger.items()
    ]
    return View(lambda table: ledger if table == "row_ledger" else list(db.tables[table].values()), succeeded)


# --- the export -------------------------------------------------------------------------------------------------------


def world() -> Export:
    """The export of all examples."""
    return export_of(*(record for example in _EXAMPLES for record in example()))


def _tenant(number: int, *meters: int, customers: int = 1, **values: Any) -> Records:
    """A tenant with customers 1, 2 … and these meters, numbers within the example."""
    yield "tenants", tenant(number)
    for each in range(1, customers + 1):
        yield "users", customer(number * 1000 + each, number, **values)
    for each in meters:
        yield "meters", meter(number * 1000 + each, number)


def _held(number: int, key: int, meter_number: int, active: Any = True, at: Any = None) -> tuple[str, Row]:
    """An assignment of customer 1 of an example."""
    start = number * 1000
    return "meter_assignments", assignment(start + key, start + 1, start + meter_number, active, at)


def _paid(number: int, key: int = 100, amount: Any = 10, **values: Any) -> tuple[str, Row]:
    """A payment of customer 1 of an example."""
    return "payments", payment(number * 1000 + key, number * 1000 + 1, amount, **values)


def _g1() -> Records:
    yield from _tenant(1, 5)
    yield from invoiced(1010, 1001, 1005, 10)
    yield _paid(1, invoice_id=1010)


def _g2() -> Records:
    yield from _tenant(2, 5)
    yield _held(2, 1, 5)
    yield _paid(2)


def _g3() -> Records:
    yield from _tenant(3, 5, 7, 9)
    yield _held(3, 3, 7, at="2024-05-01")
    yield _held(3, 4, 5, at="2023-01-01")
    yield _held(3, 1, 9)
    yield _paid(3)


def _g4() -> Records:
    yield from _tenant(4, 4, 6)
    yield _held(4, 8, 6, at="2024-01-01")
    yield _held(4, 2, 4, at="2024-01-01")
    yield _paid(4)


def _g5() -> Records:
    yield from _tenant(5, 5, 6)
    yield _held(5, 1, 5, active=False, at="2022-01-01")
    yield _held(5, 2, 6, active=False, at="2023-01-01")
    yield _paid(5)


def _g6() -> Records:
    yield from _tenant(6, 5, customers=2)
    yield from invoiced(6010, 6002, 6005, 80)
    yield _paid(6, amount="50.00")


def _g7() -> Records:
    yield from _tenant(7, 5)
    yield _held(7, 1, 5)
    yield from invoiced(7011, 7001, None, 10)
    yield _paid(7, invoice_id=7011)


def _g8() -> Records:
    yield from _tenant(8, 5)
    yield from _tenant(108, 5)
    yield _held(8, 1, 5)
    yield from invoiced(108030, 108001, 108005, 10)
    yield _paid(8, tenant_id=8, invoice_id=108030)


def _g9() -> Records:
    yield from _tenant(9, 5)
    yield from invoiced(9010, 9001, 9005, 10)
    yield _paid(9, customer_id=None, tenant_id=None, invoice_id=9010)


def _g10() -> Records:
    yield from _tenant(10, 5)
    yield "invoices", invoice(10010, 10001, 10005, (100, 50, 150))
    yield "bills", bill(10001, 10001, 95)
    yield "bills", bill(10002, 10001, 50, " balance ")
    yield "invoice_bills", link(10001, 10010, 10001, "95.00")
    yield "invoice_bills", link(10002, 10010, 10002, "50.00")


def _g11() -> Records:
    for number in (11, 111):
        yield from _tenant(number, 5)
        yield "invoices", invoice(number * 1000 + 10, number * 1000 + 1, number * 1000 + 5, (80, 0, 80))


def _g12() -> Records:
    yield from _tenant(12, 5)
    yield from invoiced(12010, 12001, 12005, 0, 70)


def _g13() -> Records:
    yield from _tenant(13, 5)
    yield _held(13, 1, 5)
    yield from invoiced(13010, 13001, 13005, 1000)
    yield from invoiced(13011, 13001, 13005, 500)
    yield _paid(13, amount=600)


def _g14_and_g15() -> Records:
    for number, status in ((14, None), (15, "available"), (115, "refunded")):
        yield from _tenant(number, 5)
        yield _held(number, 1, 5)
        yield from invoiced(number * 1000 + 10, number * 1000 + 1, number * 1000 + 5, 500)
        yield _paid(number, amount=800)
        if status:
            credit = overpayment(number * 1000 + 1, number * 1000 + 1, 300, number * 1000 + 100, status=status)
            yield "overpayments", credit


def _g16() -> Records:
    yield from _tenant(16, 5)
    yield _held(16, 1, 5)
    yield "overpayments", overpayment(16001, 16001, 120, status="available")


def _g17() -> Records:
    yield from _tenant(17, 5)
    yield _held(17, 1, 5)
    yield from invoiced(17010, 17001, 17005, 400)
    yield _paid(17, amount=400, status="Paid", reversed_at="2024-03-01 10:00:00")


def _g18() -> Records:
    for number, before in ((18, "900.01"), (118, "900.02")):
        yield from _tenant(number, 5, balance=before)
        yield _held(number, 1, 5)
        yield from invoiced(number * 1000 + 10, number * 1000 + 1, number * 1000 + 5, 900)


def _g19() -> Records:
    yield from _tenant(19, 5, 6, balance=70)
    yield _held(19, 1, 5)
    yield _held(19, 2, 6)
    yield from invoiced(19010, 19001, 19005, 100)
    yield _paid(19, amount=30, meter_id=19006)


def _g20() -> Records:
    yield from _tenant(20, 5)
    yield _held(20, 1, 5)
    for key, amount in ((100, "KES 1,234.50"), (101, Decimal("99.995")), (102, "1,23")):
        yield _paid(20, key, amount)


def _g21() -> Records:
    for number in (21, 121):
        start = number * 1000
        yield from _tenant(number, 5)
        yield _held(number, 1, 5)
        yield from invoiced(start + 1, start + 1, start + 5, 500, invoice_date="2024-01-01")
        yield from invoiced(start + 2, start + 1, start + 5, 400, 300, invoice_date="2024-02-01")
        yield _paid(number, amount=200)


def _g22() -> Records:
    yield from _tenant(22, 5)
    yield "invoices", invoice(22010, 22001, 22005)
    yield "bills", bill(22020, 22001, 40)
    yield "invoice_bills", link(22009, 22010, 22020, "45.00")
    yield "invoice_bills", link(22007, 22010, 22020, "40.00")


def _g23() -> Records:
    yield from _tenant(23, 5, 6, balance=650)
    yield _held(23, 1, 5)
    yield _held(23, 2, 6)
    yield from invoiced(23001, 23001, 23005, 500, 50, invoice_date="2024-01-01")
    yield from invoiced(23002, 23001, 23006, 100, 550, invoice_date="2024-02-01")


_EXAMPLES = (
    *(_g1, _g2, _g3, _g4, _g5, _g6, _g7, _g8, _g9, _g10, _g11, _g12, _g13, _g14_and_g15, _g16, _g17, _g18, _g19),
    *(_g20, _g21, _g22, _g23),
)


# --- what they must give ----------------------------------------------------------------------------------------------


def _amount(number: str) -> Decimal:
    return Decimal(number)


def _check_g1(view: View) -> None:
    assert view.meter_of(1100) == (1005, "INVOICE")
    assert view.reviews(1) == {}


def _check_g2(view: View) -> None:
    assert view.meter_of(2100) == (2005, "SINGLE_ACTIVE")
    assert view.reviews(2) == {}


def _check_g3(view: View) -> None:
    assert view.meter_of(3100) == (3005, "FIRST_ACTIVE")
    assert view.reviews(3) == {"MULTI_METER_CUSTOMER": [3005, 3007, 3009]}


def _check_g4(view: View) -> None:
    assert view.meter_of(4100) == (4004, "FIRST_ACTIVE")
    assert view.reviews(4) == {"MULTI_METER_CUSTOMER": [4004, 4006]}


def _check_g5(view: View) -> None:
    assert view.meter_of(5100) == (5005, "FIRST_INACTIVE")
    assert view.reviews(5) == {"NO_ACTIVE_METER": [5005, 5006]}


def _check_g6(view: View) -> None:
    assert view.meter_of(6100) == (None, "UNASSIGNED")
    assert view.reviews(6) == {"NO_METER": []}
    assert view.findings(6, "PAYMENT_WITHOUT_METER") == [(3, "CRITICAL", 6100, None, _amount("50.00"), None)]
    assert view.succeeded[6] is False
    row = view.one("meters", id=6005)
    assert (row["balance"], row["total_billed"], row["balance_calculated"]) == (0, 0, False)
    assert view.some("customer_balances_backup", tenant_id=6) == []
    assert view.some("validation_discrepancy", tenant_id=6, step=5) == []
    assert view.one("meters", id=13005)["balance_calculated"] is True


def _check_g7(view: View) -> None:
    assert view.meter_of(7100) == (7005, "SINGLE_ACTIVE")
    assert view.reviews(7) == {"INVOICE_WITHOUT_METER": []}


def _check_g8(view: View) -> None:
    row = view.one("payments", id=8100)
    assert (row["tenant_id"], row["invoice_id"], row["legacy_invoice_id"]) == (8, None, 108030)
    assert view.meter_of(8100) == (8005, "SINGLE_ACTIVE")
    assert view.reviews(8) == {"INVOICE_TENANT_MISMATCH": []}


def _check_g9(view: View) -> None:
    row = view.one("payments", id=9100)
    assert (row["tenant_id"], row["customer_id"], row["customer_source"]) == (9, 9001, "INVOICE")
    assert view.meter_of(9100) == (9005, "INVOICE")
    assert view.reviews(9) == {"CUSTOMER_FROM_INVOICE": []}


def _amounts(view: View, invoice_id: int) -> tuple[Decimal, Decimal, Decimal]:
    row = view.one("invoices", id=invoice_id)
    assert row["amounts_recalculated"] is True
    return row["amount"], row["balance_brought_forward"], row["total_amount"]


def _differences(view: View, invoice_id: int) -> list[tuple[str, str, Decimal]]:
    found = view.some("invoice_amount_discrepancy", invoice_id=invoice_id)
    return [(row["kind"], row["severity"], row["diff_total"]) for row in found]


def _check_g10(view: View) -> None:
    assert _amounts(view, 10010) == (95, 50, 145)
    assert _differences(view, 10010) == [("CHANGED", "WARN", _amount("-5.00"))]


def _check_g11(view: View) -> None:
    assert _amounts(view, 11010) == (0, 0, 0)
    assert _differences(view, 11010) == [("NO_BILLS", "ERROR", _amount("-80.00"))]
    assert _amounts(view, 111010) == (80, 0, 80)
    assert _differences(view, 111010) == [("NO_BILLS", "ERROR", _amount("0.00"))]


def _check_g12(view: View) -> None:
    assert _amounts(view, 12010) == (0, 70, 70)
    assert _differences(view, 12010) == []


def _check_g13(view: View) -> None:
    row = view.one("meters", id=13005)
    assert (row["total_billed"], row["total_paid"]) == (1500, 600)
    assert view.money(13005) == (900, 0, "Outstanding")


def _check_g14(view: View) -> None:
    assert view.money(14005) == (0, 300, "Credit")


def _check_g15(view: View) -> None:
    assert view.money(15005) == (0, 300, "Credit")
    assert view.one("overpayments", id=15001)["credit_effect"] == 0
    assert view.money(115005) == (0, 0, "Clear")
    assert view.one("overpayments", id=115001)["credit_effect"] == -300
    assert view.meter_of(115001, "overpayments") == (115005, "PAYMENT")


def _check_g16(view: View) -> None:
    assert view.one("meters", id=16005)["overpayment_credit"] == 120
    assert view.money(16005) == (0, 120, "Credit")


def _check_g17(view: View) -> None:
    row = view.one("payments", id=17100)
    assert (row["status"], row["is_void"]) == ("reversed", True)
    assert row["reversed_at"] == dt.datetime(2024, 3, 1, 10, tzinfo=dt.UTC)
    assert view.money(17005) == (400, 0, "Outstanding")


def _check_g18(view: View) -> None:
    assert view.findings(18, "CUSTOMER_DRIFT") == []
    assert view.succeeded[18] is True
    expected = (5, "ERROR", 118001, _amount("900.02"), _amount("900.00"), _amount("-0.02"))
    assert view.findings(118, "CUSTOMER_DRIFT") == [expected]
    assert view.succeeded[118] is False
    assert view.money(118005) == (900, 0, "Outstanding")


def _check_g19(view: View) -> None:
    assert view.findings(19, "CUSTOMER_DRIFT") == []
    expected = (5, "INFO", 19001, _amount("70"), _amount("100"), _amount("30"))
    assert view.findings(19, "CUSTOMER_SPLIT") == [expected]
    assert view.succeeded[19] is True


def _check_g20(view: View) -> None:
    amounts = {row["id"]: row["amount"] for row in view.some("payments", tenant_id=20)}
    assert amounts == {20100: _amount("1234.50"), 20101: _amount("100.00")}
    row = view.one("row_ledger", source_table="payments", source_pk="20102")
    assert (row["outcome"], row["reason"]) == ("rejected", "INVALID_AMOUNT")


def _check_g21(view: View) -> None:
    assert view.money(21005) == (700, 0, "Outstanding")
    assert view.findings(21, "CARRY_FORWARD_EXPOSURE") == []
    assert view.money(121005) == (1000, 0, "Outstanding")
    exposure = (5, "ERROR", 121005, None, _amount("300"), None)
    assert view.findings(121, "CARRY_FORWARD_EXPOSURE") == [exposure]


def _check_g22(view: View) -> None:
    row = view.one("invoice_bills", invoice_id=22010)
    assert (row["id"], row["amount"]) == (22007, 40)
    merged = view.one("row_ledger", source_table="invoice_bills", source_pk="22009")
    assert (merged["outcome"], merged["target_key"]) == ("merged", "22007")


def _check_g23(view: View) -> None:
    assert view.money(23005) == (550, 0, "Outstanding")
    assert view.money(23006) == (100, 0, "Outstanding")
    assert view.findings(23, "CUSTOMER_DRIFT") == []
    assert view.succeeded[23] is True


CHECKS: dict[str, Callable[[View], None]] = {
    name.removeprefix("_check_").upper(): check for name, check in globals().items() if name.startswith("_check_g")
}
