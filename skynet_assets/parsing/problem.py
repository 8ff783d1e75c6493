"""What a parser returns instead of a value."""

from enum import Enum


class Problem(Enum):
    """Why there is no value: nothing was given, or what was given cannot be used."""

    MISSING = "missing"
    INVALID = "invalid"
