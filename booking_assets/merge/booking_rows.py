"""The rows that merged bookings become: contacts, items, parties, references, decisions, questions; each by month."""

import numpy as np
import pandas as pd
import pyarrow as pa

from booking_assets.merge.canonical import Canonical
from booking_assets.merge.frames import TEXT, arrow_array, at_positions, flags_of
from booking_assets.merge.identity import PANEL_TABLE, WEBSITE_TABLE, row_outcomes
from booking_assets.merge.item_values import snapshots, synthetic_items
from booking_assets.merge.logs import audit_rows, joined_decisions, queue_row, queue_rows
from booking_assets.merge.parties import parties, traveler_rows
from booking_assets.merge.resolve import fields_to_review
from booking_assets.parsing.keys import BALISNAP, BSTADMIN, CANONICAL, canonical_name, keys
from booking_assets.parsing.statuses import CHANNELS, MANUAL, REVIEW_REQUIRED
from migration.outcome import Outcome

ITEM_TABLE, TRAVELER_TABLE = "BookingItem", "BookingTraveler"
NO_MATCH, MISSING_REF = "NO_MATCH", "MISSING_REF"
ORPHAN_BOOKING, ORPHAN_BOOKING_ITEM = "ORPHAN_BOOKING", "ORPHAN_BOOKING_ITEM"
TRAVELER_OF_INACTIVE_ITEM = "TRAVELER_OF_INACTIVE_ITEM"

_ID_KINDS = {BALISNAP: "BALISNAP_BOOKING_ID", BSTADMIN: "BSTADMIN_BOOKING_ID"}
_BOOKING = "BOOKING"


def of_accepted(found: Canonical, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of bookings, by their numbers, with key and month of those that are loaded."""
    named = rows.assign(booking_key=found.keys, month=found.bookings["month"])
    return named[found.accepted].reset_index(drop=True)


def _of_group(found: Canonical, rows: pd.DataFrame, group: np.ndarray) -> pd.DataFrame:
    """Rows with the key, the month and the channel of their booking, which may be one that is not loaded."""
    wanted = found.bookings[["month", "channel_code"]].assign(booking_key=found.keys)
    return rows.assign(**{str(name): at_positions(wanted[name], group).set_axis(rows.index) for name in wanted})


# --- outcomes of the bookings' own rows -------------------------------------------------------------------------------


def booking_outcomes(found: Canonical) -> pd.DataFrame:
    """What became of each row of both booking tables: ledger columns, `system`, and `month` of those that are loaded.

    The reason of a loaded row are its warnings.
    """
    rows = found.groups.rows
    decided = row_outcomes(found.groups, found.problems, found.keys)
    loaded = (decided["outcome"] == Outcome.LOADED.value).to_numpy(dtype=bool)
    month = at_positions(found.bookings["month"], found.groups.group)
    return pd.DataFrame(
        {
            "source_table": rows["system"] + "." + rows["system"].map({BALISNAP: WEBSITE_TABLE, BSTADMIN: PANEL_TABLE}),
            "target_table": "booking_core",
            "source_row": rows["source_row"],
            "source_pk": rows["pk"].astype(TEXT),
            "outcome": decided["outcome"],
            "reason": decided["reason"].where(~loaded, rows["warnings"]),
            "target_key": decided["target_key"],
            "month": month.where(decided["target_key"].notna()),
        }
    )


# --- items ------------------------------------------------------------------------------------------------------------


def item_rows(found: Canonical) -> pd.DataFrame:
    """The items of loaded bookings, their own and those made of bookings: columns of the target, `month`, `group`."""
    return pd.concat([_own_items(found), _synthetic(found)], ignore_index=True)


def _own_items(found: Canonical) -> pd.DataFrame:
    items = found.items
    rows = _of_group(found, items, items["group"].to_numpy(dtype=np.int64))
    rows = rows[rows["booking_key"].notna()].reset_index(drop=True)
    named = rows.assign(
        system=_same(BALISNAP, rows),
        table=_same(ITEM_TABLE, rows),
        legacy_package_id=pd.Series(None, index=rows.index, dtype=pd.ArrowDtype(pa.int64())),
        tour_name=_same(None, rows),
    )
    return named.assign(
        booking_item_key=_keys(f"{BALISNAP}:{ITEM_TABLE}:", rows["pk"]),
        snapshot_json=_kept_or(named),
        is_synthetic=False,
        is_deleted=~flags_of(rows["counts"]),
    )


def _kept_or(rows: pd.DataFrame) -> pd.Series:
    """The snapshot that each item has, else one that is made for it."""
    missing = rows[rows["snapshot"].isna()]
    return rows["snapshot"].fillna(snapshots(missing).reindex(rows.index))


def _synthetic(found: Canonical) -> pd.DataFrame:
    """One item for every loaded booking whose website row has none, or that has no such row."""
    speaking = at_positions(found.groups.rows["pk"], found.groups.b)
    of_speaker = found.items[flags_of(found.items["booking_id"] == at_positions(speaking, _groups(found.items)))]
    has_item = np.zeros(found.groups.count, dtype=bool)
    has_item[_groups(of_speaker)] = True
    chosen = found.accepted & ~has_item
    bookings = found.bookings.assign(group=np.arange(found.groups.count))[chosen].reset_index(drop=True)
    rows = synthetic_items(bookings)
    names = (rows["system"] + ":" + rows["table"] + ":" + rows["pk"].astype(TEXT) + ":item").tolist()
    return rows.assign(
        booking_item_key=pd.Series(keys(names), index=rows.index, dtype=TEXT),
        snapshot_json=rows["snapshot"],
        counts=True,
        is_synthetic=True,
        is_deleted=False,
        group=bookings["group"],
        month=bookings["month"],
        channel_code=bookings["channel_code"],
    )


def item_outcomes(found: Canonical, items: pd.DataFrame) -> pd.DataFrame:
    """What became of each item of the file.

    Args:
        found: the bookings.
        items: every item that has a key: `pk`, `source_pk`, `source_row`, `warnings`.
    """
    known = found.items[["pk", "group"]]
    rows = items.merge(known, on="pk", how="left")
    group = rows["group"].fillna(-1).to_numpy(dtype=np.int64)
    rows = _of_group(found, rows, group)
    loaded = rows["booking_key"].notna()
    return pd.DataFrame(
        {
            "source_table": f"{BALISNAP}.{ITEM_TABLE}",
            "target_table": "booking_item_snapshot",
            "source_row": rows["source_row"],
            "source_pk": rows["source_pk"],
            "outcome": np.where(loaded, Outcome.LOADED.value, Outcome.REJECTED.value),
            "reason": rows["warnings"].where(loaded, ORPHAN_BOOKING),
            "target_key": _keys(f"{BALISNAP}:{ITEM_TABLE}:", rows["pk"]).where(loaded),
            "month": rows["month"].where(loaded),
        }
    )


# --- parties ----------------------------------------------------------------------------------------------------------


def traveler_outcomes(found: Canonical, travelers: pd.DataFrame) -> pd.DataFrame:
    """What became of each traveller of the file, with the `booking_key` and `pk` of those that count.

    Args:
        found: the bookings.
        travelers: every traveller that has a key: rows of `named_travelers` with `warnings`.
    """
    known = found.items[["pk", "group", "counts"]].rename(columns={"pk": "booking_item_id"})
    rows = travelers[["pk", "source_pk", "source_row", "booking_item_id", "warnings"]]
    rows = rows.merge(known, on="booking_item_id", how="left")
    rows = _of_group(found, rows, rows["group"].fillna(-1).to_numpy(dtype=np.int64))
    orphan = rows["booking_key"].isna().to_numpy()
    loaded = ~orphan & flags_of(rows["counts"].astype("boolean"))
    outcome = np.where(loaded, Outcome.LOADED.value, Outcome.SKIPPED.value)
    reason = rows["warnings"].where(loaded, TRAVELER_OF_INACTIVE_ITEM).mask(orphan, ORPHAN_BOOKING_ITEM)
    return pd.DataFrame(
        {
            "source_table": f"{BALISNAP}.{TRAVELER_TABLE}",
            "target_table": "booking_party",
            "source_row": rows["source_row"],
            "source_pk": rows["source_pk"],
            "outcome": np.where(orphan, Outcome.REJECTED.value, outcome),
            "reason": reason,
            "target_key": rows["booking_key"].where(loaded),
            "month": rows["month"].where(~orphan),
        }
    )


def party_rows(found: Canonical, travelers: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """The parties of loaded bookings.

    Args:
        found: the bookings.
        travelers: rows of `named_travelers`.
        outcomes: what became of each of them, in the same order.
    """
    counting = travelers.assign(booking_key=outcomes["target_key"].to_numpy())
    named = traveler_rows(counting[outcomes["target_key"].notna().to_numpy()])
    return of_accepted(found, parties(found.bookings.assign(booking_key=found.keys), found.active, named))


# --- references -------------------------------------------------------------------------------------------------------


def booking_refs(found: Canonical) -> pd.DataFrame:
    """Under which ids the legacy systems and the channel know each loaded booking."""
    rows = _of_group(found, found.groups.rows[["system", "pk"]], found.groups.group)
    rows = rows[rows["booking_key"].notna()]
    ids = pd.DataFrame(
        {
            "entity_key": rows["booking_key"],
            "channel_code": rows["channel_code"],
            "external_ref_kind": rows["system"].map(_ID_KINDS).astype(TEXT),
            "external_ref": rows["pk"].astype(TEXT),
            "source_system": rows["system"],
            "source_table": rows["system"].map({BALISNAP: WEBSITE_TABLE, BSTADMIN: PANEL_TABLE}).astype(TEXT),
            "source_pk": rows["pk"].astype(TEXT),
        }
    )
    bookings = of_accepted(found, found.bookings)
    names = pd.DataFrame(
        {
            "entity_key": bookings["booking_key"],
            "channel_code": bookings["channel_code"],
            "external_ref_kind": "BOOKING_REF",
            "external_ref": bookings["external_booking_ref"],
            "source_system": CANONICAL,
            "source_table": "booking_core",
            "source_pk": bookings["booking_key"],
        }
    )
    return with_ref_keys(pd.concat([ids, names], ignore_index=True), _BOOKING)


def with_ref_keys(refs: pd.DataFrame, entity_type: str) -> pd.DataFrame:
    """References with their keys and the kind of what they refer to."""
    parts = zip(refs["channel_code"], refs["external_ref_kind"], refs["external_ref"], strict=True)
    names = [canonical_name("channel_external_refs", [entity_type, *map(str, each)]) for each in parts]
    made = pd.Series(keys(names), index=refs.index, dtype=TEXT)
    return refs.assign(external_ref_key=made, entity_type=entity_type, is_deleted=False)


# --- decisions and questions ------------------------------------------------------------------------------------------


def booking_audit(found: Canonical, export_id: str) -> pd.DataFrame:
    """What merging the loaded bookings has decided against, as rows of the audit log with their `month`."""
    decided = joined_decisions([found.core.decided, found.contacts.decided]).reset_index(drop=True)
    group = decided["group"].to_numpy(dtype=np.int64)
    mine = found.accepted[group]
    rows = audit_rows(decided[mine], found.keys, export_id)
    return rows.assign(month=at_positions(found.bookings["month"], group[mine]).set_axis(rows.index))


def booking_questions(found: Canonical) -> pd.DataFrame:
    """What a person has to decide about loaded bookings: rows of the worklist with their `month`."""
    bookings, accepted = found.bookings, found.accepted
    asked: list[tuple[dict[str, str | None], str]] = []
    for group, fields in fields_to_review(found.review).items():
        if accepted[group]:
            row = bookings.iloc[group]
            source = (CANONICAL, "booking_core", row["booking_key"])
            payload = {"fields": fields}
            question = queue_row("BOOKING_CONFLICT", row["channel_code"], source, REVIEW_REQUIRED, payload)
            asked.append((question, row["month"]))
    asked.extend(_unknown_channels(found))
    return _questions(asked)


def _unknown_channels(found: Canonical) -> list[tuple[dict[str, str | None], str]]:
    rows = found.groups.rows
    written = rows["source_text"] if "source_text" in rows else pd.Series(None, index=rows.index, dtype=TEXT)
    strange = flags_of(written.notna() & ~written.isin(list(CHANNELS))) & found.accepted[found.groups.group]
    asked = []
    for at in np.flatnonzero(strange).tolist():
        source = (BSTADMIN, PANEL_TABLE, rows["pk"].iloc[at])
        question = queue_row("CHANNEL_MAPPING", MANUAL, source, "UNKNOWN_SOURCE", {"source": written.iloc[at]})
        asked.append((question, found.bookings["month"].iloc[found.groups.group[at]]))
    return asked


def item_questions(items: pd.DataFrame) -> pd.DataFrame:
    """Items that count and lead to no variant: rows of the worklist with their `month`.

    Args:
        items: rows of `item_rows`.
    """
    unmapped = items[flags_of(items["counts"]) & items["variant_key"].isna().to_numpy()]
    names = (
        "system",
        "table",
        "pk",
        "variant_external_id",
        "booking_key",
        "channel_code",
        "legacy_package_id",
        "month",
    )
    columns = [arrow_array(unmapped[name]).to_pylist() for name in names]
    asked = []
    for system, table, pk, external_id, booking_key, channel, package, month in zip(*columns, strict=True):
        payload = {"booking_key": booking_key, "variant_external_id": external_id, "package_id": package}
        reason = MISSING_REF if external_id is None else NO_MATCH
        asked.append((queue_row("VARIANT_MAPPING", channel, (system, table, pk), reason, payload), month))
    return _questions(asked)


def _questions(asked: list[tuple[dict[str, str | None], str]]) -> pd.DataFrame:
    rows = queue_rows([question for question, _ in asked])
    return rows.assign(
        reason_detail=_same(None, rows),
        month=pd.Series([month for _, month in asked], index=rows.index, dtype=TEXT),
    )


# --- small helpers ----------------------------------------------------------------------------------------------------


def _groups(rows: pd.DataFrame) -> np.ndarray:
    return rows["group"].to_numpy(dtype=np.int64)


def _keys(prefix: str, pks: pd.Series) -> pd.Series:
    return pd.Series(keys((prefix + pks.astype(TEXT)).tolist()), index=pks.index, dtype=TEXT)


def _same(value: str | None, rows: pd.DataFrame) -> pd.Series:
    return pd.Series([value] * len(rows), index=rows.index, dtype=TEXT)
