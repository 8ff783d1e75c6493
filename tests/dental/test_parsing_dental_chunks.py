"""Notifications as chunks hold them: by range, in file order, without card numbers and members that are never kept."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dental_assets.assets.notification_chunks import cleaned_lines, gathered, split_by_range
from dental_assets.assets.notifications import Known, labelled_notifications
from dental_assets.sources import dispatch_notification
from migration.exports.reading import LineBatches, RawBatch

MARK = "[PAN-REDACTED]"
KNOWN = Known(frozenset({1}), {7: "patient"})


def batch_of(*lines: bytes, malformed: tuple[int, ...] = ()) -> RawBatch:
    bad = pa.array([at in malformed for at in range(len(lines))])
    numbers = pa.array(range(1, len(lines) + 1), pa.int64())
    return LineBatches(dispatch_notification).batch(numbers, pa.array(lines, pa.large_binary()), bad)


def cleaned(line: Any, *, malformed: bool = False) -> str:
    text = line if isinstance(line, bytes) else json.dumps(line).encode()
    return cleaned_lines([text], np.array([malformed]))[0].as_py().decode()


def test_rows_go_to_their_range_in_file_order() -> None:
    batch = batch_of(
        b'{"id":100000}', b'{"id":1}', b'{"id":"x"}', b"{", b'{"id":99999}', b'{"id":10000000001}', malformed=(3,)
    )
    pieces = dict(gathered(split_by_range(batch)))
    assert {key: piece["source_row"].to_pylist() for key, piece in pieces.items()} == {
        "unkeyed": [3, 4],
        "000000000": [2, 5],
        "000100000": [1],
        "10000000000": [6],
    }
    assert pieces["unkeyed"]["malformed"].to_pylist() == [False, True]


def test_pieces_are_joined_until_too_much_is_held() -> None:
    batches = [batch_of(b'{"id":1}', b'{"id":100000}'), batch_of(b'{"id":2}')]
    pieces = [piece for batch in batches for piece in split_by_range(batch)]
    assert [key for key, _ in gathered(pieces, held_bytes=1)] == [key for key, _ in pieces]
    assert [piece.num_rows for _, piece in gathered(pieces)] == [2, 1]


@pytest.mark.parametrize(
    "context",
    [
        {"text": "4111 1111 1111 1111", "Password": "x", "deep": [{"card_bin": 1, "n": 4111111111111111}]},
        '{"text": "4111 1111 1111 1111", "password": "x"}',
        '{"text": "4111\\u00a01111\\u00a01111\\u00a01111"}',
        {"text": "4111\u00a01111\u00a01111\u00a01111"},
        "paid with 4111-1111-1111-1111",
        4111111111111111,
        "4111111111111111",
    ],
)
def test_nothing_of_a_card_is_written_and_the_row_stays_what_it_was(context: Any) -> None:
    row = {
        "id": 1,
        "recipient_id": 1,
        "created_at": "2024-01-01",
        "sent": True,
        "send": True,
        "template_context": context,
    }
    line = json.dumps(row).encode()
    kept = cleaned(line)
    assert "1111" not in kept
    assert "assword" not in kept
    assert "card_bin" not in kept
    before, after = (labelled_notifications(batch_of(each), KNOWN) for each in (line, kept.encode()))
    assert after.rows["context"].tolist() == before.rows["context"].tolist()
    assert after.rows["warnings"].tolist() == before.rows["warnings"].tolist()


def test_ids_that_look_like_cards_stay_ids() -> None:
    row = {"id": 4111111111111111, "recipient_id": 4111111111111111, "note": "4111111111111111"}
    assert json.loads(cleaned(row)) == {**row, "note": MARK}


def test_texts_of_broken_rows_are_redacted() -> None:
    assert cleaned(b'{"id": 1, "x": "4111111111111111"', malformed=True) == f'{{"id": 1, "x": "{MARK}"'


def test_other_lines_are_not_touched() -> None:
    lines = [b'{"id": 1,  "sender": "a"}', b'{"id":2}']
    assert cleaned_lines(lines, np.zeros(2, dtype=bool)).to_pylist() == lines
    assert pd.notna(lines).all()
