"""The golden examples of the contract, each as records and as what is to be seen of the migrated database.

An example counts its ids from a base. With base 0 they are those of the contract and the example stands alone; with
bases of their own all examples fit into one export.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.billing.billing_cases import (
    Export,
    Record,
    bill,
    customer,
    end_customer,
    export_of,
    home,
    mac_bill,
    mac_package,
    partner,
    payment,
    period,
    soho_bill,
    soho_package,
)
from tests.billing.billing_files import Row
from tests.billing.billing_records import SERVICES
from tests.billing.billing_reference import Reference
from tests.meter.meter_writing import Junk

EXPORT_ID = "20250301T000000Z"
D = Decimal
Records = Iterator[Record]


@dataclass(frozen=True)
class View:
    """What is to be seen of a migrated database.

    Attributes:
        rows: the rows of a table of the schema.
        warnings: counts of the loaded rows by code, where the example stands alone.
    """

    rows: Callable[[str], list[Row]]
    warnings: dict[str, int] | None = None
    base: int = 0
    _found: dict[str, dict[Any, Row]] = field(default_factory=dict)

    def row(self, table: str, key: int) -> Row:
        """A row by its id."""
        if table not in self._found:
            self._found[table] = {row["id"]: row for row in self.rows(table)}
        return self._found[table][key]

    def has(self, table: str, key: int, **values: Any) -> None:
        """A row has these values."""
        row = self.row(table, key)
        assert {name: row[name] for name in values} == values, (table, key)

    def outcome(self, table: str, pk: Any, number: int = 0) -> tuple[str, Any]:
        """What became of a source row: the outcome, and the code, the rule or the row it ended in."""
        found = [row for row in self.rows("row_ledger") if (row["source_table"], row["source_pk"]) == (table, str(pk))]
        row = sorted(found, key=lambda each: each["source_row"])[number]
        plain = row["outcome"] in ("loaded", "merged")
        return row["outcome"], row["target_key"] if plain else row["reason"]

    def loaded(self, table: str, *pks: Any) -> None:
        assert [self.outcome(table, pk)[0] for pk in pks] == ["loaded"] * len(pks)

    def rejected(self, table: str, codes: dict[Any, str]) -> None:
        assert {pk: self.outcome(table, pk) for pk in codes} == {pk: ("rejected", code) for pk, code in codes.items()}

    def days(self, bill_id: int) -> dict[int, Row]:
        """The days of a bill by number."""
        found = [row for row in self.rows("daily_bill_amounts") if row["bill_record_id"] == bill_id]
        return {row["day_number"]: row for row in found}

    def amounts(self, bill_id: int) -> dict[int, Decimal]:
        """What each day of a bill costs."""
        return {day: row["daily_amount"] for day, row in self.days(bill_id).items()}

    def counted(self, **warnings: int) -> None:
        """These codes are counted so often, where the example stands alone."""
        if self.warnings is not None:
            assert {code: self.warnings.get(code, 0) for code in warnings} == warnings


def view_of(db: Reference, *, alone: bool = True) -> View:
    """The oracle as a view."""
    names = ("export_id", "source_table", "source_row", "target_table")
    ledger = [{**dict(zip(names, key, strict=True)), **vars(label)} for key, label in db.ledger.items()]
    tables = {name: list(rows.values()) for name, rows in db.tables.items()} | {"row_ledger": ledger}
    return View(tables.__getitem__, dict(db.warnings[db.export_id]) if alone else None)


def day(written: str) -> dt.date:
    """A date."""
    return dt.date.fromisoformat(written)


def part(quantity: str, price: str, amount: str) -> Row:
    """What a day says of a service."""
    return {"quantity": quantity, "price": price, "amount": amount}


NOTHING = part("0.00", "0.00", "0.00")


def breakdown(other: str = "0.00", discount: str = "0.00", **services: Row) -> Row:
    """What a day says of everything."""
    return {**dict.fromkeys(SERVICES, NOTHING), **services, "other": other, "discount": discount}


# --- G1 to G3: the seed's flows ---------------------------------------------------------------------------------------


def _g1(n: int) -> Records:
    yield customer(n + 1, "ABC Corp", customer_type="Bandwidth", email="Info@ABC.example")
    yield bill(n + 1, "2025-01-31", customer_type="Bandwidth", customer=n + 1, iig_qt=100, iig_qt_price=10)
    yield payment(n + 1, 2000, "2025-02-05", bill_record=n + 1, payment_type="Bandwidth")


def _see_g1(view: View, n: int) -> None:
    one = n + 1
    view.has("sales_customers", one, email="info@abc.example", customer_number=f"KTL-ABCCORPX-{one}", status="Active")
    view.has("bill_records", one, bill_number=f"KTL-BL-ABCCO-{one}-31012025", billing_month=day("2025-01-01"))
    view.has("bill_records", one, total_bill=D(1000), total_source="components", total_received=D(2000))
    view.has("bill_records", one, total_due=D(-1000), received_source="payments", customer_id=one)
    view.has("bill_records", one, last_payment_date=day("2025-02-05"), last_payment_mode="Bank Transfer")
    days = view.days(one)
    assert [days[number]["id"] for number in range(1, 32)] == [one * 100 + number for number in range(1, 32)]
    assert (days[1]["daily_amount"], days[2]["daily_amount"]) == (D("32.25"), D("32.26"))
    assert sum(view.amounts(one).values()) == 1000
    assert days[1]["service_breakdown"] == breakdown(iig_qt=part("100.00", "10.00", "32.25"))
    view.has("payment_records", one, allocated_to="bill_record", payment_type="Bandwidth", amount=D(2000))


def _g2(n: int) -> Records:
    yield partner(n + 1, "Shamim", percentage_share="20.00")
    yield end_customer(n + 1, n + 1, "John Doe", activation_date="2025-01-01")
    yield bill(n + 2, "2025-01-31", customer_type="MAC", mac_partner=n + 1)
    paid = {"bill_record": n + 2, "payment_method": "Cash"}
    yield payment(n + 2, "500.00", "2025-02-06", **paid, payment_type="Bandwidth")
    # The same with other types, on a bill of their own.
    yield bill(n + 3, "2025-01-31", customer_type="MAC", mac_partner=n + 1)
    for key, kind in enumerate(("MAC", "SOHO", "Other"), start=3):
        yield payment(n + key, "500.00", "2025-02-06", bill_record=n + 3, payment_type=kind)


def _see_g2(view: View, n: int) -> None:
    view.has("mac_partners", n + 1, mac_partner_number=f"KTL-MAC-SHAMIMXX-{n + 1}", percentage_share=D(20))
    view.has("mac_end_customers", n + 1, mac_end_customer_number=f"KTL-MACEC-JOHNDOEX-{n + 1}", mac_partner_id=n + 1)
    view.has("bill_records", n + 2, bill_number=f"KTL-BL-SHAMI-{n + 2}-31012025", customer_id=None)
    view.has("bill_records", n + 2, mac_partner_id=n + 1, total_bill=D(0), total_received=D(500), total_due=D(-500))
    view.has("bill_records", n + 2, last_payment_mode="Cash", soho_customer_id=None, customer_type="MAC")
    view.has("payment_records", n + 2, payment_type="Bandwidth", allocated_to="bill_record")
    view.has("payment_records", n + 3, payment_type="MAC", allocated_to="bill_record")
    view.rejected("payment_records", dict.fromkeys((n + 4, n + 5), "PAYMENT_TYPE_MISMATCH"))


def _g3(n: int) -> Records:
    yield soho_package(n + 1, "Home 10 Mbps", "800")
    yield home(n + 1, "Jane Doe", package=n + 1, activation_date="2025-01-01")
    yield bill(n + 3, "2025-01-31", customer_type="SOHO", soho_customer=n + 1)


def _see_g3(view: View, n: int) -> None:
    package = 1_000_000 + n + 1
    view.has("packages", package, type="SOHO", mbps=D(10), rate=D(800), legacy_id=n + 1, legacy_source="soho_packages")
    view.has("soho_customers", n + 1, soho_customer_number=f"KTL-SOHO-JANEDOEX-{n + 1}", package_id=package)
    view.has("soho_customers", n + 1, rate=D(800))
    view.has("bill_records", n + 3, bill_number=f"KTL-BL-JANED-{n + 3}-31012025", total_bill=D(0))
    view.has("bill_records", n + 3, received_source="none", total_received=D(0), total_due=D(0))
    assert view.amounts(n + 3) == dict.fromkeys(range(1, 32), D(0))


# --- G4 to G5: numbers and owners -------------------------------------------------------------------------------------


def _g4(n: int) -> Records:
    yield customer(n + 7, "Café Net")
    yield customer(n + 9, "東京")
    yield customer(n + 3, "Rahim", company_name="Global Fibre & Co.")
    yield customer(n + 1, customer_number=f"KTL-ABCCORP-{n + 1}")
    yield customer(n + 2, customer_number=f"ktl-abcco-{n + 2} ")
    yield customer(n + 4, customer_number="KTL-ABCCORPX-5")
    yield partner(n + 1, mac_partner_number=f"KTL-MAC-SHAMIM-{n + 1}")


def _see_g4(view: View, n: int) -> None:
    expected = {7: "CAFNETXX", 9: "XXXXXXXX", 3: "GLOBALFI", 1: "ABCCORP", 2: "ABCCO", 4: "ABCCORPX"}
    for key, name in expected.items():
        view.has("sales_customers", n + key, customer_number=f"KTL-{name}-{n + key}")
    view.has("mac_partners", n + 1, mac_partner_number=f"KTL-MAC-SHAMIMXX-{n + 1}")
    view.counted(numbers_regenerated=2)


def _g5(n: int) -> Records:
    yield customer(n + 1)
    yield partner(n + 1)
    yield home(n + 1, rate=1)
    yield bill(n + 1, customer_type="Bandwidth", customer=None, mac_partner=n + 1)
    yield bill(n + 2, customer_type="Bandwidth", customer=n + 1, mac_partner=n + 1)
    yield bill(n + 3, customer_type=None, soho_customer=n + 1)
    yield bill(n + 4, customer_type="Franchise", mac_partner=n + 1)
    yield bill(n + 5, customer_type="Corporate", customer=n + 1)
    yield bill(n + 6, customer_type="Bandwidth", customer=n + 999)


def _see_g5(view: View, n: int) -> None:
    codes = {1: "BILL_FK_MISSING", 2: "BILL_FK_CONFLICT", 5: "UNKNOWN_CUSTOMER_TYPE", 6: "ORPHAN_CUSTOMER"}
    view.rejected("bill_records", {n + key: code for key, code in codes.items()})
    view.has("bill_records", n + 3, customer_type="SOHO", soho_customer_id=n + 1)
    view.has("bill_records", n + 4, customer_type="MAC", mac_partner_id=n + 1)


# --- G6 to G10: totals and days ---------------------------------------------------------------------------------------


def _g6(n: int) -> Records:
    yield customer(n + 1)
    yield bill(n + 10, "2025-01-15", customer=n + 1)
    yield period(n + 1, n + 10, 1, 10, iig_qt=100, iig_qt_price=100, fna=50, fna_price=50)
    yield period(n + 2, n + 10, 11, 31, iig_qt=150, iig_qt_price=120)


def _see_g6(view: View, n: int) -> None:
    view.has("bill_records", n + 10, total_bill=D(30500), total_source="periods", iig_qt=D(150), iig_qt_price=D(120))
    view.has("bill_records", n + 10, fna=D(0), fna_price=D(0))
    days, amounts = view.days(n + 10), view.amounts(n + 10)
    assert {number: amounts[number] for number in range(1, 11)} == dict.fromkeys(range(1, 11), D(1250))
    first = breakdown(iig_qt=part("100.00", "100.00", "1000.00"), fna=part("50.00", "50.00", "250.00"))
    assert days[1]["service_breakdown"] == first
    assert [days[number]["pricing_period_id"] for number in (1, 10, 11, 31)] == [n + 1, n + 1, n + 2, n + 2]
    assert [amounts[number] for number in (11, 12, 13, 14)] == [*[D("857.14")] * 3, D("857.15")]
    assert sum(amounts[number] for number in range(11, 32)) == 18000


def _g7(n: int) -> Records:
    yield customer(n + 1)
    yield bill(n + 11, "2025-04-30", customer=n + 1)
    for key, start, end in ((21, 1, 10), (22, 10, 20), (23, 21, 31), (24, 31, 31), (25, 9, 3)):
        yield period(n + key, n + 11, start, end, iig_qt=1, iig_qt_price=300)


def _see_g7(view: View, n: int) -> None:
    codes = {22: "PERIOD_OVERLAP", 24: "PERIOD_OUTSIDE_MONTH", 25: "PERIOD_END_BEFORE_START"}
    view.rejected("bill_pricing_periods", {n + key: code for key, code in codes.items()})
    view.loaded("bill_pricing_periods", n + 21, n + 23)
    view.has("bill_pricing_periods", n + 23, end_day=30)
    view.has("bill_records", n + 11, total_bill=D(600))
    expected = {number: D(0) if 11 <= number <= 20 else D(30) for number in range(1, 31)}
    assert view.amounts(n + 11) == expected
    assert view.days(n + 11)[11]["pricing_period_id"] is None
    assert view.days(n + 11)[20]["service_breakdown"] == breakdown()
    view.counted(periods_clamped=1, period_gap_days=10)


def _g8(n: int) -> Records:
    yield customer(n + 1)
    prices = {"fna": "3.33", "fna_price": "7.77", "ggc": 1, "ggc_price": "0.05", "discount": "1.00"}
    yield bill(n + 1, "2025-06-10", customer=n + 1, **prices)


def _see_g8(view: View, n: int) -> None:
    view.has("bill_records", n + 1, total_bill=D("24.92"), discount=D(1))
    days = view.days(n + 1)
    fna, ggc = part("3.33", "7.77", "0.86"), part("1.00", "0.05", "0.00")
    assert days[1]["service_breakdown"] == breakdown(discount="0.03", fna=fna, ggc=ggc)
    assert days[1]["daily_amount"] == D("0.83")
    cents = {number for number, row in days.items() if row["service_breakdown"]["ggc"]["amount"] == "0.01"}
    assert cents == {6, 12, 18, 24, 30}
    assert sum(view.amounts(n + 1).values()) == D("24.92")


def _g9(n: int) -> Records:
    yield customer(n + 1)
    yield bill(n + 1, "2025-02-10", customer=n + 1, discount="10.00")


def _see_g9(view: View, n: int) -> None:
    view.has("bill_records", n + 1, total_bill=D(-10), total_source="components")
    days = view.days(n + 1)
    found = [(row["service_breakdown"]["discount"], row["daily_amount"]) for row in (days[1], days[2])]
    assert found == [("0.35", D("-0.35")), ("0.36", D("-0.36"))]
    assert (len(days), sum(view.amounts(n + 1).values())) == (28, D(-10))


def _g10(n: int) -> Records:
    yield customer(n + 1)
    prices = {"iig_qt": "nan", "iig_qt_price": "5000", "fna": None, "fna_price": "3000"}
    paid = {"total_received": "3000", "last_payment_date": "05/02/2025", "last_payment_mode": "bKash"}
    yield bill(n + 1, "2025-01-31", customer=n + 1, total_bill="Tk 8,000/-", **prices, **paid)


def _see_g10(view: View, n: int) -> None:
    view.has("bill_records", n + 1, total_bill=D(8000), total_source="legacy", total_received=D(3000))
    view.has("bill_records", n + 1, received_source="carried_over", total_due=D(5000), iig_qt_price=D(5000))
    view.has("bill_records", n + 1, last_payment_date=day("2025-02-05"), last_payment_mode="Mobile Banking")
    services = {"iig_qt": part("0.00", "5000.00", "0.00"), "fna": part("0.00", "3000.00", "0.00")}
    assert view.days(n + 1)[1]["service_breakdown"] == breakdown(other="258.06", **services)
    assert sum(view.amounts(n + 1).values()) == 8000


# --- G11 to G13: partners' bills and payments -------------------------------------------------------------------------


def _g11(n: int) -> Records:
    yield partner(n + 1, percentage_share="20.00")
    yield mac_package(n + 1, "Eleven 5 Mbps", 500)
    yield end_customer(n + 1, n + 1, "A", package=n + 1)
    yield end_customer(n + 2, n + 1, "B", custom_rate="450.50")
    yield end_customer(n + 3, n + 1, "C", custom_rate=0, package=n + 1)
    yield end_customer(n + 4, n + 1, "D", status="Suspended", package=n + 1)
    yield end_customer(n + 5, n + 1, "E", activation_date="2025-02-01", package=n + 1)
    yield end_customer(n + 6, n + 1, "F", bill_date="2025-02-01", package=n + 1)
    for key in (1, 2, 3):
        yield mac_bill(n + key, n + 1, "2025-01-31")
    yield mac_bill(n + 4, n + 1, "2025-01-31", total_revenue="1400.00", commission="0")
    yield payment(n + 2, "1160.40", mac_bill=n + 2, payment_type="MAC")
    yield payment(n + 3, "100.00", mac_bill=n + 3, payment_type="MAC")


def _see_g11(view: View, n: int) -> None:
    view.has("mac_bills", n + 1, total_client=3, total_revenue=D("1450.50"), percentage_share=D(20))
    view.has("mac_bills", n + 1, commission=D("290.10"), total_bill=D("1160.40"), status="Unpaid")
    view.has("mac_bills", n + 2, status="Paid", total_due=D(0))
    view.has("mac_bills", n + 3, status="Partial", total_due=D("1060.40"))
    view.has("mac_bills", n + 4, total_revenue=D(1400), commission=D(280), total_bill=D(1120), total_client=3)


def _g12(n: int) -> Records:
    yield customer(n + 1)
    times = ("2025-02-05 10:00", "2025-02-05 11:00", "2025-02-05 12:00")
    for number, created in ((1, times), (2, (times[0], None, times[2])), (3, (times[0], times[0], times[2]))):
        key = n + number
        yield bill(key, customer=n + 1)
        yield payment(key * 10 + 5, 10, bill_record=key, created_at=created[0], payment_method="Cash")
        yield payment(key * 10 + 6, 10, bill_record=key, created_at=created[1], payment_method="cheque")
        yield payment(key * 10 + 7, 10, "2025-02-01", bill_record=key, created_at=created[2], payment_method="mfs")


def _see_g12(view: View, n: int) -> None:
    for number, mode in ((1, "Check"), (2, "Cash"), (3, "Check")):
        view.has("bill_records", n + number, last_payment_date=day("2025-02-05"), last_payment_mode=mode)


def _g13(n: int) -> Records:
    yield customer(n + 1)
    yield partner(n + 1)
    yield home(n + 1, rate=800)
    yield bill(n + 1, customer=n + 1, status="odd")
    yield bill(n + 2, customer=n + 1)
    yield mac_bill(n + 1, n + 1, total_revenue=100)
    yield soho_bill(n + 1, n + 1)
    yield payment(n + 1)
    yield payment(n + 2, mac_bill=n + 1, payment_type="Bandwidth")
    yield payment(n + 3, mac_bill=n + 1, bill_record=n + 2, payment_type="MAC")
    yield payment(n + 4, soho_bill=n + 1)
    yield payment(n + 5, 0, bill_record=n + 2)
    yield payment(n + 6, -50, bill_record=n + 2)
    for key, reference in ((7, "TRX-9"), (8, "trx-9"), (9, None), (10, None)):
        yield payment(n + key, 7, soho_bill=n + 1, reference_number=reference)
    yield payment(n + 11, bill_record=n + 1)


def _see_g13(view: View, n: int) -> None:
    codes = {1: "PAYMENT_NO_BILL", 2: "PAYMENT_TYPE_MISMATCH", 6: "NEGATIVE_VALUE", 11: "ORPHAN_BILL_RECORD"}
    view.rejected("payment_records", {n + key: code for key, code in codes.items()})
    view.has("payment_records", n + 3, mac_bill_id=n + 1, bill_record_id=n + 2, allocated_to="mac_bill")
    view.has("mac_bills", n + 1, total_received=D(10))
    view.has("bill_records", n + 2, total_received=D(0), received_source="none")
    view.has("payment_records", n + 4, payment_type="SOHO", allocated_to="soho_bill")
    assert view.outcome("payment_records", n + 5) == ("skipped", "ZERO_AMOUNT")
    assert view.outcome("payment_records", n + 8) == ("merged", str(n + 7))
    view.loaded("payment_records", n + 7, n + 9, n + 10)
    view.has("soho_bills", n + 1, total_received=D(31), total_bill=D(800), status="Partial")


# --- G14 to G18: merges and values ------------------------------------------------------------------------------------


def _g14(n: int) -> Records:
    yield mac_package(n + 1, "Starter  10 Mbps", 500, mbps=10, is_active=False)
    yield mac_package(n + 2, "starter 10 mbps", "500.00", mbps="10 Mbps", is_active=True)
    yield mac_package(n + 3, "Starter 10 Mbps", 550, mbps=10)
    yield mac_package(n + 4, "Gold", 500)
    yield mac_package(n + 5, "Five 5 Mbps", 500, type="SOHO")
    yield mac_package(n + 6, "Other 10 Mbps", "500.00", mbps=10)
    yield mac_package(n + 7, "other  10 mbps", "500.00", mbps="10 Mbps", is_active=False)
    yield soho_package(n + 1, "Starter 10 Mbps", 500, mbps=10)
    yield partner(n + 1)
    yield end_customer(n + 1, n + 1, package=n + 2)
    yield end_customer(n + 2, n + 1, package=n + 4)


def _see_g14(view: View, n: int) -> None:
    view.has("packages", n + 1, name="Starter 10 Mbps", mbps=D(10), rate=D(500), is_active=True)
    view.has("packages", n + 6, is_active=True)
    assert view.outcome("mac_packages", n + 2) == ("merged", str(n + 1))
    assert view.outcome("mac_packages", n + 7) == ("merged", str(n + 6))
    view.loaded("mac_packages", n + 3)
    view.rejected("mac_packages", {n + 4: "MISSING_REQUIRED", n + 5: "PACKAGE_TYPE_MISMATCH"})
    assert view.outcome("soho_packages", n + 1) == ("loaded", str(1_000_000 + n + 1))
    view.has("mac_end_customers", n + 1, package_id=n + 1)
    view.has("mac_end_customers", n + 2, package_id=None)
    view.counted(package_orphans=1)
    leads = {row["legacy_id"]: row["target_id"] for row in view.rows("legacy_redirect") if _of(row, n, "mac_packages")}
    assert leads == {n + 1: n + 1, n + 2: n + 1, n + 3: n + 3, n + 6: n + 6, n + 7: n + 6}


def _of(row: Row, n: int, source: str) -> bool:
    return row["source_table"] == source and n <= row["legacy_id"] < n + 1000


def _g15(n: int) -> Records:
    yield customer(n + 9, "rahim  traders", email=" A@X.example")
    yield customer(n + 4, "Rahim Traders", email="a@x.example")
    yield customer(n + 5, "Another Firm", email="a@x.example")
    yield bill(n + 1, "2025-01-31", customer=n + 9)


def _see_g15(view: View, n: int) -> None:
    assert view.outcome("sales_customers", n + 9) == ("merged", str(n + 4))
    view.has("bill_records", n + 1, customer_id=n + 4, bill_number=f"KTL-BL-RAHIM-{n + 1}-31012025")
    view.has("sales_customers", n + 4, email="a@x.example")
    view.has("sales_customers", n + 5, email=None)
    view.counted(emails_shared=1, emails_nulled=0)
    leads = {r["legacy_id"]: r["target_id"] for r in view.rows("legacy_redirect") if _of(r, n, "sales_customers")}
    assert leads == {n + 4: n + 4, n + 5: n + 5, n + 9: n + 4}


def _g16(n: int) -> Records:
    yield home(n + 1, rate=800)
    yield soho_bill(n + 1, n + 1, rate=None, total_bill="")
    yield soho_bill(n + 2, n + 1, rate=900, total_bill=450)
    yield soho_bill(n + 3, n + 1, rate=-1)


def _see_g16(view: View, n: int) -> None:
    view.has("soho_bills", n + 1, rate=D(800), total_bill=D(800))
    view.has("soho_bills", n + 2, rate=D(900), total_bill=D(450))
    view.rejected("soho_bills", {n + 3: "NEGATIVE_VALUE"})


def _g17(n: int) -> Records:
    yield partner(n + 3, "February", updated_at="2025-02-01")
    yield partner(n + 3, "January", updated_at="2025-01-01")


def _see_g17(view: View, n: int) -> None:
    view.has("mac_partners", n + 3, mac_cust_name="February")
    found = [view.outcome("mac_partners", n + 3, number) for number in (0, 1)]
    assert found == [("loaded", str(n + 3)), ("merged", str(n + 3))]


_BAD_NUMBERS = ("Tk", ".5", "1e3", "-Tk 5", "৫")
_GOOD_TIMES = ("2024-01-05 10:00:00.5+00", "2024-01-05T16:00+0600")
_BAD_TIMES = ("1970-01-01T00:00:00Z", "2024-05-05T24:00:00Z")


def _g18(n: int) -> Records:
    yield customer(n + 1, phone=1712345678)
    yield home(n + 1, rate=1)
    yield soho_bill(n + 1, n + 1)
    paid = {"soho_bill": n + 1}
    yield payment(n + 1, "1\u00a0160.40", **paid)
    yield payment(n + 2, "-0.004", **paid)
    yield payment(n + 3, D("1e3"), **paid)
    for key, written in enumerate(_BAD_NUMBERS, start=10):
        yield payment(n + key, written, **paid)
    for key in (10**15 + n, True):
        yield partner(key)
    yield bill(n + 1, "0000-00-00 00:00:00", customer=n + 1)
    yield bill(n + 2, "5/2/2024", customer=n + 1)
    yield bill(n + 3, customer=n + 1, discount="-0.004", iig_qt=99999999, iig_qt_price="99999999.99")
    for key, written in enumerate((*_GOOD_TIMES, *_BAD_TIMES), start=1):
        yield partner(n + key, created_at=written)
    yield partner(n + 11, is_active="1.0")
    yield partner(n + 12, is_active="2")
    yield partner(n + 13, percentage_share=10**9)
    yield mac_package(n + 1, "Giga 100000000 Mbps", 1)


def _see_g18(view: View, n: int) -> None:
    view.has("payment_records", n + 1, amount=D("1160.40"))
    assert view.outcome("payment_records", n + 2) == ("skipped", "ZERO_AMOUNT")
    view.has("payment_records", n + 3, amount=D(1000))
    view.rejected("payment_records", {n + 10 + at: "BAD_NUMBER" for at in range(len(_BAD_NUMBERS))})
    view.rejected("mac_partners", {10**15 + n: "BAD_ID", "true": "BAD_ID"})
    view.rejected("bill_records", {n + 1: "MISSING_REQUIRED", n + 2: "BAD_DATE"})
    view.has("bill_records", n + 3, total_bill=D("9999999899000000.01"), discount=D(0))
    ten = dt.datetime(2024, 1, 5, 10, tzinfo=dt.UTC)
    assert [view.row("mac_partners", n + key)["created_at"] for key in (1, 2, 3, 4)] == [ten, ten, None, None]
    view.has("mac_partners", n + 11, is_active=True)
    view.rejected("mac_partners", {n + 12: "BAD_ENUM", n + 13: "PERCENT_OUT_OF_RANGE"})
    view.has("sales_customers", n + 1, phone="1712345678")
    view.rejected("mac_packages", {n + 1: "BAD_NUMBER"})


Example = tuple[Callable[[int], Records], Callable[[View, int], None]]
EXAMPLES: dict[str, Example] = {
    "G1": (_g1, _see_g1),
    "G2": (_g2, _see_g2),
    "G3": (_g3, _see_g3),
    "G4": (_g4, _see_g4),
    "G5": (_g5, _see_g5),
    "G6": (_g6, _see_g6),
    "G7": (_g7, _see_g7),
    "G8": (_g8, _see_g8),
    "G9": (_g9, _see_g9),
    "G10": (_g10, _see_g10),
    "G11": (_g11, _see_g11),
    "G12": (_g12, _see_g12),
    "G13": (_g13, _see_g13),
    "G14": (_g14, _see_g14),
    "G15": (_g15, _see_g15),
    "G16": (_g16, _see_g16),
    "G17": (_g17, _see_g17),
    "G18": (_g18, _see_g18),
}
BASES = {name: number * 1000 for number, name in enumerate(EXAMPLES, start=1)}


def example(name: str) -> Export:
    """The export of one example, with the ids of the contract."""
    return export_of(EXAMPLES[name][0](0))


def world() -> Export:
    """The export of all examples."""
    return export_of(_all())


def _all() -> Iterable[Record]:
    for name, (records, _) in EXAMPLES.items():
        yield from records(BASES[name])
    yield "mac_bills", Junk("[1, 2]")


def see(name: str, view: View, base: int) -> None:
    """Look whether an example came out as it must."""
    EXAMPLES[name][1](view, base)
