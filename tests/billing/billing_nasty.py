"""Random dirty exports: small worlds with every kind of dirt of the contract, and the exports that follow.

Most references are sound, so that rows reach the totals; some dangle. About a quarter of the rows has a spoiled value.
"""

import random
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from tests.billing import billing_scalars as scalars
from tests.billing.billing_days import PRICED
from tests.billing.billing_files import Row, Rows, as_source_rows
from tests.billing.billing_nasty_files import FORMATS, write_file
from tests.billing.billing_nasty_values import KINDS, NOTHING, dressed_id, dressed_money
from tests.billing.billing_reference import Reference, collisions
from tests.meter.meter_writing import Written

FIRST_EXPORT, NEXT_EXPORT = "20250301T000000Z", "20250401T000000Z"

_STAMPS = {"created_at": "moment", "updated_at": "moment"}
_PRICES = dict.fromkeys(PRICED, "money")
_TOTALS = dict.fromkeys(("total_bill", "total_received", "total_due"), "money")


def _columns(words: str) -> dict[str, str]:
    """Kinds by column, from words such as `rate:money`; a word without a kind is a text."""
    return {word.partition(":")[0]: word.partition(":")[2] or "text" for word in words.split()}


_PACKAGE = _columns("name:package_name mbps:speed rate:money type:package_type description is_active:active")
COLUMNS: dict[str, dict[str, str]] = {
    "sales_customers": _columns(
        "name:name company_name:text email:email phone address link_id customer_type:customer_type"
        " assigned_sales_person:ref customer_number:number status:status"
    ),
    "mac_partners": _columns(
        "mac_cust_name:name email:email phone address contact_person notes mac_partner_number:number"
        " percentage_share:share is_active:active"
    ),
    "mac_packages": _PACKAGE,
    "soho_packages": _PACKAGE,
    "mac_end_customers": _columns(
        "mac_partner:ref name:name email:email phone address notes mac_end_customer_number:number package:ref"
        " custom_rate:money activation_date:date bill_date:optional_date status:status"
    ),
    "soho_customers": _columns(
        "cust_name:name email:email phone address notes soho_customer_number:number package:ref rate:money"
        " activation_date:date status:status"
    ),
    "bill_records": {
        **_columns(
            "customer_type:customer_type customer:ref mac_partner:ref soho_customer:ref bill_number:number nttn_cap"
            " nttn_com remarks active_date:optional_date termination_date:optional_date billing_date:date"
        ),
        **_PRICES,
        **_TOTALS,
        **_columns("last_payment_date:optional_date last_payment_mode:method status:status"),
    },
    "bill_pricing_periods": {**_columns("bill_record:ref start_day:day end_day:day notes"), **_PRICES},
    "mac_bills": {
        **_columns("mac_partner:ref bill_date:date total_client:count total_revenue:money percentage_share:share"),
        **_columns("commission:money status:status notes"),
        **_TOTALS,
    },
    "soho_bills": {
        **_columns("soho_customer:ref bill_date:date package:ref rate:money status:status notes"),
        **_TOTALS,
    },
    "payment_records": _columns(
        "bill_record:ref mac_bill:ref soho_bill:ref payment_date:date amount:money payment_type:payment_type"
        " payment_method:method reference_number:reference notes created_by:ref"
    ),
    "bill_daily_amounts": _columns("bill_record:ref date:date day_number:day daily_amount:money notes"),
}
COLUMNS = {table: kinds | _STAMPS for table, kinds in COLUMNS.items()}
SIZES = {
    "sales_customers": 8,
    "mac_partners": 4,
    "mac_packages": 6,
    "soho_packages": 6,
    "mac_end_customers": 16,
    "soho_customers": 10,
    "bill_records": 24,
    "bill_pricing_periods": 36,
    "mac_bills": 12,
    "soho_bills": 16,
    "payment_records": 50,
    "bill_daily_amounts": 5,
}
PREFIXES = {
    "customer_number": "KTL",
    "mac_partner_number": "KTL-MAC",
    "mac_end_customer_number": "KTL-MACEC",
    "soho_customer_number": "KTL-SOHO",
}
PARENTS = {
    "customer": "sales_customers",
    "mac_partner": "mac_partners",
    "soho_customer": "soho_customers",
    "bill_record": "bill_records",
    "mac_bill": "mac_bills",
    "soho_bill": "soho_bills",
}
# Columns that often say nothing.
SPARSE = frozenset({"custom_rate", "total_bill", "total_received", "total_revenue", "commission", "mbps"})

World = dict[str, list[Row]]


@dataclass(frozen=True)
class Nasty:
    """A random export: its files, its records, and whether it has a manifest."""

    export_id: str
    files: dict[str, Written]
    world: World
    manifest: bool


def nasty(seed: int, kind: str | None = None) -> Nasty:
    """The random export of a seed; its format follows from the seed unless it is given."""
    rng = random.Random(f"billing {seed}")
    return _exported(rng, FIRST_EXPORT, _world(rng), kind or FORMATS[seed % len(FORMATS)])


def follow_up(first: Nasty, before: Reference, seed: int, kind: str | None = None) -> Nasty:
    """The next export of a world that has been loaded: rows changed, gone, new, swapped.

    Left out are exports of which the contract does not say what becomes of older rows.
    """
    for attempt in range(200):
        rng = random.Random(f"billing next {seed} {attempt}")
        world = _changed(rng, deepcopy(first.world))
        if _is_clear(before, world):
            return _exported(rng, NEXT_EXPORT, world, kind or rng.choice(FORMATS))
    raise AssertionError(f"no clear follow-up of seed {seed}")


def _is_clear(before: Reference, world: World) -> bool:
    after = deepcopy(before)
    after.load_rows(NEXT_EXPORT, rows_of(world))
    return not collisions(after)


def rows_of(world: World) -> Rows:
    """The records of a world as a file of JSON lines would give them, without writing one."""
    return {table: as_source_rows(records) for table, records in world.items()}


def _exported(rng: random.Random, export_id: str, world: World, kind: str) -> Nasty:
    mixed = rng.random() < 0.15
    files = {
        table: write_file(rng, table, COLUMNS[table], rows, rng.choice(FORMATS) if mixed else kind)
        for table, rows in world.items()
    }
    if rng.random() < 0.3:
        del files["bill_daily_amounts"]
    return Nasty(export_id, files, world, rng.random() < 0.8)


# --- worlds -----------------------------------------------------------------------------------------------------------


def _world(rng: random.Random) -> World:
    return {table: _table(rng, table) for table in SIZES}


def _table(rng: random.Random, table: str) -> list[Row]:
    keys = range(1, SIZES[table] + 1)
    rows = [_row(rng, table, key) for key in keys]
    rows += [_again(rng, table, row) for row in rows if rng.random() < 0.1]
    rng.shuffle(rows)
    return rows


def _row(rng: random.Random, table: str, key: int) -> Row:
    row = {column: _value(rng, table, key, column, kind) for column, kind in COLUMNS[table].items()}
    row = {"id": dressed_id(rng, key)} | row | _links(rng, table)
    if table == "bill_pricing_periods":
        start = rng.choice((1, 1, 6, 11, 16, 21, 28, 31))
        row |= {"start_day": start, "end_day": min(31, start + rng.choice((0, 4, 4, 9, 9, 14, 30)))}
    if rng.random() < 0.3:
        spoil(rng, table, row)
    return row


def _value(rng: random.Random, table: str, key: int, column: str, kind: str) -> Any:
    if kind == "ref":
        return _reference(rng, column)
    if kind == "number":
        return _number(rng, key, column)
    if kind == "package_type":
        own = table.partition("_")[0]
        return rng.choice((None, None, own, own.upper(), *KINDS["customer_type"][0][3:5], *NOTHING))
    if column == "mbps":
        return rng.choice(KINDS["speed"][0])
    if column in PRICED and rng.random() < 0.6 or column in SPARSE and rng.random() < 0.5:
        return rng.choice((None, None, 0, "", "0.00"))
    value = rng.choice(KINDS[kind][0])
    if table == "soho_customers" and column == "rate":
        value = rng.choice((value, value, None, 0))
    return dressed_money(rng, value) if kind == "money" else value


def _reference(rng: random.Random, column: str) -> Any:
    if column == "package":
        return rng.choice((None, *(dressed_id(rng, rng.randint(1, 7)) for _ in range(3))))
    return rng.choice((None, dressed_id(rng, rng.randint(1, 9)))) if column not in PARENTS else None


def _links(rng: random.Random, table: str) -> Row:
    """Sound references to parents, now and then one too many or none."""
    kinds = COLUMNS[table]
    columns = [column for column in PARENTS if column in kinds]
    if table == "bill_records":
        kind = rng.choice(("customer", "customer", "mac_partner", "soho_customer"))
        words = {"customer": "Bandwidth", "mac_partner": "franchise", "soho_customer": "Home"}
        chosen = {kind: _parent(rng, kind)}
        if rng.random() < 0.06:
            other = rng.choice(columns)
            chosen[other] = _parent(rng, other)
        return chosen | {"customer_type": rng.choice((words[kind], words[kind], None))}
    if table == "payment_records":
        kind = rng.choice(columns)
        words = {"bill_record": ("Bandwidth", "Bandwidth", "MAC", "SOHO"), "mac_bill": ("MAC",), "soho_bill": ("SOHO",)}
        chosen = {kind: _parent(rng, kind)}
        if rng.random() < 0.15:
            other = rng.choice(columns)
            chosen[other] = _parent(rng, other)
        wanted = rng.choice((*words[kind], None)) if rng.random() < 0.9 else rng.choice(KINDS["payment_type"][0])
        return chosen | {"payment_type": wanted}
    return {column: _parent(rng, column) for column in columns}


def _parent(rng: random.Random, column: str) -> Any:
    size = SIZES[PARENTS[column]]
    # The first bills have most of the periods and payments, so that they meet there.
    few = min(size, 12) if column == "bill_record" else size
    return dressed_id(rng, rng.randint(1, few) if rng.random() < 0.95 else rng.randint(1, size + 2))


def _number(rng: random.Random, key: int, column: str) -> Any:
    """A legacy number, kept or not."""
    owner = key if rng.random() < 0.8 else key + 1
    if column == "bill_number":
        when = rng.choice(("31012025", "31022025", "01012024", "29022023"))
        written = f"KTL-BL-{rng.choice(('A', 'ABCDE', 'ABCDEF', 'ab1'))}-{owner}-{when}"
    else:
        written = f"{PREFIXES[column]}-{rng.choice(('ABCCORPX', 'SHAMIMXX', 'ABC', 'ABCCORPXY', 'a1b2c3d4'))}-{owner}"
    return rng.choice((None, None, "", written, written.lower(), f" {written} "))


def _again(rng: random.Random, table: str, row: Row) -> Row:
    """A row once more under the same id, changed or not."""
    again = dict(row)
    again["updated_at"] = rng.choice([row["updated_at"], *KINDS["moment"][0], "junk"])
    if rng.random() < 0.3:
        spoil(rng, table, again)
    return again


def spoil(rng: random.Random, table: str, row: Row) -> None:
    """Spoil one or two values of a record."""
    kinds = COLUMNS[table]
    for column in rng.sample(("id", *kinds), rng.choice((1, 1, 2))):
        kind = "id" if column == "id" else kinds[column]
        row[column] = rng.choice(KINDS["customer_type" if kind == "package_type" else kind][1])


# --- the next export --------------------------------------------------------------------------------------------------


def _changed(rng: random.Random, world: World) -> World:
    for table, rows in world.items():
        rows[:] = [row for row in rows if rng.random() >= 0.08]
        for row in rows:
            if rng.random() < 0.3:
                _change(rng, table, row)
        for _ in range(rng.randint(0, 3)):
            rows.append(_row(rng, table, rng.randint(1, SIZES[table] + 8)))
        rng.shuffle(rows)
    _swap(rng, world["sales_customers"], "email", "company_name", "name")
    for table in ("mac_packages", "soho_packages"):
        _swap(rng, world[table], "name", "mbps", "rate")
    _swap(rng, world["bill_pricing_periods"], "bill_record", "start_day", "end_day")
    return world


def _change(rng: random.Random, table: str, row: Row) -> None:
    kinds, found = COLUMNS[table], scalars.identifier(row["id"])
    key = found if isinstance(found, int) else 1
    for column in rng.sample(list(kinds), 3):
        if column in PARENTS:
            row[column] = _parent(rng, column) if row[column] is not None else None
        else:
            row[column] = _value(rng, table, key, column, kinds[column])
    if rng.random() < 0.1:
        spoil(rng, table, row)


def _swap(rng: random.Random, rows: list[Row], *columns: str) -> None:
    """Give two pairs of rows each other's values."""
    for _ in range(2 if len(rows) > 1 else 0):
        one, other = rng.sample(rows, 2)
        for column in columns:
            one[column], other[column] = other[column], one[column]
