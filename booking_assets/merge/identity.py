"""Which rows of the two systems are one booking, which of them speaks for it, and the booking's key."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from booking_assets.merge.frames import (
    TEXT,
    UNKNOWN,
    arrow_array,
    at_positions,
    first_of_each,
    flags_of,
    last_of_each,
    least_of_each,
    looked_up,
    microseconds,
    moments,
    rows_at,
)
from booking_assets.parsing.keys import BALISNAP, BSTADMIN, canonical_name, key, keys, row_name
from migration.outcome import Outcome

REF_LENGTH = 128
WEBSITE_TABLE, PANEL_TABLE = "Booking", "bookings"

REF_TOO_LONG = "REF_TOO_LONG"
NO_VALID_TIMESTAMP = "NO_VALID_TIMESTAMP"
NO_TOUR_DATE = "NO_TOUR_DATE"
SAME_IDENTITY = "SAME_IDENTITY"

_SYNTHETIC_PREFIX = {BALISNAP: "BS-", BSTADMIN: "OPS-"}


def booking_refs(refs: pd.Series, pks: pd.Series, system: str) -> pd.Series:
    """The references of one system's rows: as written, in upper case, or made of the key where there is none."""
    return refs.astype(TEXT).fillna(_SYNTHETIC_PREFIX[system] + pks.astype(TEXT))


def all_rows(website: pd.DataFrame, panel: pd.DataFrame) -> pd.DataFrame:
    """The rows of both systems in one frame, each with a reference; what only one system knows is missing elsewhere.

    Args:
        website: rows with `pk`, `ref` and whatever else is to be merged.
        panel: the same of the operations panel.
    """
    parts = [
        rows.assign(ref=booking_refs(rows["ref"], rows["pk"], system))
        for rows, system in ((website, BALISNAP), (panel, BSTADMIN))
    ]
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Groups:
    """Source rows by booking.

    Attributes:
        rows: the rows of both systems, those of a booking together: the website's before the operations panel's, and
            of each system the freshest and highest key last. Numbered from 0.
        group: the number of the booking of each row, from 0.
        website: whether each row is the website's.
        freshness: when each row was last known to be right, in microseconds; `UNKNOWN` where nothing says so.
        count: how many bookings there are.
        b: the position of the website's row that speaks for each booking, -1 where it has none.
        a: the same of the operations panel.
    """

    rows: pd.DataFrame = field(repr=False)
    group: np.ndarray = field(repr=False)
    website: np.ndarray = field(repr=False)
    freshness: np.ndarray = field(repr=False)
    count: int
    b: np.ndarray = field(repr=False)
    a: np.ndarray = field(repr=False)

    @property
    def speaking(self) -> np.ndarray:
        """The position of the row that counts as loaded: the website's where there is one."""
        return np.where(self.b >= 0, self.b, self.a)

    @property
    def identities(self) -> pd.DataFrame:
        """`channel_code` and `external_booking_ref` of each booking, by its number."""
        found = rows_at(self.rows[["channel_code", "ref"]], self.speaking)
        return found.rename(columns={"ref": "external_booking_ref"})

    def website_rows(self) -> pd.DataFrame:
        """The website's row that speaks for each booking, all missing where there is none."""
        return rows_at(self.rows, self.b)

    def panel_rows(self) -> pd.DataFrame:
        """The operations panel's row that speaks for each booking, all missing where there is none."""
        return rows_at(self.rows, self.a)

    def freshness_at(self, positions: np.ndarray) -> np.ndarray:
        """The freshness of the rows at positions, `UNKNOWN` for -1."""
        return np.where(positions >= 0, self.freshness[positions], UNKNOWN)


def too_long(rows: pd.DataFrame) -> pd.Series:
    """Whether the `ref` of each row is longer than its column; such rows are rejected before rows are grouped."""
    return pd.Series(rows["ref"].str.len().to_numpy(dtype=np.int64) > REF_LENGTH, index=rows.index)


def group_rows(rows: pd.DataFrame) -> Groups:
    """Put the rows of each booking together.

    Args:
        rows: the rows of both systems that have a valid key, one per key: `system`, `pk`, `channel_code`, `ref`,
            `created_at`, `updated_at` (valid record times or missing), and whatever else is to be merged.
    """
    website = arrow_array(rows["system"] == BALISNAP).to_numpy(zero_copy_only=False)
    updated, created = microseconds(rows["updated_at"]), microseconds(rows["created_at"])
    freshness = np.where(updated == UNKNOWN, created, updated)
    codes, count = _identities(rows)
    order = np.lexsort((rows["pk"].to_numpy(dtype=np.int64), freshness, ~website, codes))
    codes, website, freshness = codes[order], website[order], freshness[order]
    return Groups(
        rows=rows.take(order).reset_index(drop=True),  # type: ignore[arg-type]
        group=codes,
        website=website,
        freshness=freshness,
        count=count,
        b=last_of_each(codes, website, count),
        a=last_of_each(codes, ~website, count),
    )


def created_at(groups: Groups) -> np.ndarray:
    """When each booking was made: the earliest time of its rows, of the first of three kinds that any of them has."""
    found = np.full(groups.count, UNKNOWN)
    for column in ("created_at", "updated_at", "booking_at"):
        earliest = least_of_each(groups.group, microseconds(groups.rows[column]), groups.count)
        found = np.where(found == UNKNOWN, earliest, found)
    return found


def group_problems(groups: Groups, b_tour_date: pd.Series, a_tour_date: pd.Series) -> pd.Series:
    """Why a booking is rejected with all its rows, missing for the others; by the booking's number.

    Args:
        groups: the bookings; their rows have `booking_at`, the moment of `booking_date`.
        b_tour_date: the tour date of each booking by the website's row that speaks for it.
        a_tour_date: the same of the operations panel.
    """
    no_time = created_at(groups) == UNKNOWN
    no_date = (b_tour_date.isna() & a_tour_date.isna()).to_numpy()
    found = np.where(no_time, NO_VALID_TIMESTAMP, np.where(no_date, NO_TOUR_DATE, ""))
    return pd.Series(pa.array(found, mask=found == ""), dtype=TEXT)


def booking_created_at(groups: Groups) -> pd.Series:
    """`created_at` as a column of times, by the booking's number."""
    return moments(created_at(groups))


def row_outcomes(groups: Groups, problems: pd.Series, booking_keys: pd.Series) -> pd.DataFrame:
    """What became of each row: `outcome`, `reason` and `target_key`, aligned with the rows of the groups."""
    rejected = at_positions(problems, groups.group)
    loaded = np.zeros(len(groups.group), dtype=bool)
    loaded[groups.speaking] = True
    outcome = np.where(
        rejected.notna(), Outcome.REJECTED.value, np.where(loaded, Outcome.LOADED.value, Outcome.MERGED.value)
    )
    merged = pd.Series(pa.array(np.full(len(loaded), SAME_IDENTITY), mask=loaded), dtype=TEXT)
    return pd.DataFrame(
        {
            "outcome": pd.Series(outcome, dtype=TEXT),
            "reason": rejected.fillna(merged),
            "target_key": at_positions(booking_keys, groups.group).mask(rejected.notna()),
        }
    )


# --- keys -------------------------------------------------------------------------------------------------------------


def booking_keys(groups: Groups, problems: pd.Series, known: pd.DataFrame) -> pd.Series:
    """The key of each booking, by its number; missing for rejected ones.

    A booking that the database knows keeps its key. A new one takes the key of its first row whose key no other
    booking of this export holds: the website's rows by key, then the operations panel's, then one of its own.

    Args:
        groups: the bookings.
        problems: why bookings are rejected; those hold no key.
        known: `channel_code`, `external_booking_ref`, `booking_key` and `is_deleted` of the database's bookings.
    """
    accepted = problems.isna().to_numpy()
    kept = _kept_keys(groups, known).mask(~accepted)
    new = accepted & kept.isna().to_numpy()
    named = _first_names(groups)
    found = np.array(arrow_array(kept).to_pylist(), dtype=object)
    found[new] = keys(named[new])
    held = set(kept.dropna())
    if held:
        for group in np.flatnonzero(new & pd.Series(found).isin(held).to_numpy()):
            found[group] = next(each for each in _further_keys(groups, int(group)) if each not in held)
    return pd.Series(found, dtype=TEXT)


def _identities(rows: pd.DataFrame) -> tuple[np.ndarray, int]:
    """The number of each row's booking, and how many there are."""
    encoded = _joined(rows["channel_code"], rows["ref"]).dictionary_encode()
    return encoded.indices.to_numpy().astype(np.int64), len(encoded.dictionary)


def _joined(channels: pd.Series, refs: pd.Series) -> pa.Array:
    """Channel and reference as one text: a channel is one of six words without a bar, so it says which is which."""
    parts = [arrow_array(each).cast(pa.large_string()) for each in (channels, refs)]
    return pc.call_function("binary_join_element_wise", [*parts, pa.scalar("|", pa.large_string())])


def _kept_keys(groups: Groups, known: pd.DataFrame) -> pd.Series:
    """The key that the database has for each booking; of several rows one that is not deleted, of the least key."""
    if known.empty:
        return pd.Series([None] * groups.count, dtype=TEXT)
    names = pd.Index(_joined(known["channel_code"], known["external_booking_ref"]).to_pandas())
    keys_of = known["booking_key"].astype(TEXT).set_axis(names)
    if not names.is_unique:
        order = known.assign(name=names, gone=flags_of(known["is_deleted"])).sort_values(["gone", "booking_key"])
        first = order.drop_duplicates("name")
        keys_of = first["booking_key"].astype(TEXT).set_axis(pd.Index(first["name"]))
    identities = groups.identities
    wanted = _joined(identities["channel_code"], identities["external_booking_ref"])
    return looked_up(pd.Series(wanted, dtype=pd.ArrowDtype(wanted.type)), keys_of)


def _first_names(groups: Groups) -> np.ndarray:
    """The name of the key that each booking would have were it alone."""
    pks = groups.rows["pk"].to_numpy(dtype=np.int64)
    order = np.lexsort((pks, ~groups.website, groups.group))
    first = order[first_of_each(groups.group[order], np.ones(len(order), dtype=bool), groups.count)]
    tables = np.where(groups.website[first], f"{BALISNAP}:{WEBSITE_TABLE}:", f"{BSTADMIN}:{PANEL_TABLE}:")
    return np.char.add(tables, pks[first].astype(str)).astype(object)


def _further_keys(groups: Groups, group: int) -> Iterator[str]:
    start, end = np.searchsorted(groups.group, [group, group + 1])
    rows = groups.rows.iloc[start:end]
    order = np.lexsort((rows["pk"].to_numpy(dtype=np.int64), ~groups.website[start:end]))
    for position in order:
        row: Any = rows.iloc[position]
        table = WEBSITE_TABLE if row["system"] == BALISNAP else PANEL_TABLE
        yield key(row_name(row["system"], table, row["pk"]))
    yield key(canonical_name("booking_core", [rows["channel_code"].iloc[0], rows["ref"].iloc[0]]))
