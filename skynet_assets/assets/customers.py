"""Customers: from the raw list with duplicates, by survivors and cleaned values, to the table and its merge log."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from migration.declare.asset import Write
from migration.declare.step import Step
from migration.exports.reading import RawBatch
from migration.outcome import Labelled, Outcome, failed_ledger, join_codes, label, rejects, split_by_rules
from migration.parsing.cells import field_of, parse_each, parse_pairs
from migration.parsing.records import raw_json
from migration.tables import arrow_schema, loaded_columns
from skynet_assets import checks, rules, sources, tables
from skynet_assets.assets import CORE, SKYNET, STAGING, is_secret
from skynet_assets.assets.packages import PACKAGE_FIELDS, with_packages
from skynet_assets.assets.photos import policy_from_environment
from skynet_assets.assets.routers import router_id
from skynet_assets.parsing.coordinates import coordinates
from skynet_assets.parsing.dates import billing_day, date
from skynet_assets.parsing.identity import identity_number
from skynet_assets.parsing.phone import phone
from skynet_assets.parsing.photos import PhotoPolicy, photo_source
from skynet_assets.parsing.pppoe import pppoe_password, pppoe_username
from skynet_assets.parsing.problem import Problem
from skynet_assets.parsing.statuses import connection_status
from skynet_assets.parsing.text import name_key, text, upper_key

COMPARED = tuple(column for column in sources.customers.columns if column != "koordinat_original")


# --- the list without duplicates --------------------------------------------------------------------------------------


def identified(rows: pd.DataFrame, *, fallback: bool) -> pd.DataFrame:
    """Raw rows with their customer id.

    Args:
        rows: cells of the customer file.
        fallback: the file is one of the legacy deduplicated lists, which keep the coordinates as exported in
            `koordinat_original`.
    """
    found = rows.assign(
        customer_id=parse_each(rows["id_pelanggan"], upper_key),
        source_pk="row:" + rows["source_row"].astype(str),
    )
    if fallback:
        found["koordinat"] = found["koordinat_original"].where(found["koordinat_original"].notna(), found["koordinat"])
    return found.drop(columns="koordinat_original")


def survivors_and_merged(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of rows with the same id keep one whole: active first, then the latest registration, then the first in the file.

    Returns:
        The survivors; and the merged rows with `kept_source_row` and the sorted names of the fields that differ.
    """
    ranked = rows.assign(
        is_active=parse_each(rows["connection_status"], lambda v: connection_status(v).status == "active"),
        registered=parse_each(rows["tanggal_registrasi"], _ordinal),
    ).sort_values(["customer_id", "is_active", "registered", "source_row"], ascending=[True, False, False, True])
    kept = ranked.drop_duplicates("customer_id")
    merged = ranked[ranked.duplicated("customer_id")]
    winners = kept.set_index("customer_id").loc[merged["customer_id"]]
    return (
        kept[rows.columns],
        merged[rows.columns].assign(
            kept_source_row=winners["source_row"].to_numpy(), differing_fields=_differing_fields(merged, winners)
        ),
    )


def _ordinal(value: Any) -> int:
    found = date(value)
    return 0 if isinstance(found, Problem) else found.toordinal()


def _differing_fields(merged: pd.DataFrame, winners: pd.DataFrame) -> pd.Series:
    fields: list[list[str]] = [[] for _ in range(len(merged))]
    for column in sorted(COMPARED):
        mine, theirs = parse_each(merged[column], text), parse_each(winners[column], text)
        for position, (left, right) in enumerate(zip(mine, theirs, strict=True)):
            if left != right:
                fields[position].append(column)
    # Of objects also where nothing was merged: an empty column would be one of floats.
    return pd.Series(fields, index=merged.index, dtype=object)


def clean_labels(failed: pd.DataFrame, merged: pd.DataFrame, records: Mapping[int, Any]) -> Labelled:
    """What becomes of the rows that do not survive, for the customers table.

    Args:
        failed: rows that a rule took out.
        merged: rows merged into another of the same id.
        records: source record of each failed row, by source row.
    """
    ledger = pd.concat(
        [
            failed_ledger("customers", failed),
            label("customers", merged, Outcome.MERGED, target_key=merged["customer_id"]),
        ],
        ignore_index=True,
    )
    raw = [raw_json(records[row], is_secret) for row in failed["source_row"]]
    return Labelled(pd.DataFrame(), ledger, rejects("customers", failed, raw))


# Said, not inferred: of a list without a survivor nothing could be inferred.
CLEAN_SCHEMA = pa.schema(
    [("source_row", pa.int64()), *((name, pa.string()) for name in ("source_pk", "customer_id", *COMPARED))]
)
MERGED_SCHEMA = pa.schema(
    [
        ("source_row", pa.int64()),
        ("source_pk", pa.string()),
        ("customer_id", pa.string()),
        ("kept_source_row", pa.int64()),
        ("differing_fields", pa.list_(pa.string())),
    ]
)


def read_customers(batches: Iterable[RawBatch], *, fallback: bool) -> tuple[pd.DataFrame, pd.DataFrame, dict[int, Any]]:
    """The customer file as identified rows: those that pass the rules, those that do not, and the latter's records."""
    passed, failed, records = [], [], {}
    for batch in batches:
        good, bad = split_by_rules(rules.customer, identified(batch.rows, fallback=fallback))
        first = int(batch.rows["source_row"].iloc[0]) if len(batch.rows) else 0
        records.update({int(row): batch.records[int(row) - first] for row in bad["source_row"]})
        passed.append(good)
        failed.append(bad)
    return pd.concat(passed, ignore_index=True), pd.concat(failed, ignore_index=True), records


@SKYNET.step(
    group=STAGING,
    upstream=["export"],
    source=sources.customers,
    checks=checks.CUSTOMERS_CLEAN,
    kinds=("pandas", "parquet"),
)
def customers_clean(step: Step) -> Write:
    """The customer list without duplicates: one whole row per id, values as the export has them."""
    step.tally.source_rows = step.export.file_for(sources.customers).rows
    fallback = step.source_table != sources.customers.name
    passed, failed, records = read_customers(step.read(sources.customers), fallback=fallback)
    kept, merged = survivors_and_merged(passed)
    labels = clean_labels(failed, merged, records)
    step.frames.write("customers_clean", [(None, kept)], CLEAN_SCHEMA)
    step.frames.write("customers_merged", [(None, merged[MERGED_SCHEMA.names])], MERGED_SCHEMA)
    step.label(labels.ledger, labels.rejects)
    # Other code than that of an earlier run may let other rows survive.
    step.forget_former([tables.customers.name], Outcome.MERGED, Outcome.REJECTED)
    step.tally.outcomes[Outcome.LOADED.value] += len(kept)
    return step.nothing


# --- clean values -----------------------------------------------------------------------------------------------------


def sanitised(rows: pd.DataFrame, photo_policy: PhotoPolicy) -> pd.DataFrame:
    """Survivors with clean values, ordered by id.

    Args:
        rows: survivors, values as the export has them.
        photo_policy: where photos may come from; decides how a photo's URL is kept.

    Returns:
        The loaded columns of the customers table, those of `PACKAGE_FIELDS`, `router_name`, `ktp_photo_url` (the cell)
        and `warnings` (comma list of codes).
    """
    rows = rows.sort_values("customer_id").reset_index(drop=True)
    found = pd.DataFrame({"id": rows["customer_id"], "source_row": rows["source_row"], "source_pk": rows["source_pk"]})
    flags = {
        **_who(rows, found),
        **_where(rows, found),
        **_account(rows, found),
    }
    photos = parse_each(rows["ktp_photo_url"], lambda v: photo_source(v, photo_policy))
    found["identity_card_source_url"] = field_of(photos, "source_url")
    found["ktp_photo_url"] = rows["ktp_photo_url"]
    found, package_flags = with_packages(found, rows["paket"], rows["harga"])
    found["warnings"] = join_codes(flags | package_flags)
    return found


Flags = dict[str, pd.Series]


def _who(rows: pd.DataFrame, found: pd.DataFrame) -> Flags:
    name = parse_each(rows["nama_pelanggan"], text)
    found["name"] = name.where(name.notna(), found["id"])
    found["address"] = parse_each(rows["alamat"], text)
    phones = parse_each(rows["telepon"], phone)
    found["phone_number"], found["phone_number_alt"] = field_of(phones, "phone"), field_of(phones, "alt")
    flags = {"name_defaulted": name.isna(), "phone_invalid": field_of(phones, "invalid")}
    for column in ("nik", "kk"):
        number = parse_each(rows[column], identity_number)
        found[column], found[f"{column}_valid"] = field_of(number, "digits"), field_of(number, "valid")
        flags[f"{column}_unusable"] = field_of(number, "unusable")
    return flags


def _where(rows: pd.DataFrame, found: pd.DataFrame) -> Flags:
    point = parse_each(rows["koordinat"], coordinates)
    found["latitude"], found["longitude"] = field_of(point, "latitude"), field_of(point, "longitude")
    found["coordinates_raw"], found["coordinate_status"] = field_of(point, "raw"), field_of(point, "status")
    found["location_name"] = parse_each(rows["nama_lokasi"], name_key)
    found["router_name"] = parse_each(rows["nama_router"], name_key)
    found["router_id"] = found["router_name"].map(router_id, na_action="ignore")
    warned = ("repaired", "swapped", "out_of_area", "invalid")
    return {f"coordinate_{status}": found["coordinate_status"] == status for status in warned}


def _account(rows: pd.DataFrame, found: pd.DataFrame) -> Flags:
    username = parse_pairs([rows["pppoe_username"], rows["customer_id"]], pppoe_username)
    found["pppoe_username"] = field_of(username, "value")
    found["pppoe_username_missing"] = field_of(username, "missing")
    found["pppoe_password"] = parse_each(rows["pppoe_password"], pppoe_password)
    status = parse_each(rows["connection_status"], connection_status)
    found["connection_status"] = field_of(status, "status")
    found["is_active"] = found["connection_status"] == "active"
    registered = parse_each(rows["tanggal_registrasi"], date)
    found["registered_at"] = registered.map(lambda d: None if isinstance(d, Problem) else d)
    due = parse_each(rows["jatuh_tempo"], billing_day)
    found["billing_day"] = due.map(lambda d: None if isinstance(d, Problem) else d).astype(object)
    return {
        "status_unrecognised": ~field_of(status, "recognised").astype(bool),
        "registered_at_unparsed": registered == Problem.INVALID,
        "billing_day_invalid": due == Problem.INVALID,
    }


FINAL_SCHEMA = pa.unify_schemas(
    [
        arrow_schema(loaded_columns(tables.customers)),
        PACKAGE_FIELDS,
        pa.schema([(n, pa.string()) for n in ("source_pk", "router_name", "ktp_photo_url", "warnings")]),
    ]
)


@SKYNET.step(
    group=STAGING,
    upstream=["customers_clean"],
    source=sources.customers,
    checks=checks.CUSTOMERS_FINAL,
    kinds=("pandas", "parquet"),
)
def customers_final(step: Step) -> Write:
    """The clean customer list, ordered by id: the only input of every table on the customer side."""
    final = sanitised(step.frames.read("customers_clean"), policy_from_environment())
    step.frames.write("customers_final", [(None, final)], FINAL_SCHEMA)
    step.tally.source_rows = len(final)
    step.tally.add(label("customers", final, Outcome.LOADED, reason=final["warnings"]))
    return step.nothing


# --- the table --------------------------------------------------------------------------------------------------------


def customer_rows(customers_final: pd.DataFrame, customers_merged: pd.DataFrame, export_id: str) -> Labelled:
    """Rows of the customers table and of its merge log, and the outcome of every row that has an id."""
    ledger = pd.concat(
        [
            label(
                "customers",
                customers_final,
                Outcome.LOADED,
                reason=customers_final["warnings"],
                target_key=customers_final["id"],
            ),
            label("customers", customers_merged, Outcome.MERGED, target_key=customers_merged["customer_id"]),
        ],
        ignore_index=True,
    )
    merge_log = pd.DataFrame(
        {
            "export_id": export_id,
            "customer_id": customers_merged["customer_id"],
            "merged_source_row": customers_merged["source_row"],
            "kept_source_row": customers_merged["kept_source_row"],
            "differing_fields": ["{" + ",".join(fields) + "}" for fields in customers_merged["differing_fields"]],
        }
    )
    return Labelled(customers_final, ledger, companions={"customer_merge_log": merge_log})


def _supersede_merge_log(step: Step) -> None:
    """Remove merges of this export that are none any more."""
    log = tables.customer_merge_log
    stage = step.stage_of(log)
    still = sa.select(stage.c.customer_id, stage.c.merged_source_row)
    gone = sa.tuple_(log.c.customer_id, log.c.merged_source_row).not_in(still)
    step.facts["superseded"] = step.delete(log, (log.c.export_id == step.export.export_id) & gone)


@SKYNET.target_table(
    tables.customers,
    source=sources.customers,
    group=CORE,
    companions=[tables.customer_merge_log],
    checks=checks.CUSTOMERS,
    supersede=_supersede_merge_log,
)
def customers(step: Step, customers_final: pd.DataFrame, customers_merged: pd.DataFrame) -> Labelled:
    """Customers, one per legacy id: the survivor of its duplicates with clean values."""
    step.tally.source_rows = step.export.file_for(sources.customers).rows
    step.count_rejects_of(tables.customers)
    return customer_rows(customers_final, customers_merged, step.export.export_id)
