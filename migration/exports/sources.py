"""The declaration of a legacy table: its name, its columns, and how the system's contract reads its files.

What a good row is, and what its values mean, is not declared here but in each system's `rules.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

RESERVED_COLUMNS = ("source_row", "malformed")

NOT_AN_OBJECT = "not_an_object"
UNPARSEABLE = "unparseable"
FIELD_COUNT = "field_count"
MALFORMED_KINDS = (NOT_AN_OBJECT, UNPARSEABLE, FIELD_COUNT)


@dataclass(frozen=True)
class SourceTable:
    """One legacy table, as an export holds it.

    Attributes:
        name: file stem and name of the table, compared exactly.
        columns: the columns that are read, in order; any other key of a row is an unknown field,
            unless it is ignored.
        ignored: keys that are known and never read, so that they are no unknown fields.
        key: column of the legacy primary key, from which `source_pk` is made; None when the table has none.
        required_keys: columns that at least one row must have when the file has rows (a null counts as having it). A
            tuple of names stands for alternatives, of which one is enough.
        required: whether the export must hold the table.
        checked_when: `read` lets an export without this required file pass verification: its absence then aborts
            only what asks for the file.
        may_be_empty: False for a table of which zero rows mean that the legacy export failed.
        folder: sub-folder of the export that holds the file; empty for the export folder itself.
        aliases: other stems of the same table; files under two of the stems are ambiguous.
        fallbacks: stems of other tables that stand in, in this order, when the table itself has no file.
        rename_key: turns a key of a row that is no column into the column it means (or into anything else when it
            means none); where both spellings are present the column's own name wins.
        non_objects: what is kept of a row that is JSON but no object: its `value`; or its `text` as it stands in the
            file, labelled as if it did not parse.
        malformed_rows: `reject` labels what is no row (a JSON line that does not parse, a CSV record of another
            length than the header); `abort` raises instead. Valid JSON that is no object is labelled in either case.
        max_malformed_percent: share of malformed rows above which, and above ten rows, the file counts as corrupt.
        short_csv_rows: `malformed` or, where the contract fills missing fields with null and ignores surplus ones,
            `pad`.
        blank_csv_lines: whether an unquoted CSV line of nothing but white space is a `row` or to `skip`; an empty line
            never is a row.
        null_tokens_csv: texts that mean null in CSV, compared exactly.
        surrogates: what becomes of unpaired surrogate escapes in JSON: `replace` by U+FFFD, or `remove` them, and then
            U+0000 with them, from every text and key of every format (PostgreSQL can hold neither).
    """

    name: str
    columns: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    key: str | None = None
    required_keys: tuple[str | tuple[str, ...], ...] = ()
    required: bool = True
    checked_when: Literal["verification", "read"] = "verification"
    may_be_empty: bool = True
    folder: str = ""
    aliases: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    rename_key: Callable[[str], str] | None = None
    non_objects: Literal["value", "text"] = "value"
    malformed_rows: Literal["reject", "abort"] = "reject"
    max_malformed_percent: int | None = None
    short_csv_rows: Literal["malformed", "pad"] = "malformed"
    blank_csv_lines: Literal["row", "skip"] = "row"
    null_tokens_csv: tuple[str, ...] = ("",)
    surrogates: Literal["replace", "remove"] = "replace"

    def __post_init__(self) -> None:
        named = [self.key] if self.key else []
        for keys in self.required_keys:
            named.extend([keys] if isinstance(keys, str) else keys)
        strangers = [name for name in named if name not in self.columns]
        reserved = [name for name in self.columns if name in RESERVED_COLUMNS]
        if strangers or reserved or len(set(self.columns)) < len(self.columns):
            raise ValueError(f"{self.label}: undeclared {strangers}, reserved {reserved}, or a column declared twice.")

    @property
    def label(self) -> str:
        """The table's name in messages, logs and rejects, with its sub-folder: `bstadmin.bookings`."""
        return self.label_of(self.name)

    @property
    def stems(self) -> tuple[str, ...]:
        """The file stems that are this very table."""
        return (self.name, *self.aliases)

    def label_of(self, stem: str) -> str:
        """The label under which a file with this stem is read: an alias counts as the table, a fallback as itself."""
        table = self.name if stem in self.stems else stem
        return f"{self.folder}.{table}" if self.folder else table

    def missing_keys(self, keys_seen: frozenset[str]) -> list[str]:
        """The required keys (alternatives joined by `|`) of which none is among the columns seen."""
        groups = [(keys,) if isinstance(keys, str) else keys for keys in self.required_keys]
        return ["|".join(group) for group in groups if not keys_seen.intersection(group)]
