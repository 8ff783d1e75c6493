"""Packages: two legacy catalogues that number their rows alike become one table."""

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from billing_assets import checks, rules, sources, tables
from billing_assets.assets import BILLING, CUSTOMERS, EXPORT, TABLE_KINDS
from billing_assets.assets.customers import plain_texts, redirect_rows, stage_redirects
from billing_assets.assets.reading import Parse, collected, passing
from billing_assets.assets.writing import in_turn, merged_or_loaded, staged, with_warnings
from billing_assets.parsing.numbers import RATE, SMALL, booleans, decimal_type, numbers, speed_in_name, speeds
from billing_assets.parsing.problem import Problem
from billing_assets.parsing.rows import keyed_rows
from billing_assets.parsing.texts import names
from billing_assets.parsing.words import MAC, SOHO, customer_type_words, words
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.exports.sources import SourceTable
from migration.outcome import Labelled
from migration.parsing.vectors import Parsed, parse_vector

CATALOGUES = {sources.mac_packages: (MAC, 0), sources.soho_packages: (SOHO, tables.SOHO_PACKAGES_FROM)}


def packages_parser(source: SourceTable) -> Parse:
    """How the packages of a catalogue are read."""
    kind, _ = CATALOGUES[source]

    def parse(rows: pd.DataFrame) -> pd.DataFrame:
        name = names(rows["name"])
        frame = keyed_rows(
            rows,
            {
                "name": name,
                "mbps": _stated_speeds(rows["mbps"], name.value),
                "rate": numbers(rows["rate"], RATE),
                "type": _types(rows["type"], kind),
                **plain_texts(rows, "description"),
                "is_active": booleans(rows["is_active"]).with_default(True, Problem.BLANK),
            },
        )
        return frame.assign(source_table=source.label, legacy_source=source.name, legacy_id=frame["id"])

    return parse


def _types(cells: pd.Series, kind: str) -> Parsed:
    """The type of a file's packages; one that says otherwise is UNPARSEABLE."""
    stated = words(cells, customer_type_words)
    other = stated.value.ne(kind).fillna(value=False).astype(bool)
    return Parsed(
        stated.value.where(stated.value.isna(), kind).fillna(kind),
        stated.problem.mask(other, Problem.UNPARSEABLE.value),
    )


def _stated_speeds(cells: pd.Series, package_names: pd.Series) -> Parsed:
    """Speeds; where none is given, the first one that the name states."""
    given = speeds(cells)
    missing = given.has(Problem.BLANK)
    if not missing.any():
        return given
    named = parse_vector(
        package_names, decimal_type(SMALL), lambda name: speed_in_name(name if isinstance(name, str) else None)
    )
    return Parsed(given.value.where(~missing, named.value), given.problem.where(~missing, named.problem))


def package_survivors(rows: pd.DataFrame, known: pd.DataFrame) -> pd.Series:
    """The id that each package ends in.

    Packages of one type, name in any case, speed and rate are the one with the lowest id. One that an older export has
    loaded and this one does not write stays as it is, and takes in its equals.

    Args:
        rows: packages that passed.
        known: `id`, `type`, `name`, `mbps` and `rate` of all loaded packages.
    """
    survivors = _survivors_beside(rows, known.iloc[:0])
    return _survivors_beside(rows, known[~known["id"].isin(survivors)])


def _survivors_beside(rows: pd.DataFrame, known: pd.DataFrame) -> pd.Series:
    everything = pd.concat([known.assign(is_known=True), rows.assign(is_known=False)], ignore_index=True)
    same = [everything["type"], everything["name"].str.lower(), everything["mbps"], everything["rate"]]
    known_id = everything["id"].where(everything["is_known"]).groupby(same, sort=False).transform("min")
    lowest = everything["id"].groupby(same, sort=False).transform("min")
    survivors = known_id.fillna(lowest).iloc[len(known) :]
    return survivors.set_axis(rows.index)


def _known_packages(step: Step) -> pd.DataFrame:
    package = tables.packages
    columns = [package.c[name] for name in ("id", "type", "name", "mbps", "rate")]
    found = step.connection.execute(sa.select(*columns)).all()
    kinds = [pa.int64(), pa.string(), pa.string(), pa.decimal128(10, 2), pa.decimal128(12, 2)]
    return pd.DataFrame(
        {
            column.name: pd.Series([row[at] for row in found], dtype=pd.ArrowDtype(kind))
            for at, (column, kind) in enumerate(zip(columns, kinds, strict=True))
        }
    )


@BILLING.step(
    group=CUSTOMERS,
    upstream=[EXPORT],
    source=sources.mac_packages,
    further_sources=(sources.soho_packages,),
    target=tables.packages,
    checks=checks.PACKAGES,
    kinds=TABLE_KINDS,
)
def packages(step: Step) -> Write:
    """Packages of both catalogues; equal ones of a type are one, active if any of them is."""
    parts = [_of_catalogue(step, source) for source in CATALOGUES]
    rows = with_warnings(pd.concat(parts, ignore_index=True))
    survivors = package_survivors(rows, _known_packages(step))
    active = rows["is_active"].groupby(survivors).transform("any")
    kept = rows.assign(is_active=active)[survivors.eq(rows["id"])]
    redirect = redirect_rows(rows["source_table"], rows["legacy_id"], survivors)
    return in_turn(
        lambda: _make_way(step),
        staged(step, tables.packages, [Labelled(kept, merged_or_loaded(tables.packages, rows, survivors))]),
        stage_redirects(step, redirect),
    )


def _make_way(step: Step) -> None:
    """Rename packages that are about to be rewritten where others become what they are: rates may be exchanged."""
    package, stage = tables.packages, step.stage_of(tables.packages)
    same = sa.and_(*(package.c[name] == stage.c[name] for name in ("type", "mbps", "rate")))
    same_name = sa.func.lower(package.c.name.collate("C")) == sa.func.lower(stage.c.name.collate("C"))
    taken = sa.select(sa.literal(1)).where(same, same_name, stage.c.id != package.c.id).exists()
    rewritten = package.c.id.in_(sa.select(stage.c.id))
    step.update(package, {"name": sa.func.concat(package.c.name, " #", package.c.id)}, taken & rewritten)


def _of_catalogue(step: Step, source: SourceTable) -> pd.DataFrame:
    parse, (_, first) = packages_parser(source), CATALOGUES[source]
    passed = passing(step, source, tables.packages, parse, rules.package, first_key=first)
    rows = collected(passed, parse, source)
    return rows.assign(id=rows["id"] + first)
