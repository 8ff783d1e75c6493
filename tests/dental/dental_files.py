"""The files of an export folder as source rows: which record has which number, and which cannot be read."""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.booking.booking_files import FORMATS, csv_lines
from tests.booking.booking_scalars import decoded, storable
from tests.meter.meter_files import _of_parquet as of_parquet

Row = dict[str, Any]

WITHHELD = frozenset({"auth_user", "dispatch_operation"})


@dataclass(frozen=True)
class Table:
    """A legacy table.

    Attributes:
        name: its name.
        columns: the type of each column, by name: I, T, B, M, R, TS, D or J.
        targets: the tables that its rows feed directly.
        required: whether an export must hold it.
    """

    name: str
    columns: Mapping[str, str]
    targets: tuple[str, ...] = ()
    required: bool = True

    @property
    def documents(self) -> frozenset[str]:
        """The columns that hold JSON."""
        return frozenset(name for name, kind in self.columns.items() if kind == "J")


def _table(name: str, columns: str, *targets: str, required: bool = True) -> Table:
    """A table from words such as `user_id:I`; a word without a type is a text."""
    kinds = {word.partition(":")[0]: word.partition(":")[2] or "T" for word in columns.split()}
    return Table(name, {"id": "I", **kinds}, targets, required)


_ALL = (
    _table(
        "auth_user",
        "username first_name last_name email password is_superuser:B is_staff:B is_active:B date_joined:TS"
        " last_login:TS",
        "profiles",
    ),
    _table("auth_group", "name", "teams"),
    _table("auth_user_groups", "user_id:I group_id:I"),
    _table("auth_permission", "name codename"),
    _table("django_content_type", "app_label model"),
    _table(
        "dispatch_office",
        "name address apt city state zip country phone tax_rate:R valid:B sq_customer_id emails:B",
        "offices",
    ),
    _table("dispatch_office_doctors", "office_id:I user_id:I", "doctor_offices"),
    _table("dispatch_doctorsetting", "user_id:I"),
    _table(
        "dispatch_patient",
        "user_id:I doctor_id:I office_id:I birthdate:D archived:B suspended:B status:I submitted_at:TS updated_at:TS"
        " suffix sex:I schemes:J",
        "patients",
    ),
    _table(
        "dispatch_product",
        "name description free:B deleted:B customization:J type:I substitute:B course_id:I",
        "products",
    ),
    _table(
        "dispatch_instruction",
        "patient_id:I course_id:I status:I notes complaint price:M submitted_at:TS updated_at:TS deleted:B exports:J"
        " upper_jaw_id:I lower_jaw_id:I",
        "orders",
    ),
    _table(
        "dispatch_task",
        "checked:B file_id:I template_id:I done_at:TS text plan_id:I instruction_id:I actor_id:I jaw:I order_id:I",
        "tasks",
    ),
    _table("dispatch_plan", "instruction_id:I name"),
    _table("dispatch_comment", "created_at:TS text author_id:I plan_id:I", "treatment_discussions"),
    _table("dispatch_note", "created_at:TS text author_id:I doctor_id:I", "doctor_notes", "team_communications"),
    _table(
        "dispatch_record",
        "target_id:I target_type_id:I type:I created_at:TS text author_id:I group_id:I public:B",
        "messages",
    ),
    _table("dispatch_category", "name parent_id:I", "categories"),
    _table(
        "dispatch_template",
        "task_name text_name action_name function:I status:I duration:I category_id:I predefined:B read_only:B",
        "templates",
    ),
    _table("dispatch_template_predecessors", "from_template_id:I to_template_id:I", "template_predecessors"),
    _table("dispatch_template_edit_roles", "template_id:I role_id:I", "template_edit_roles"),
    _table("dispatch_template_view_roles", "template_id:I role_id:I", "template_view_roles"),
    _table("dispatch_template_view_groups", "template_id:I group_id:I", "template_view_groups"),
    _table("dispatch_template_products", "template_id:I product_id:I", "template_products"),
    _table("dispatch_role", "name abbrev type:I order:I user_id:I group_id:I", "roles", "technicians"),
    _table("dispatch_role_permissions", "role_id:I permission_id:I", "role_permissions"),
    _table(
        "dispatch_payment",
        "made_at:TS free:B tax_rate:R tax_value:M paid_price:M instruction_id:I used_credit:M canceled:B paid:B"
        " custom_price:M subtotal_price:M doctor_id:I office_id:I order_id:I installments:J additional_price:M"
        " netsuite:B total_price:M",
        "payments",
    ),
    _table(
        "dispatch_operation",
        "type:I made_at:TS price:M sq_order_id sq_payment_id sq_refund_id card_brand card_bin card_last office_card:B"
        " payment_id:I attempts:I",
        "payment_operations",
    ),
    _table(
        "dispatch_file",
        "uid name ext size:I type:I instruction_id:I created_at:TS status:I",
        "files",
        required=False,
    ),
    _table("dispatch_storage", "name", "storages", required=False),
    _table("dispatch_ware", "storage_id:I name quantity:I created_at:TS", "ware", required=False),
    _table(
        "dispatch_notification",
        "created_at:TS sender template_name template_context:J read:B item_id:I item_type_id:I recipient_id:I sent:B"
        " send:B",
        "notifications",
        required=False,
    ),
)
TABLES: dict[str, Table] = {table.name: table for table in _ALL}


@dataclass(frozen=True)
class SourceRow:
    """One record of a file.

    Attributes:
        number: its row number, from 1.
        values: its values by column; None when it cannot be read.
        line: what an unreadable record says.
    """

    number: int
    values: Row | None
    line: str = ""


@dataclass(frozen=True)
class Export:
    """An export that has been read.

    Attributes:
        export_id: its id.
        rows: the rows of each table that it holds.
    """

    export_id: str
    rows: Mapping[str, list[SourceRow]] = field(default_factory=dict)

    def of(self, table: str) -> list[SourceRow]:
        """The rows of a table."""
        return self.rows.get(table, [])


@dataclass(frozen=True)
class Line:
    """A record that cannot be read, as it stands in the file."""

    text: str


def read_export(folder: Path) -> Export:
    """An export; its id is the folder's name.

    Raises:
        FileNotFoundError: a required table has no file.
        ValueError: a file as a whole is broken, or a table has two.
    """
    found = {name: _path_of(folder, table) for name, table in TABLES.items()}
    return Export(folder.name, {name: read_file(path) for name, path in found.items() if path})


def _path_of(folder: Path, table: Table) -> Path | None:
    paths = [path for suffix in FORMATS if (path := folder / f"{table.name}.{suffix}").exists()]
    if len(paths) > 1:
        raise ValueError(f"AMBIGUOUS_TABLE {table.name}")
    if not paths and table.required:
        raise FileNotFoundError(f"MISSING_TABLE {table.name}")
    return paths[0] if paths else None


def read_file(path: Path) -> list[SourceRow]:
    """The rows of one file.

    Raises:
        ValueError: the file as a whole is broken, or none of its rows has an id.
    """
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        rows = as_source_rows(_parquet_records(content))
    else:
        reader = {"json": _array_records, "jsonl": _line_records, "csv": _csv_records}[kind]
        rows = as_source_rows(reader(content.decode("utf-8-sig")))
    if rows and not any("id" in (row.values or {}) for row in rows):
        raise ValueError("MISSING_COLUMN id")
    return rows


def as_source_rows(records: Iterable[Any]) -> list[SourceRow]:
    """Records with their numbers; what is no object cannot be read."""
    return [_as_source_row(number, record) for number, record in enumerate(records, start=1)]


def _as_source_row(number: int, record: Any) -> SourceRow:
    if isinstance(record, dict):
        return SourceRow(number, storable(record))
    return SourceRow(number, None, storable(record.text))


def _array_records(content: str) -> list[Row | Line]:
    elements = decoded(content)
    if not isinstance(elements, list):
        raise ValueError("NOT_AN_ARRAY")
    texts = _element_texts(content)
    return [each if isinstance(each, dict) else Line(text) for each, text in zip(elements, texts, strict=True)]


def _element_texts(content: str) -> list[str]:
    """The elements of a JSON array as they stand in the file."""
    decoder, texts = json.JSONDecoder(parse_int=str, parse_float=str), []
    start = _after(content, content.index("[") + 1)
    while content[start] != "]":
        end = decoder.raw_decode(content, start)[1]
        texts.append(content[start:end])
        start = _after(content, end)
    return texts


def _after(content: str, place: int) -> int:
    """Where the next element, or the end, of an array is."""
    while content[place] in " \t\r\n,":
        place += 1
    return place


def _line_records(content: str) -> Iterator[Any]:
    for line in content.split("\n"):
        if not line.strip():
            continue
        try:
            record = decoded(line.strip(" \t\r\n"))
        except (ValueError, RecursionError):
            record = None
        yield record if isinstance(record, dict) else Line(line.removesuffix("\r"))


def _csv_records(content: str) -> Iterator[Any]:
    header: list[str] | None = None
    for record in csv_lines(content):
        if not record.strip():
            continue
        fields = next(csv.reader(io.StringIO(record, newline=""), strict=True))
        if header is None:
            header = fields
        else:
            yield dict(zip(header, fields, strict=True)) if len(fields) == len(header) else Line(record)


def _parquet_records(content: bytes) -> list[Row]:
    rows = pq.read_table(io.BytesIO(content)).to_pylist()
    return [{name: of_parquet(value) for name, value in row.items()} for row in rows]
