"""Billing's REST interface, from a server like the legacy one to an export that the contract's model loads."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from upath import UPath

from billing_assets.extract import TABLES, VARIABLES
from billing_assets.sources import ALL
from migration.exports.verify import verify_export
from tests.billing.billing_cases import Export
from tests.billing.billing_golden import EXAMPLES, example, see, view_of
from tests.billing.billing_reference import Reference, faults
from tests.extract.test_extract_cli import CANARY, migrate
from tests.http_server import LocalServer, Reply

EXPORT_ID = "20260225T190007Z"
PAGE_SIZE = 2
KINDS = ("Bandwidth", "MAC", "SOHO")
LISTS = {
    "sales_customers": "/api/customers/",
    "mac_partners": "/api/bills/mac-partners/",
    "mac_end_customers": "/api/bills/mac-end-customers/",
    "soho_customers": "/api/bills/soho-customers/",
    "bill_pricing_periods": "/api/bills/pricing-periods/",
    "bill_daily_amounts": "/api/bills/daily-amounts/",
    "mac_bills": "/api/bills/mac-bills/",
    "soho_bills": "/api/bills/soho-bills/",
    "payment_records": "/api/bills/payments/",
}


def serve_list(http_server: LocalServer, path: str, rows: Sequence[Any], **query: str) -> None:
    """Answer a list page by page, each with a link to the next."""
    starts = range(0, max(1, len(rows)), PAGE_SIZE)
    pages = (urlencode({**query, "page": number, "page_size": PAGE_SIZE}) for number, _ in enumerate(starts, 1))
    urls = [f"{path}?{page}" for page in pages]
    for place, start in enumerate(starts):
        following = http_server.url(urls[place + 1]) if place + 1 < len(urls) else None
        content = {"count": len(rows), "next": following, "previous": None, "results": rows[start : start + PAGE_SIZE]}
        http_server.route(urls[place], Reply(body=json.dumps(content).encode()))


def serve(http_server: LocalServer, export: Export) -> None:
    """Answer as the legacy system whose rows these are; an optional list without rows is not there."""
    for table, path in LISTS.items():
        if table in export:
            serve_list(http_server, path, export[table])
    for kind, table in (("MAC", "mac_packages"), ("SOHO", "soho_packages")):
        serve_list(http_server, "/api/bills/packages/", export[table], type=kind)
    bills = export["bill_records"]
    for kind in KINDS:
        found = [bill for bill in bills if bill.get("customer_type") == kind]
        serve_list(http_server, "/api/bills/", found, customer_type=kind)
    serve_list(http_server, "/api/bills/", bills)


def place_of_bill(bill: dict[str, Any]) -> int:
    """Bills come by their customers' types, those without one last."""
    return (*KINDS, None).index(bill.get("customer_type"))


def settings(http_server: LocalServer) -> Mapping[str, str]:
    return {
        "BILLING_API_BASE_URL": http_server.url(),
        "BILLING_API_TOKEN": CANARY,
        "BILLING_API_PAGE_SIZE": str(PAGE_SIZE),
        "BILLING_API_TIMEOUT_S": "5",
    }


def extract(http_server: LocalServer, home: Path, *options: str) -> tuple[int, str, str]:
    return migrate(home, "extract", "billing", "--export", EXPORT_ID, *options, **settings(http_server))


def folder_of(home: Path) -> UPath:
    return UPath(home / "landing" / "billing" / EXPORT_ID)


@pytest.mark.parametrize("name", ["G1", "G2", "G3"])
def test_what_the_interface_serves_is_loaded_as_the_contract_says(
    http_server: LocalServer, tmp_path: Path, name: str
) -> None:
    serve(http_server, example(name))
    code, out, err = extract(http_server, tmp_path)
    assert (code, err.strip()) == (0, "")
    assert "bill_daily_amounts: not in the legacy system, left out" in out
    export = verify_export(folder_of(tmp_path), "billing", ALL)
    assert {file.name for file in export.files} == {f"{table.name}.jsonl" for table in TABLES if not table.optional}
    database = Reference()
    database.load(Path(str(export.folder)))
    assert faults(database) == []
    see(name, view_of(database), 0)


def test_all_flows_at_once_over_several_pages(http_server: LocalServer, tmp_path: Path) -> None:
    """Each table has its own list, each row comes once, and the order is kept."""
    whole: Export = {}
    for name in ("G1", "G2", "G3", "G6", "G11", "G14"):
        records = EXAMPLES[name][0](int(name[1:]) * 1000)
        for table, record in records:
            whole.setdefault(table, []).append(record)
    whole["bill_daily_amounts"] = [{"id": number, "bill_record": 1} for number in (1, 2, 3)]
    for table in (*LISTS, "mac_packages", "soho_packages", "bill_records"):
        whole.setdefault(table, [])
    serve(http_server, whole)
    code, out, _ = extract(http_server, tmp_path, "--json")
    assert code == 0
    assert json.loads(out)["left_out"] == []
    for table, rows in whole.items():
        lines = Path(str(folder_of(tmp_path) / f"{table}.jsonl")).read_text(encoding="utf-8").splitlines()
        expected = sorted(rows, key=place_of_bill) if table == "bill_records" else rows
        assert [json.loads(line) for line in lines] == expected, table
    assert all(request.headers["Authorization"] == f"Bearer {CANARY}" for request in http_server.seen)


def test_bills_of_no_known_type_are_found_by_the_unfiltered_list(http_server: LocalServer, tmp_path: Path) -> None:
    export = example("G1")
    export["bill_records"] += [
        {"id": 7, "customer_type": "", "customer": 1, "billing_date": "2025-02-28"},
        {"id": 8, "customer_type": "Corporate", "customer": 1, "billing_date": "2025-02-28"},
    ]
    serve(http_server, export)
    code, out, _ = extract(http_server, tmp_path, "--json")
    assert code == 0
    manifest = json.loads((folder_of(tmp_path) / "manifest.json").read_text(encoding="utf-8"))
    (warning,) = manifest["warnings"]
    assert warning.startswith("bill_records: the lists by customer_type have 1 distinct ids")
    assert json.loads(out)["notes"] == [warning]
    database = Reference()
    database.load(Path(str(folder_of(tmp_path))))
    assert set(database.tables["bill_records"]) == {1, 7}
    assert database.rejected()[EXPORT_ID, "bill_records", 3, "bill_records"] == ("8", "UNKNOWN_CUSTOMER_TYPE")


def test_every_setting_that_is_missing_is_named(http_server: LocalServer, tmp_path: Path) -> None:
    for missing in (VARIABLES.base_url, VARIABLES.token):
        environment = {name: value for name, value in settings(http_server).items() if name != missing}
        code, out, err = migrate(tmp_path, "extract", "billing", **environment)
        assert (code, out) == (2, "")
        assert err.startswith(f"ExtractConfigError: {missing} is not set.")
    assert http_server.seen == []


def test_errors_are_one_line(http_server: LocalServer, tmp_path: Path) -> None:
    http_server.route(f"/api/customers/?page=1&page_size={PAGE_SIZE}", Reply(401))
    code, out, err = extract(http_server, tmp_path)
    assert (code, out, len(err.strip().splitlines())) == (1, "", 1)
    assert err.startswith("ExtractAuthError: sales_customers: HTTP 401 at /api/customers/")


def test_a_database_can_be_read_instead(http_server: LocalServer, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "legacy.db") as connection:
        for source in ALL:
            columns = ", ".join(f'"{column}"' for column in source.columns)
            connection.execute(f"CREATE TABLE {source.name} ({columns}, PRIMARY KEY (id))")
    url = f"sqlite:///{tmp_path / 'legacy.db'}"
    code, _, err = migrate(
        tmp_path, "extract", "billing", "--from", url, "--export", EXPORT_ID, **settings(http_server)
    )
    assert (code, err.strip()) == (0, "")
    assert len(verify_export(folder_of(tmp_path), "billing", ALL).files) == len(ALL)
    assert http_server.seen == []


@pytest.mark.parametrize("option", [("--format", "csv"), ("--no-gzip",), ("--all-columns",)])
def test_options_of_databases_are_refused(http_server: LocalServer, tmp_path: Path, option: tuple[str, ...]) -> None:
    code, _, err = extract(http_server, tmp_path, *option)
    assert (code, err.startswith("SetupError: --format, --gzip and --all-columns are for legacy databases.")) == (
        2,
        True,
    )
    assert http_server.seen == []
