"""BILLING, an internet provider with three kinds of customers: samples of what its REST interface hands out.

Each bandwidth customer has a bill record a month, with quantities and prices; each partner a monthly bill of its share
of what its own customers pay; each home a monthly bill of its flat rate. What the bills state is what the rules give
for them, down to the cent, and what they say was received is the sum of their payments. The exceptions are stories,
and rare enough for the limits of the checks: totals that drifted, bills typed in from a spreadsheet (a total, no
quantities; received money, no payment), a discount on nothing, a partner's bill that today's customers would not give,
mistyped years.

Rows that a load rejects, merges or skips are additional ones, which no other row needs. Small tables have few of them;
which kinds there are grows with the scale.
"""

from samples.billing import bills, customers, packages, payments, statements
from samples.billing.ledger import Ledger
from samples.billing.world import World
from samples.weaving import text_cell
from samples.writing import SampleSpec, SampleSystem, SampleTable


def tables(spec: SampleSpec) -> list[SampleTable]:
    """The tables of one BILLING sample."""
    world = World(spec)
    ledger = Ledger(world)
    return [
        SampleTable("sales_customers", customers.CLIENT_COLUMNS, customers.ClientTable(world).rows),
        SampleTable("mac_partners", customers.PARTNER_COLUMNS, customers.PartnerTable(world).rows),
        SampleTable("mac_packages", packages.COLUMNS, packages.PackageTable(world, "MAC").rows),
        SampleTable("soho_packages", packages.COLUMNS, packages.PackageTable(world, "SOHO").rows),
        SampleTable("mac_end_customers", customers.END_COLUMNS, customers.EndTable(world).rows),
        SampleTable("soho_customers", customers.HOME_COLUMNS, customers.HomeTable(world).rows),
        SampleTable("bill_records", bills.RECORD_COLUMNS, bills.RecordTable(ledger).rows),
        SampleTable("bill_pricing_periods", bills.PERIOD_COLUMNS, bills.PeriodTable(ledger).rows),
        SampleTable("bill_daily_amounts", bills.DAY_COLUMNS, bills.DayTable(ledger).rows),
        SampleTable("mac_bills", statements.MAC_COLUMNS, statements.MacBillTable(ledger).rows),
        SampleTable("soho_bills", statements.SOHO_COLUMNS, statements.SohoBillTable(ledger).rows),
        SampleTable("payment_records", payments.COLUMNS, payments.PaymentTable(ledger).rows),
    ]


SYSTEM = SampleSystem("billing", tables, cell=text_cell)
