"""Price packages: one per name and price; a customer without a price joins the only known one of the name."""

from collections import Counter
from decimal import Decimal

import pandas as pd
import pyarrow as pa

from migration.declare.step import Step
from migration.outcome import Labelled, Outcome, label
from migration.parsing.cells import parse_each
from migration.parsing.keys import legacy_uuid
from skynet_assets import checks, sources, tables
from skynet_assets.assets import CORE, SKYNET
from skynet_assets.parsing.money import money
from skynet_assets.parsing.problem import Problem
from skynet_assets.parsing.statuses import speed_mbps
from skynet_assets.parsing.text import text

PRICE_INVALID, PRICE_INFERRED = "package_price_invalid", "package_price_inferred"
PACKAGE_FIELDS = pa.schema(
    [
        ("package_name", pa.string()),
        ("package_name_key", pa.string()),
        ("package_price", pa.decimal128(14, 2)),
    ]
)


def with_packages(rows: pd.DataFrame, names: pd.Series, prices: pd.Series) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """Rows with the package they belong to.

    Args:
        rows: any frame.
        names: cells of the package name, same index.
        prices: cells of the monthly price, same index.

    Returns:
        The rows with `package_id` (missing without a name) and the columns of `PACKAGE_FIELDS`; and flags of the
        warnings, by code.
    """
    spelling = parse_each(names, text)
    key = spelling.map(str.upper, na_action="ignore")
    read = parse_each(prices, money)
    invalid = read.map(lambda p: p is Problem.INVALID or (not isinstance(p, Problem) and p < 0))
    known = read.where(~invalid & (read != Problem.MISSING), None)
    price, inferred = _inferred_prices(key, known)
    found = rows.assign(
        package_name=_most_frequent_spelling(spelling, key),
        package_name_key=key,
        package_price=price,
    )
    ids = [None if pd.isna(k) else package_id(k, None if pd.isna(p) else p) for k, p in zip(key, price, strict=True)]
    # Of objects also where there is no row: an empty column would be one of floats.
    found["package_id"] = pd.Series(ids, index=found.index, dtype=object)
    has_package = key.notna()
    return found, {PRICE_INVALID: invalid & has_package, PRICE_INFERRED: inferred & has_package}


def _inferred_prices(key: pd.Series, known: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Prices with the unknown ones taken from the name's only known price, and which ones were."""
    prices_of = known.groupby(key).agg(lambda prices: sorted({p for p in prices if p is not None}))
    only = {name: prices[0] for name, prices in prices_of.items() if len(prices) == 1}
    inferred = known.isna() & key.isin(only.keys())
    return known.where(~inferred, key.map(only)), inferred


def _most_frequent_spelling(spelling: pd.Series, key: pd.Series) -> pd.Series:
    counts: dict[str, Counter[str]] = {}
    for name, written in zip(key.dropna(), spelling.dropna(), strict=True):
        counts.setdefault(name, Counter())[written] += 1
    chosen = {name: min(found, key=lambda s: (-found[s], s)) for name, found in counts.items()}
    return key.map(chosen, na_action="ignore").astype(object)


def package_id(name_key: str, price: Decimal | None) -> str:
    """The id of a package."""
    return str(legacy_uuid(f"skynet:packages:{name_key}|{'' if price is None else price}"))


def package_rows(customers_final: pd.DataFrame) -> Labelled:
    """Rows of the packages table and the outcome of each clean customer for it."""
    having = customers_final[customers_final["package_id"].notna()]
    first = having[~having["package_id"].duplicated()]
    rows = pd.DataFrame(
        {
            "id": first["package_id"],
            "name": first["package_name"],
            "name_key": first["package_name_key"],
            "price": first["package_price"],
            "speed_mbps": first["package_name"].map(speed_mbps).astype(object),
        }
    )
    return Labelled(rows, derived_ledger("packages", customers_final, "package_id", "no_package"))


def price_warnings(customers_final: pd.DataFrame) -> Counter[str]:
    """How many clean customers have each warning that is about the price of their package."""
    codes = customers_final["warnings"].dropna().str.split(",").explode()
    return Counter(codes[codes.isin([PRICE_INVALID, PRICE_INFERRED])])


def derived_ledger(target: str, customers_final: pd.DataFrame, key: str, skip_rule: str) -> pd.DataFrame:
    """Outcomes of the clean customers for a table derived from them: the first of each key is loaded.

    Args:
        target: the derived table.
        customers_final: clean customers.
        key: column of the derived key; rows without one are skipped.
        skip_rule: name of the rule that skips them.
    """
    outcome = pd.Series(Outcome.MERGED.value, index=customers_final.index)
    outcome[~customers_final[key].duplicated()] = Outcome.LOADED.value
    missing = customers_final[key].isna()
    outcome[missing] = Outcome.SKIPPED.value
    reason = pd.Series(None, index=customers_final.index, dtype=object)
    reason[missing] = skip_rule
    return label(target, customers_final, outcome, reason=reason, target_key=customers_final[key])


@SKYNET.target_table(tables.packages, source=sources.customers, group=CORE, checks=checks.PACKAGES)
def packages(step: Step, customers_final: pd.DataFrame) -> Labelled:
    """Price packages, one per name and price that a customer has."""
    step.tally.warnings.update(price_warnings(customers_final))
    return package_rows(customers_final)
