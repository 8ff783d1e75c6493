"""The PPPoE account of a customer: its name, and its secret, which stays as it was written."""

from decimal import Decimal
from typing import NamedTuple

from migration.parsing.cells import Value
from skynet_assets.parsing.text import text

PLACEHOLDER = "NOPPPOE_"


class PppoeUsername(NamedTuple):
    """An account name, and whether it is only the placeholder of a customer without one."""

    value: str
    missing: bool


def pppoe_username(value: Value, customer_id: str) -> PppoeUsername:
    """Account name, or `NOPPPOE_<id>` where there is none or only a placeholder."""
    found = text(value)
    if found is None or found.startswith(PLACEHOLDER):
        return PppoeUsername(f"{PLACEHOLDER}{customer_id}", missing=True)
    return PppoeUsername(found, missing=False)


def pppoe_password(value: Value) -> str | None:
    """Secret as it was written, only NUL removed and trimmed; empty and `-` are none, numbers become their text."""
    if isinstance(value, str):
        secret = value.replace("\x00", "").strip()
        return None if secret in {"", "-"} else secret
    return text(value) if isinstance(value, int | Decimal) else None
