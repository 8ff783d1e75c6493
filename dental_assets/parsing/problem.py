"""What a parser returns instead of a value."""

from enum import Enum


class Problem(Enum):
    """Why there is no value. The numbers are the codes of `migration.parsing.vectors.Parsed.problem`."""

    NULL = 1
    """Nothing was given: null, blank text, or a word that means null."""

    INVALID = 2
    """Something was given that its type does not allow."""
