"""Names of groups in one spelling, the teams made of them, and the specialties of technicians."""

import pandas as pd
import pyarrow as pa

from dental_assets.parsing.column import Column, read_column
from dental_assets.parsing.problem import Problem
from dental_assets.parsing.text import spaced
from migration.parsing.cells import Value

GROUPS = (
    "Patient",
    "Doctor",
    "Sales",
    "Administrator",
    "Master",
    "Support",
    "Billing",
    "Export",
    "External",
    "Technician",
)
TEAMS = {
    "Administrator": ("Administrator Team", "Administrative"),
    "Billing": ("Billing Team", "Financial"),
    "Doctor": ("Medical Team", "Medical"),
    "Export": ("Export Team", "Data"),
    "External": ("External Partners", "External"),
    "Master": ("Master Team", "Management"),
    "Sales": ("Sales Team", "Sales"),
    "Support": ("Support Team", "Support"),
    "Technician": ("Technician Team", "Technical"),
}
SPECIALTIES = (
    "Sectioning Technician",
    "Designing Technician",
    "Remote Technician",
    "Manufacturing Technician",
    "Remote Technician Sectioning Approver",
    "Japan Aligner Technician",
)

_GROUPS = {name.lower(): name for name in GROUPS} | {"admin": "Administrator"}
_SPECIALTIES = {name.lower(): name for name in SPECIALTIES}


def group(value: Value) -> str | Problem:
    """Name of a group: the usual spelling of a known one, else as it is written."""
    found = spaced(value)
    return _GROUPS.get(found.lower(), found) if isinstance(found, str) else found


def specialty(value: Value) -> str | Problem:
    """Specialty of a technician: the usual spelling of a known one, else as it is written."""
    found = spaced(value)
    return _SPECIALTIES.get(found.lower(), found) if isinstance(found, str) else found


def groups(cells: pd.Series) -> Column:
    """A column of group names; an array or object warns BAD_TEXT."""
    return read_column(cells, pa.string(), group, "BAD_TEXT")


def specialties(cells: pd.Series) -> Column:
    """A column of specialties; an array or object warns BAD_TEXT."""
    return read_column(cells, pa.string(), specialty, "BAD_TEXT")
