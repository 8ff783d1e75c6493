"""Times of a BOOKING sample, in seconds since 1970 UTC, and days, in days since then; the islands' clocks are UTC+8."""

from datetime import date
from functools import lru_cache

DAY = 86_400
BALI = 8 * 3600
_EPOCH = date(1970, 1, 1).toordinal()
_MINUTES = tuple(f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(1440))
_SECONDS = tuple(f":{second:02d}.000Z" for second in range(60))


@lru_cache(maxsize=4096)
def day_text(day: int) -> str:
    """A day as ISO text."""
    return date.fromordinal(_EPOCH + day).isoformat()


def iso(seconds: int) -> str:
    """A time as the legacy systems write it."""
    day, rest = divmod(seconds, DAY)
    minute, second = divmod(rest, 60)
    return f"{day_text(day)}T{_MINUTES[minute]}{_SECONDS[second]}"


def clock_text(minute: int) -> str:
    """A minute of a day as `HH:MM`."""
    return _MINUTES[minute]


def bali_midnight(day: int) -> int:
    """When a day begins on the islands: at 16:00 UTC of the day before."""
    return day * DAY - BALI


def bali_time(day: int, minute: int) -> int:
    """A minute of a day of the islands."""
    return day * DAY + minute * 60 - BALI
