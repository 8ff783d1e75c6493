"""Identity-card photos: the queue, which needs no network, and the download, which does and blocks nothing."""

import os
from typing import Any

import pandas as pd
import sqlalchemy as sa
from upath import UPath

from migration.declare.asset import Write
from migration.declare.step import Step, stage_labelled
from migration.outcome import Labelled, Outcome, label
from migration.parsing.cells import field_of, parse_each
from migration.warehouse.upsert import update_logged
from skynet_assets import checks, sources, tables
from skynet_assets.assets import PHOTOS, SKYNET
from skynet_assets.parsing.photos import PhotoPolicy, photo_policy, photo_source
from skynet_assets.photos.download import PhotoResult, download_many
from skynet_assets.photos.store import remove_abandoned, store_photo

MAX_ATTEMPTS = 3
DEFAULT_MAX_PER_RUN = 200
WORKERS = 4
DOWNLOAD_COLUMNS = {
    "stored_path": None,
    "sha256": None,
    "byte_size": None,
    "content_type": None,
    "attempts": 0,
    "last_attempt_at": None,
}


def policy_from_environment() -> PhotoPolicy:
    """Where photos may come from, as `SKYNET_PHOTO_BASE_URL` and `SKYNET_PHOTO_ALLOWED_HOSTS` say."""
    return photo_policy(os.environ.get("SKYNET_PHOTO_BASE_URL"), os.environ.get("SKYNET_PHOTO_ALLOWED_HOSTS"))


# --- queue ------------------------------------------------------------------------------------------------------------


def queue_rows(customers_final: pd.DataFrame, current: pd.DataFrame, policy: PhotoPolicy) -> Labelled:
    """Rows of the photo queue and the outcome of each clean customer for it.

    A photo that was downloaded, or has failed and may still be tried, keeps its state while its URL stays the same.

    Args:
        customers_final: clean customers with the cell `ktp_photo_url`.
        current: the queue as it is: customer_id, source_url, status, error_code.
        policy: where photos may come from.
    """
    photos = parse_each(customers_final["ktp_photo_url"], lambda value: photo_source(value, policy))
    queued = photos.notna()
    rows = pd.DataFrame(
        {
            "customer_id": customers_final.loc[queued, "id"],
            "source_url": field_of(photos[queued], "source_url"),
            "status": field_of(photos[queued], "status"),
            "error_code": field_of(photos[queued], "error_code"),
        }
    )
    outcome = pd.Series(Outcome.SKIPPED.value, index=customers_final.index)
    outcome[queued] = Outcome.LOADED.value
    reason = pd.Series(None, index=customers_final.index, dtype=object)
    reason[~queued] = "no_photo"
    ledger = label(
        "identity_card_photos",
        customers_final,
        outcome,
        reason=reason,
        target_key=customers_final["id"].where(queued, None),
    )
    return Labelled(_with_kept_state(rows, current), ledger)


def _with_kept_state(rows: pd.DataFrame, current: pd.DataFrame) -> pd.DataFrame:
    known = rows[["customer_id", "source_url"]].merge(current, on=["customer_id", "source_url"], how="left")
    known.index = rows.index
    keeps = (known["status"] == "downloaded") | ((known["status"] == "failed") & (rows["status"] == "pending"))
    return rows.assign(
        status=rows["status"].where(~keeps, known["status"]),
        error_code=rows["error_code"].where(~keeps, known["error_code"]),
    )


@SKYNET.step(
    group=PHOTOS,
    upstream=["customers_final", "customers"],
    source=sources.customers,
    target=tables.identity_card_photos,
    checks=checks.PHOTO_QUEUE,
    kinds=("postgres", "table"),
)
def identity_card_photo_queue(step: Step) -> Write:
    """Identity-card photos to download, each judged by its URL alone; no network is used."""
    table = tables.identity_card_photos
    final = step.frames.read("customers_final")
    step.tally.source_rows = len(final)
    columns = [table.c[name] for name in ("customer_id", "source_url", "status", "error_code")]
    current = step.scope().fetch(sa.select(*columns))
    labelled = queue_rows(final, current, policy_from_environment())
    upsert = stage_labelled(step, table, [labelled], {})
    stage = step.stage_of(table)

    def write() -> None:
        changed = (
            sa.select(sa.literal(1))
            .where(stage.c.customer_id == table.c.customer_id, stage.c.source_url != table.c.source_url)
            .exists()
        )
        step.facts["reset"] = step.update(table, DOWNLOAD_COLUMNS, changed)
        upsert()

    return write


# --- download ---------------------------------------------------------------------------------------------------------


@SKYNET.step(
    group=PHOTOS,
    upstream=["identity_card_photo_queue"],
    target=tables.identity_card_photos,
    checks=checks.PHOTO_FILES,
    kinds=("python", "file"),
)
def identity_card_photo_files(step: Step) -> Write:
    """Downloads queued photos, a few at a time; state is the table, so a run that ends early is simply gone on with.

    Uses the network and therefore does nothing in a dry run. One photo that fails does not fail the asset.
    """
    if step.run.dry_run:
        return step.nothing
    directory = UPath(os.environ.get("SKYNET_PHOTO_DIRECTORY", str(step.run.settings.home / "photos")))
    remove_abandoned(directory)
    queued = _next_photos(step)
    step.tally.source_rows = len(queued)
    for result in download_many(queued, policy_from_environment(), workers=WORKERS):
        # Each photo is recorded by itself, so that a run that ends early keeps what it has; the step's own
        # transaction only holds the lock that keeps a second download away.
        with step.run.engine.begin() as connection:
            _record(step, connection, directory, result)
    return step.nothing


def _next_photos(step: Step) -> list[tuple[str, str]]:
    table = tables.identity_card_photos
    limit = int(os.environ.get("SKYNET_PHOTO_MAX_PER_RUN") or DEFAULT_MAX_PER_RUN)
    waiting = sa.select(table.c.customer_id, table.c.source_url).where(
        table.c.status.in_(("pending", "failed")), table.c.attempts < MAX_ATTEMPTS
    )
    oldest = waiting.order_by(table.c.last_attempt_at.asc().nulls_first(), table.c.migrated_at, table.c.customer_id)
    return [(row.customer_id, row.source_url) for row in step.connection.execute(oldest.limit(limit))]


def _record(step: Step, connection: sa.Connection, directory: UPath, result: PhotoResult) -> None:
    table, customers = tables.identity_card_photos, tables.customers
    change_log, run_id = step.books.change, step.run.run_id
    attempt: dict[str, Any] = {"attempts": table.c.attempts + 1, "last_attempt_at": sa.func.clock_timestamp()}
    mine = table.c.customer_id == result.customer_id
    if result.downloaded is None:
        failed = {"status": "failed", "error_code": result.error_code}
        update_logged(connection, table, attempt | failed, mine, change_log, run_id)
        step.tally.outcomes[Outcome.REJECTED.value] += 1
        step.tally.rejected_by[str(result.error_code)] += 1
        return
    photo = result.downloaded
    path = store_photo(directory, result.customer_id, photo)
    stored = {
        "status": "downloaded",
        "error_code": None,
        "stored_path": path,
        "sha256": photo.sha256,
        "byte_size": photo.byte_size,
        "content_type": photo.content_type,
    }
    update_logged(connection, table, attempt | stored, mine, change_log, run_id)
    of_customer = customers.c.id == result.customer_id
    update_logged(connection, customers, {"identity_card_photo_path": path}, of_customer, change_log, run_id)
    step.tally.outcomes[Outcome.LOADED.value] += 1
