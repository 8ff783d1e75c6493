"""What the logs of Booking tell of a row when somebody asks: who won a column and why, what was merged into it."""

import sqlalchemy as sa

from booking_assets import tables
from migration.explain import Teller

PERSONAL_FIELDS = ("main_name", "main_email", "phone", "note")
"""Columns of which only the winner is told, not the values."""

_audit, _merged = tables.audit_log, tables.merge_log


def _unless_personal(value: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    return sa.case((_audit.c.field_name.not_in(PERSONAL_FIELDS), value))


TELLERS = (
    Teller(
        {
            "decided": _audit.c.field_name,
            "action": _audit.c.action,
            "won": _audit.c.winner_source,
            "why": _audit.c.resolution,
            "written": _unless_personal(_audit.c.new_value),
            "not": _unless_personal(_audit.c.old_value),
        },
        export_id=_audit.c.export_id,
        target_key=_audit.c.entity_key,
        target=sa.literal(tables.booking_core.name),
    ),
    Teller(
        {
            "merged": sa.func.concat(
                _merged.c.source_system, ".", _merged.c.source_table, " row:", _merged.c.source_row
            ),
            "key": _merged.c.source_pk,
            "why": _merged.c.reason_code,
        },
        export_id=_merged.c.export_id,
        target_key=_merged.c.target_key,
        target=_merged.c.target_table,
    ),
)
