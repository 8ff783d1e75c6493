"""What a parser returns instead of a value."""

from enum import Enum


class Problem(Enum):
    """Why there is no value. The numbers are the codes of `migration.parsing.vectors.Parsed.problem`."""

    BLANK = 1
    """Nothing was given: null, or one of the texts that the legacy system writes for it."""

    UNPARSEABLE = 2
    """Something was given that its kind does not allow, is out of its range, or that a vocabulary does not hold."""
