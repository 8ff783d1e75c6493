"""What a manifest says, and when it says nothing that can be trusted."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from upath import UPath

from migration.errors import ManifestMismatch
from migration.exports.manifest import ManifestFile, parse_manifest, read_manifest

SHA = "ab" * 32


def manifest(files: str = "[]", more: str = "") -> bytes:
    return f'{{"system": "any", "files": {files}{more}}}'.encode()


def test_a_whole_manifest() -> None:
    files = f'[{{"name": "sub/t.json", "sha256": "{SHA.upper()}", "rows": 7, "x": 1}}, {{"name": "u.csv"}}]'
    found = parse_manifest(b"\xef\xbb\xbf" + manifest(files, ', "warnings": [], "exported_at": "2026-02-19"'), "here")
    assert found.system == "any"
    assert found.exported_at == datetime(2026, 2, 19, tzinfo=UTC)
    assert found.files == (ManifestFile("sub/t.json", SHA, 7), ManifestFile("u.csv", None, None))
    assert found.file("u.csv") is found.files[1]
    assert found.file("t.json") is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ('"2026-02-19T01:02:03Z"', datetime(2026, 2, 19, 1, 2, 3, tzinfo=UTC)),
        ('"2026-02-19T01:02:03+07:00"', datetime(2026, 2, 18, 18, 2, 3, tzinfo=UTC)),
        ('" 2026-02-19 01:02:03 "', datetime(2026, 2, 19, 1, 2, 3, tzinfo=UTC)),
        ('"2026-02-30"', None),
        ('"0001-01-01T00:00:00+14:00"', None),
        ('"soon"', None),
        ("1771459200", None),
        ("null", None),
        ("{}", None),
    ],
)
def test_exported_at_is_utc_or_nothing(text: str, moment: datetime | None) -> None:
    assert parse_manifest(manifest(more=f', "exported_at": {text}'), "here").exported_at == moment


def test_exported_at_may_be_missing() -> None:
    assert parse_manifest(manifest(), "here").exported_at is None


@pytest.mark.parametrize(
    ("text", "written"),
    [('"soon"', "soon"), ("1771545600000", "1771545600000"), ("null", None), ("true", None), ("[1]", None)],
)
def test_exported_at_is_kept_as_it_is_written(text: str, written: str | None) -> None:
    assert parse_manifest(manifest(more=f', "exported_at": {text}'), "here").exported_at_text == written


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"canary",
        b'{"files": []}',
        b'{"system": "any"}',
        b'{"system": 5, "files": []}',
        b"\xff",
        b"[" * 100_000,
        manifest('[{"sha256": "x"}]'),
        manifest('[{"name": "t.json", "rows": "7"}]'),
        manifest('[{"name": "t.json", "rows": -1}]'),
        manifest('[{"name": "t.json", "rows": 1.5}]'),
        manifest('[{"name": "t.json", "sha256": "canary"}]'),
        manifest('[{"name": "../t.json"}]'),
        manifest('[{"name": "/etc/passwd"}]'),
        manifest('[{"name": "a\\\\b"}]'),
        manifest('[{"name": ""}]'),
        manifest('[{"name": "t.json"}, {"name": "t.json"}]'),
    ],
)
def test_what_is_no_manifest(content: bytes) -> None:
    with pytest.raises(ManifestMismatch, match="here") as caught:
        parse_manifest(content, "here")
    assert "canary" not in str(caught.value)


def test_a_folder_need_not_have_one_but_not_another_systems(tmp_path: Path) -> None:
    folder = UPath(tmp_path)
    assert read_manifest(folder, "any") is None
    (folder / "manifest.json").write_bytes(manifest())
    assert read_manifest(folder, "any") == read_manifest(folder)
    with pytest.raises(ManifestMismatch, match="another system than other"):
        read_manifest(folder, "other")
