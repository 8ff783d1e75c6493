"""Skynet, the internet provider: samples of its customer list, payment history and branch dashboard."""

from samples.skynet import branches, customers, payments
from samples.skynet.world import World
from samples.writing import SampleSpec, SampleSystem, SampleTable


def tables(spec: SampleSpec) -> list[SampleTable]:
    """The tables of one Skynet sample."""
    world = World(spec)
    lists = customers.CustomerTables(world)
    return [
        SampleTable("customers", customers.COLUMNS, lists.raw),
        SampleTable("customers_clean", customers.COLUMNS, lists.clean),
        SampleTable("customers_final", customers.FINAL_COLUMNS, lists.final),
        SampleTable("transactions", payments.COLUMNS, payments.PaymentTable(world).rows),
        SampleTable("branches", branches.COLUMNS, lambda: branches.rows(world)),
    ]


SYSTEM = SampleSystem("skynet", tables)
