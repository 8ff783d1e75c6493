"""How fast a long step gets on, told while it works."""

import datetime as dt
import time
from dataclasses import dataclass, field


@dataclass
class Pace:
    """The pace of a step since it began.

    Attributes:
        rows: rows that the step is to do.
        waiting: rows that steps after it are to do.
        done: rows done.
    """

    rows: int
    waiting: int = 0
    done: int = 0
    _started: float = field(default_factory=time.perf_counter)

    def after(self, rows: int) -> str:
        """Count rows as done; how many are, rows per second, and how long the rest takes at this pace."""
        self.done += rows
        rate = self.done / max(time.perf_counter() - self._started, 1e-6)
        told = f"{self.done:,} of {self.rows:,} rows, {rate:,.0f} rows/s, {_span((self.rows - self.done) / rate)} left"
        if not self.waiting:
            return told
        return (
            f"{told}; {_span((self.rows - self.done + self.waiting) / rate)} with the {self.waiting:,} rows that wait"
        )


def _span(seconds: float) -> str:
    return str(dt.timedelta(seconds=round(seconds)))
