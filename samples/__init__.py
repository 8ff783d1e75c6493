"""Sample exports: realistic, dirty and wholly synthetic, deterministic by seed, at the real volumes.

`write_sample` writes one export of a system into a landing zone, `next_sample` the export that follows it a month
later, and `samples.corruptions` turns a good export into a broken one. `writing` holds the file formats, the manifest
and the atomic publication, `pools` the seeded randomness and the names; each system is a package of its own.
"""

from datetime import UTC, date, datetime
from decimal import Decimal

from upath import UPath

from samples import billing, booking, dental, meter, skynet
from samples.pools import month_after
from samples.writing import SampleSpec, SampleSystem, publish

SYSTEMS: dict[str, SampleSystem] = {
    "skynet": skynet.SYSTEM,
    "meter": meter.SYSTEM,
    "booking": booking.SYSTEM,
    "billing": billing.SYSTEM,
    "dental": dental.SYSTEM,
}

DEFAULT_MONTH = date(2026, 2, 1)

_EXPORT_DAY, _EXPORT_HOUR = 25, 19


def write_sample(
    system: str,
    landing: UPath,
    export_id: str,
    *,
    seed: int = 1,
    scale: Decimal | float = 1,
    format: str = "json",
    gzip: bool = False,
    month: date = DEFAULT_MONTH,
    bulk: Decimal | float | None = None,
) -> UPath:
    """Write the first sample export of a system.

    Args:
        system: a key of `SYSTEMS`.
        landing: the landing zone; the export becomes the folder `<landing>/<system>/<export_id>/`.
        export_id: name of the export; `default_export_id` gives one.
        seed: the same seed (and scale, format, month) gives the same bytes.
        scale: 1 is the real volume.
        format: `json`, `jsonl`, `csv` or `parquet`.
        gzip: compress every table's file.
        month: the reference month; only its year and month count.
        bulk: share of the rows of tables that are far larger than the rest, 1 for all of them; by default the system's
            own, small one. Only dental has such tables.

    Returns:
        The published folder.

    Raises:
        FileExistsError: the export is there already; a published export is never touched.
        ValueError: unknown system or format, or an export id that no reader would see.
    """
    spec = SampleSpec(seed, Decimal(str(scale)), exported_at(month), edition=0, bulk=_share(bulk))
    return publish(_system(system), landing, export_id, spec, format=format, gzip=gzip)


def next_sample(
    system: str,
    landing: UPath,
    export_id: str,
    *,
    seed: int = 1,
    scale: Decimal | float = 1,
    format: str = "json",
    gzip: bool = False,
    month: date = DEFAULT_MONTH,
    bulk: Decimal | float | None = None,
) -> UPath:
    """Write the export that follows, one month later, the first sample of the same seed, scale and month.

    Args:
        system: a key of `SYSTEMS`.
        landing: the landing zone.
        export_id: name of the new export; `default_export_id(month_after(month))` sorts behind the first one's.
        seed: the first sample's.
        scale: the first sample's.
        format: as in `write_sample`; it may differ from the first sample's.
        gzip: as in `write_sample`.
        month: the reference month of the FIRST sample.
        bulk: the first sample's.

    Returns:
        The published folder.

    Raises:
        FileExistsError: the export is there already.
        ValueError: unknown system or format, or an export id that no reader would see.
    """
    spec = SampleSpec(seed, Decimal(str(scale)), exported_at(month_after(month)), edition=1, bulk=_share(bulk))
    return publish(_system(system), landing, export_id, spec, format=format, gzip=gzip)


def exported_at(month: date) -> datetime:
    """When a sample of a reference month was taken: late in the month, at night in Indonesia."""
    return datetime(month.year, month.month, _EXPORT_DAY, _EXPORT_HOUR, tzinfo=UTC)


def default_export_id(month: date = DEFAULT_MONTH) -> str:
    """The export id of a sample of a reference month, in the form that a refresh gives."""
    return f"{exported_at(month):%Y%m%dT%H%M%SZ}"


def _share(bulk: Decimal | float | None) -> Decimal | None:
    return None if bulk is None else Decimal(str(bulk))


def _system(name: str) -> SampleSystem:
    if name not in SYSTEMS:
        raise ValueError(f"There is no sample of system {name!r}. Known: {', '.join(SYSTEMS)}.")
    return SYSTEMS[name]


__all__ = [
    "DEFAULT_MONTH",
    "SYSTEMS",
    "default_export_id",
    "exported_at",
    "month_after",
    "next_sample",
    "write_sample",
]
