"""The options of a Meter run, beside those that every run has."""

from decimal import Decimal, InvalidOperation

from migration.declare.run import MigrationRun
from migration.declare.step import Step
from migration.errors import Refused

CHARGES_PLUS_OPENING, TOTAL_AMOUNT = "charges_plus_opening", "total_amount"
ZERO, KEEP = "zero", "keep"
ERROR, CRITICAL = "error", "critical"


class MeterRun(MigrationRun):
    """The options of a Meter run, in one place.

    Attributes:
        drift_tolerance: by how much figures may differ, as decimal text; exactly so much passes.
        fail_on: the least severity that fails the full validation: `error`, or only `critical`.
        billed_basis: what of an invoice is billed: `charges_plus_opening` (its new charges, and the arrears of each
            customer's first invoice) or `total_amount`.
        no_bills_policy: what becomes of an invoice without bills: its amounts are `zero`, or the loads' figures `keep`.
        allow_shrink: accept an export that lacks more than a tenth of a table's rows.
    """

    drift_tolerance: str = "0.01"
    fail_on: str = ERROR
    billed_basis: str = CHARGES_PLUS_OPENING
    no_bills_policy: str = ZERO
    allow_shrink: bool = False

    @property
    def tolerance(self) -> Decimal:
        """The drift tolerance as a number.

        Raises:
            Refused: it is none, or negative.
        """
        try:
            tolerance = Decimal(self.drift_tolerance)
        except InvalidOperation:
            tolerance = Decimal(-1)
        if not tolerance.is_finite() or tolerance < 0:
            raise Refused("INVALID_OPTION", "drift_tolerance is no amount of money.", "Write it like 0.01.")
        return tolerance

    def require_known(self) -> None:
        """Check every option that is one of a few words.

        Raises:
            Refused: one of them is another word.
        """
        words = {
            "fail_on": (ERROR, CRITICAL),
            "billed_basis": (CHARGES_PLUS_OPENING, TOTAL_AMOUNT),
            "no_bills_policy": (ZERO, KEEP),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise Refused("INVALID_OPTION", f"{name} is none of its words.", f"Choose {' or '.join(allowed)}.")
        _ = self.tolerance


def options_of(step: Step) -> MeterRun:
    """The options of the run that a step belongs to."""
    options = step.run.options
    return options if isinstance(options, MeterRun) else MeterRun(**options.model_dump())
