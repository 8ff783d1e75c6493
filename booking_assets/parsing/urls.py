"""Addresses of pictures: absolute ones with a domain; the website also has relative ones, which lead nowhere."""

import re

import pandas as pd
import pyarrow as pa

from booking_assets.parsing.problem import Problem
from booking_assets.parsing.texts import text
from migration.parsing.cells import Value
from migration.parsing.vectors import Parsed, parse_vector

URL_LENGTH = 2048

_URL = re.compile(r"https?://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]{1,5})?([/?#]\S*)?")


def url(value: Value) -> str | Problem:
    """Web address of text, at most 2048 characters; nothing given is NULL, all else INVALID."""
    found = text(value)
    if isinstance(found, Problem):
        return found
    return found if len(found) <= URL_LENGTH and _URL.fullmatch(found) else Problem.INVALID


def urls(cells: pd.Series) -> Parsed:
    """A column of `url` as string; problems are NULL and INVALID."""
    return parse_vector(cells, pa.string(), url)
