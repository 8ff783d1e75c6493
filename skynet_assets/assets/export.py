"""The export itself: verified before anything is read from it, and fetched anew from the legacy system on request."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from migration.declare.failures import as_ours
from migration.errors import MigrationError
from migration.settings import read_settings
from skynet_assets import checks
from skynet_assets.assets import REFRESH, SKYNET, SOURCE
from skynet_assets.refresh import RefreshConfig, refresh_export

export = SKYNET.export_asset(group=SOURCE, checks=checks.EXPORT)


@dg.asset(key=dg.AssetKey([SKYNET.name, "export_refresh"]), group_name=REFRESH, kinds={"python", "file"})
def export_refresh() -> Iterator[dg.MaterializeResult]:
    """Fetches a new export from the legacy server into the landing zone; nothing appears there unless all is good.

    `SKYNET_EXPORT_BASE_URL` and `SKYNET_EXPORT_TOKEN` name the server. An export that equals the newest one is not
    published.
    """
    try:
        refreshed = refresh_export(read_settings().landing, RefreshConfig.from_environment(), dt.datetime.now(dt.UTC))
    except (MigrationError, OSError) as error:
        ours = as_ours(error)
        raise dg.Failure(f"{ours.kind}: {ours}", allow_retries=False) from None
    outcome = "no change" if refreshed.export_id is None else "published"
    yield dg.MaterializeResult(
        metadata={
            "outcome": outcome,
            "export_id": refreshed.export_id or refreshed.same_as or "",
            "rows": dg.MetadataValue.json(dict(refreshed.counts)),
        }
    )
