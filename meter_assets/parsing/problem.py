"""What a parser returns instead of a value."""

from enum import Enum


class Problem(Enum):
    """Why there is no value. The numbers are the codes of `migration.parsing.vectors.Parsed.problem`."""

    NULL = 1
    """Nothing was given: null, blank text or a zero date."""

    UNPARSABLE = 2
    """Something was given that its kind does not allow, or that a closed vocabulary does not hold."""

    OUT_OF_RANGE = 3
    """An amount of money that is too large to be one."""
