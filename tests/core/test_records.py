"""Source records as the quarantine keeps them."""

import json
from decimal import Decimal
from typing import Any

import pytest

from migration.exports.sources import FIELD_COUNT, NOT_AN_OBJECT, UNPARSEABLE
from migration.parsing.records import raw_json, raw_without

PERSONAL = frozenset({"email"})


@pytest.mark.parametrize(
    ("record", "malformed", "kept"),
    [
        ({"id": 1, "email": "a@b.test", "note": "x"}, None, {"id": 1, "note": "x"}),
        (
            {"id": Decimal("7.50"), "nested": {"email": "kept below"}},
            None,
            {"id": 7.5, "nested": {"email": "kept below"}},
        ),
        ("{broken", UNPARSEABLE, {"text": "{broken"}),
        ("1,2,3", FIELD_COUNT, {"text": "1,2,3"}),
        ("a string", NOT_AN_OBJECT, {"text": '"a string"'}),
        ([1, "a"], NOT_AN_OBJECT, {"text": '[1,"a"]'}),
        ({"id": "a\x00b"}, None, {"id": "ab"}),
    ],
)
def test_personal_columns_are_left_out(record: Any, malformed: str | None, kept: dict[str, Any]) -> None:
    assert json.loads(raw_without(record, malformed, PERSONAL)) == kept


def test_secrets_are_marked_where_there_were_any() -> None:
    kept = json.loads(raw_json({"a": "x", "pin": "1234", "deep": {"pin": ""}}, lambda key: key == "pin"))
    assert kept == {"a": "x", "pin": "[redacted]", "deep": {"pin": ""}}
