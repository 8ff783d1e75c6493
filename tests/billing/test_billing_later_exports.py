"""A newer export that lacks bills: what it moves away from them is theirs no longer, in whichever month they are."""

from tests.billing.billing_cases import (
    Export,
    Record,
    bill,
    customer,
    export_of,
    home,
    mac_bill,
    partner,
    payment,
    period,
    soho_bill,
)
from tests.billing.billing_compare import assert_all
from tests.billing.billing_golden import D, View
from tests.billing.billing_harness import Lab
from tests.billing.billing_reference import Reference

FIRST, SECOND = "20250301T000000Z", "20250401T000000Z"
EARLY = "2024-05-31"
SHARED: tuple[Record, ...] = (
    customer(1),
    partner(1),
    home(1, rate=800),
    bill(1, customer=1),
    mac_bill(1, 1, total_revenue=100),
    soho_bill(1, 1),
)


def before() -> Export:
    """Bills of two months with payments and periods."""
    gone = [
        *(bill(2, EARLY, customer=1), bill(3, customer=1), mac_bill(2, 1, EARLY), soho_bill(2, 1, EARLY)),
        *(period(1, 2, 1, 31, fna=1, fna_price=62), period(2, 3, 1, 10, fna=1, fna_price=50)),
        *(payment(1, bill_record=2), payment(2, mac_bill=2), payment(3, soho_bill=2), payment(4, bill_record=3)),
        payment(5, bill_record=3),
    ]
    return export_of([*SHARED, *gone])


def after() -> Export:
    """The bills that stay have them all."""
    moved = [
        *(period(1, 1, 1, 10, fna=1, fna_price=62), period(2, 1, 11, 20, fna=1, fna_price=50)),
        *(payment(1, bill_record=1), payment(2, mac_bill=1), payment(3, soho_bill=1), payment(4, bill_record=1)),
    ]
    return export_of([*SHARED, *moved])


def test_payments_and_periods_that_move_to_other_bills_leave_their_own(billing_lab: Lab) -> None:
    reference = Reference()
    for export_id, export in ((FIRST, before()), (SECOND, after())):
        reference.load(billing_lab.put(export_id, export))
        assert_all(billing_lab, reference, billing_lab.migrate(export_id))
    view = View(billing_lab.rows)
    view.has("bill_records", 2, total_source="components", total_bill=D(62), received_source="none", total_due=D(62))
    view.has("bill_records", 3, total_source="components", total_bill=D(50), total_received=D(10), total_due=D(40))
    view.has("mac_bills", 2, received_source="none", total_received=D(0))
    view.has("soho_bills", 2, received_source="none", total_received=D(0), status="Unpaid")
