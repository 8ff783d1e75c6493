"""The docs say what the code has: names, codes, settings, commands and links; whatever is undocumented fails here."""

import ast
import datetime as dt
import importlib
import pkgutil
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import sqlalchemy as sa
import typer

import billing_assets
import billing_assets.definitions as billing_definitions
import booking_assets
import booking_assets.definitions as booking_definitions
import booking_assets.tables as booking_tables
import dental_assets
import dental_assets.definitions as dental_definitions
import meter_assets
import meter_assets.definitions as meter_definitions
import meter_assets.tables as meter_tables
import migration
import skynet_assets
from billing_assets import rules as billing_rules
from billing_assets.automation import AUTOMATION as billing_automation
from booking_assets import options as booking_options
from booking_assets import rules as booking_rules
from booking_assets import sources as booking_sources
from booking_assets.assets.quality import BATCH_CODE_TAG
from booking_assets.months import BOOKING_MONTH, INGEST_MONTH
from meter_assets import options as meter_options
from meter_assets import rollback as meter_rollback
from meter_assets import rules as meter_rules
from meter_assets import sources as meter_sources
from meter_assets.assets import billing as meter_billing
from meter_assets.assets import full_validation, payment_meter_ids
from meter_assets.assets import meters as meter_meters
from meter_assets.assets import payments as meter_payments
from meter_assets.assets import people as meter_people
from meter_assets.parsing import rows as meter_rows
from meter_assets.partitions import PARTITIONS_NAME
from migration import runs
from migration.automation import Automation, RollbackConfig
from migration.cli.main import app
from migration.declare.resolving import PROBLEM, Resolution
from migration.declare.run import MigrationRun
from migration.declare.system import System
from migration.errors import MigrationError
from migration.exports.manifest import MANIFEST_NAME
from migration.fetch import Problem as FetchProblem
from migration.outcome import Outcome, Rule
from migration.warehouse.runlog import Status
from skynet_assets import rules, sources
from skynet_assets.assets import branches, customers, packages, payments, photos, routers
from skynet_assets.assets.photos import policy_from_environment
from skynet_assets.automation import AUTOMATION
from skynet_assets.definitions import SYSTEM, defs
from skynet_assets.months import MONTHS

# After the definitions: it looks at assets that they have declared.
meter_automation = importlib.import_module("meter_assets.automation")
booking_automation = importlib.import_module("booking_assets.automation")
dental_automation = importlib.import_module("dental_assets.automation")

PROJECT = Path(__file__).resolve().parents[2]
README = PROJECT / "README.md"
DOCS = PROJECT / "docs"
IMAGES = DOCS / "images"
PAGES = sorted([README, PROJECT / "CHANGELOG.md", *DOCS.rglob("*.md")])
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
OPERATING = TEXTS[DOCS / "operating.md"]
CHECKS = TEXTS[DOCS / "checks.md"]
SKYNET = TEXTS[DOCS / "systems" / "skynet.md"]
METER = TEXTS[DOCS / "systems" / "meter.md"]
BOOKING = TEXTS[DOCS / "systems" / "booking.md"]
BILLING = TEXTS[DOCS / "systems" / "billing.md"]
DENTAL = TEXTS[DOCS / "systems" / "dental.md"]

SETTING = re.compile(r"(?:MIGRATION|SKYNET)(?:_[A-Z]+)+")
REASON = re.compile(r"[A-Z]+(?:_[A-Z]+)+")
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def words(text: str) -> frozenset[str]:
    """Every name that a text shows as code, and the parts of those that are commands or paths."""
    spans = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    blocks = [block for _, block in FENCE.findall(text)]
    return frozenset(word for piece in (*spans, *blocks) for word in re.findall(r"[A-Za-z_][A-Za-z0-9_-]*", piece))


def section(heading: str, page: str = CHECKS) -> str:
    """What a page, by default `docs/checks.md`, has under a heading."""
    return page.split(f"\n{heading}\n")[1].split("\n## ")[0]


def undocumented(names: Iterable[str], text: str) -> list[str]:
    return sorted(set(names) - words(text))


@dataclass(frozen=True)
class Documented:
    """A system that is built, and the page that it is described on."""

    page: str
    system: System
    definitions: dg.Definitions
    automation: Automation
    package: Any

    def __str__(self) -> str:
        return self.system.name

    @property
    def groups(self) -> set[str]:
        graph = self.definitions.resolve_asset_graph()
        return {str(graph.get(key).group_name) for key in graph.get_all_asset_keys()}

    @property
    def automated(self) -> set[str]:
        return {each.name for kind in ("jobs", "schedules", "sensors") for each in getattr(self.automation, kind)}


BUILT = (
    Documented(SKYNET, SYSTEM, defs, AUTOMATION, skynet_assets),
    Documented(METER, meter_definitions.SYSTEM, meter_definitions.defs, meter_automation.AUTOMATION, meter_assets),
    Documented(
        BOOKING, booking_definitions.SYSTEM, booking_definitions.defs, booking_automation.AUTOMATION, booking_assets
    ),
    Documented(BILLING, billing_definitions.SYSTEM, billing_definitions.defs, billing_automation, billing_assets),
    Documented(DENTAL, dental_definitions.SYSTEM, dental_definitions.defs, dental_automation.AUTOMATION, dental_assets),
)
each_system = pytest.mark.parametrize("built", BUILT, ids=str)


# --- names ------------------------------------------------------------------------------------------------------------


def test_every_system_that_is_built_is_looked_at() -> None:
    assert [str(built) for built in BUILT] == runs.built()


@each_system
def test_every_asset_is_documented(built: Documented) -> None:
    keys = built.definitions.resolve_asset_graph().get_all_asset_keys()
    assert undocumented((key.path[-1] for key in keys), built.page) == []


@each_system
def test_every_target_table_and_group_is_documented(built: Documented) -> None:
    assert undocumented((table.name for table in built.system.metadata.tables.values()), built.page) == []
    assert undocumented(built.groups, built.page) == []
    assert undocumented((source.name for source in built.system.sources), built.page) == []


@each_system
@pytest.mark.parametrize("kind", ["jobs", "schedules", "sensors"])
def test_all_automation_is_documented(kind: str, built: Documented) -> None:
    assert undocumented((each.name for each in getattr(built.automation, kind)), OPERATING) == []


@each_system
def test_the_docs_say_which_schedules_and_sensors_are_on(built: Documented) -> None:
    for each in (*built.automation.schedules, *built.automation.sensors):
        row = next(line for line in OPERATING.splitlines() if line.startswith(f"| `{each.name}`"))
        running = each.default_status.value == "RUNNING"
        assert row.split("|")[2].strip() == ("on" if running else "stopped"), each.name


def test_the_docs_name_no_job_that_does_not_exist() -> None:
    known = {each.name for kind in ("jobs", "schedules", "sensors") for each in getattr(AUTOMATION, kind)}
    shown = {word for text in TEXTS.values() for word in words(text) if word.startswith("skynet_")}
    graph = defs.resolve_asset_graph()
    groups = {graph.get(key).group_name for key in graph.get_all_asset_keys()}
    assert shown - known - groups - {"skynet_assets", "skynet_roll_back", "skynet__dry_run"} == set()


# Names that begin like a job's: packages, schemas and operations; what tables, checks and files of Meter are called.
_ALSO_METER = {
    *(column.name for table in meter_tables.metadata.tables.values() for column in table.columns),
    *(table.name for table in meter_tables.metadata.tables.values()),
    *(check.name for each in meter_definitions.SYSTEM.declarations.values() for check in each.checks),
    *meter_definitions.SYSTEM.declarations,
    *(meter_automation.tenant_rollback.nodes_in_topological_order[0].name,),
    PARTITIONS_NAME,
    "meter_assets",
    "meter__dry_run",
}


def test_the_docs_name_no_job_of_meter_that_does_not_exist() -> None:
    built = BUILT[1]
    shown = {word for text in TEXTS.values() for word in words(text) if word.startswith("meter_")}
    assert shown - built.automated - built.groups - _ALSO_METER == set()


# The same of Booking, whose tables, columns and files have the name of the system in their own.
_ALSO_BOOKING = {
    *(column.name for table in booking_tables.metadata.tables.values() for column in table.columns),
    *(table.name for table in booking_tables.metadata.tables.values()),
    *(source.name for source in booking_sources.ALL),
    *(column for source in booking_sources.ALL for column in source.columns),
    *(check.name for each in booking_definitions.SYSTEM.declarations.values() for check in each.checks),
    *booking_definitions.SYSTEM.declarations,
    *(str(month.name) for month in (BOOKING_MONTH, INGEST_MONTH)),
    "booking_assets",
    "booking__dry_run",
}


def test_the_docs_name_no_job_of_booking_that_does_not_exist() -> None:
    built = BUILT[2]
    shown = {word for text in TEXTS.values() for word in words(text) if word.startswith("booking_")}
    assert shown - built.automated - built.groups - _ALSO_BOOKING == set()


def test_every_run_option_is_documented() -> None:
    assert (
        undocumented(booking_options.BookingRun.model_fields.keys() - MigrationRun.model_fields.keys(), BOOKING) == []
    )
    assert undocumented([*MigrationRun.model_fields, *RollbackConfig.model_fields], OPERATING) == []
    config = meter_automation.TenantRollbackConfig.model_fields
    assert undocumented([*meter_options.MeterRun.model_fields, *config], METER) == []
    assert undocumented([*meter_options.MeterRun.model_fields, *config], OPERATING) == []
    allowed = ("ERROR", "CRITICAL", "CHARGES_PLUS_OPENING", "TOTAL_AMOUNT", "ZERO", "KEEP")
    assert undocumented((getattr(meter_options, name) for name in allowed), METER) == []


def test_every_part_of_a_rollback_is_documented() -> None:
    parts = re.findall(r"^\| `(\w+)` \|", section("## Rollback", METER), re.MULTILINE)
    assert parts == list(meter_rollback.PARTS)


def test_every_status_is_documented() -> None:
    assert undocumented((status.value for status in Status), OPERATING) == []
    assert undocumented((outcome.value for outcome in Outcome), TEXTS[README]) == []


def test_every_error_is_documented() -> None:
    for package in (migration, *(built.package for built in BUILT)):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    kinds = {error.__name__ for error in _descendants(MigrationError) if not error.__module__.startswith("tests")}
    assert undocumented({"MigrationError", *kinds}, OPERATING) == []


def _descendants(error: type[Exception]) -> Iterator[type[Exception]]:
    for each in error.__subclasses__():
        yield each
        yield from _descendants(each)


def test_every_refusal_is_documented() -> None:
    codes = {
        node.args[0].value
        for module in sources_of("migration", "meter_assets", "booking_assets")
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refused"
        if isinstance(node.args[0], ast.Constant)
    }
    assert {"CONFIRMATION_REQUIRED", "DRY_RUN_DISTURBED"} <= codes
    table = OPERATING.split("\n### Refused")[1].split("\n### ")[0]
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE)) == codes


# --- settings ---------------------------------------------------------------------------------------------------------


def sources_of(*packages: str) -> Iterator[ast.Module]:
    for package in packages:
        for path in sorted((PROJECT / package).rglob("*.py")):
            yield ast.parse(path.read_text(encoding="utf-8"))


def constants(*packages: str) -> set[str]:
    """Every string constant of some packages."""
    nodes = (node for module in sources_of(*packages) for node in ast.walk(module))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_setting_is_documented() -> None:
    in_code = {text for text in constants("migration", "skynet_assets") if SETTING.fullmatch(text)}
    in_make = set(SETTING.findall((PROJECT / "Makefile").read_text(encoding="utf-8")))
    assert {"MIGRATION_HOME", "SKYNET_EXPORT_TOKEN"} <= in_code
    assert undocumented(in_code | in_make, OPERATING) == []
    # Codes of Meter begin like its settings; only these are read from the environment.
    of_meter = set(_read_from_environment("meter_assets"))
    assert of_meter == {meter_automation.NIGHTLY_CONFIRM}
    assert set(re.findall(r"^\| `(METER_\w+)` \|", section("## Settings", OPERATING), re.MULTILINE)) == of_meter
    assert undocumented(of_meter, METER) == []
    assert set(_read_from_environment("booking_assets")) == set()


def _read_from_environment(package: str) -> Iterator[str]:
    """The names that the modules of a package look up in `os.environ`, themselves or by a constant of the module."""
    for module in sources_of(package):
        named = {
            target.id: node.value.value
            for node in module.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                looked_up, of = node.args[:1], node.func.value
            elif isinstance(node, ast.Subscript):
                looked_up, of = [node.slice], node.value
            else:
                continue
            if looked_up and ast.unparse(of) == "os.environ":
                yield str(named.get(ast.unparse(looked_up[0])) or ast.literal_eval(looked_up[0]))


def test_the_docs_name_no_setting_that_does_not_exist() -> None:
    texts = [path.read_text(encoding="utf-8") for path in _code_files()]
    shown = {name for text in TEXTS.values() for name in SETTING.findall(text)}
    assert [name for name in sorted(shown) if not any(name in text for text in texts)] == []


def _code_files() -> Iterator[Path]:
    yield PROJECT / "Makefile"
    for package in ("migration", "skynet_assets", "meter_assets", "booking_assets", "tests"):
        yield from (path for path in (PROJECT / package).rglob("*.py") if path != Path(__file__).resolve())


# --- checks -----------------------------------------------------------------------------------------------------------


def test_every_check_is_documented_as_it_is_declared() -> None:
    rows = {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in CHECKS.splitlines() if "|" in line}
    for declaration in SYSTEM.declarations.values():
        for check in declaration.checks:
            levels = ", ".join(name for name, limits in (("WARN", check.warn), ("ERROR", check.error)) if limits)
            blocking = "yes" if check.blocking else "no"
            row = (f"`{check.name}`", f"`{declaration.name}`", check.description, check.limits_text(), levels, blocking)
            assert row in rows, check.name


def test_the_docs_name_no_check_that_does_not_exist() -> None:
    described = section("## The checks of Skynet")
    shown = set(re.findall(r"^\| `(\w+)` \|", described, re.MULTILINE))
    assert shown == {check.name for declaration in SYSTEM.declarations.values() for check in declaration.checks}


def test_every_check_is_in_the_matrix() -> None:
    matrix = section("## Failure kind × check")
    names = {check.name for declaration in SYSTEM.declarations.values() for check in declaration.checks}
    assert undocumented((name for name in names if not name.endswith("_conservation")), matrix) == []
    assert "…_conservation" in matrix


_LOADS = {table.name for table in meter_tables.LOADED}


def test_every_check_of_meter_is_documented_as_it_is_declared() -> None:
    text = section("## Checks", METER)
    rows = {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in text.splitlines() if "|" in line}
    shown = {row[0].strip("`") for row in rows if row[0].startswith("`")}
    declared = set()
    for declaration in meter_definitions.SYSTEM.declarations.values():
        for check in declaration.checks:
            levels = ", ".join(name for name, limits in (("WARN", check.warn), ("ERROR", check.error)) if limits)
            last = (check.limits_text(), levels, "yes" if check.blocking else "no")
            row = (f"`{check.name}`", f"`{declaration.name}`", check.description, *last)
            # What all loads have is said once, with … for the table.
            of_load = (f"`{check.name}`", check.description.replace(f" {declaration.name} ", " … "), *last)
            assert row in rows or (declaration.name in _LOADS and of_load in rows), f"{declaration.name} {check.name}"
            declared.add(check.name)
    assert shown == declared


def test_every_check_of_dental_is_documented_as_it_is_declared() -> None:
    rows = [line.strip("|").split("|") for line in section("## Checks", DENTAL).splitlines() if line.startswith("| `")]
    shown = {tuple(cell.strip() for cell in (row[0], *row[-3:])) for row in rows}
    declared = set()
    for declaration in dental_definitions.SYSTEM.declarations.values():
        for check in declaration.checks:
            levels = ", ".join(name for name, limits in (("WARN", check.warn), ("ERROR", check.error)) if limits)
            declared.add((f"`{check.name}`", check.limits_text(), levels, "yes" if check.blocking else "no"))
    assert shown == declared


def test_the_checks_that_every_load_of_meter_has_are_those_said_once() -> None:
    rows = [line.split("|")[1:-1] for line in section("## Checks", METER).splitlines() if line.startswith("| `")]
    once = {row[0].strip(" `") for row in rows if len(row) == 5}
    assert once
    for name in _LOADS:
        names = {check.name for check in meter_definitions.SYSTEM.declarations[name].checks}
        assert once - names == ({"orphan_rate"} if name == "tenants" else set()), name


def test_every_check_of_meter_is_in_its_matrix() -> None:
    matrix = section("## Failure kind × check: Meter")
    names = {check.name for each in meter_definitions.SYSTEM.declarations.values() for check in each.checks}
    assert undocumented((name for name in names if not name.endswith("_orphans")), matrix) == []
    assert "…_orphans" in matrix


def test_every_check_of_booking_is_documented_as_it_is_declared() -> None:
    text = section("## Checks", BOOKING)
    rows = {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in text.splitlines() if "|" in line}
    declared = set()
    for declaration in booking_definitions.SYSTEM.declarations.values():
        for check in declaration.checks:
            if check.name == f"{declaration.name}_key_unique":
                continue  # said once
            levels = ", ".join(name for name, limits in (("WARN", check.warn), ("ERROR", check.error)) if limits)
            last = (check.limits_text(), levels, "yes" if check.blocking else "no")
            declared.add((f"`{check.name}`", f"`{declaration.name}`", check.description, *last))
    assert {row for row in rows if row[0].startswith("`")} == declared
    assert "`…_key_unique`" in text


def test_every_check_of_booking_is_in_its_matrix() -> None:
    matrix = section("## Failure kind × check: Booking")
    names = {check.name for each in booking_definitions.SYSTEM.declarations.values() for check in each.checks}
    said_once = ("_key_unique", "_orphans")
    assert undocumented((name for name in names if not name.endswith(said_once)), matrix) == []
    assert all(f"…{name}" in matrix for name in said_once)


def test_every_check_of_billing_is_documented_as_it_is_declared() -> None:
    text = section("## Checks", BILLING)
    shown = {tuple(cell.strip() for cell in line.strip("|").split("|")) for line in text.splitlines() if "| `" in line}
    declared = set()
    for declaration in billing_definitions.SYSTEM.declarations.values():
        for check in declaration.checks:
            levels = ", ".join(name for name, limits in (("WARN", check.warn), ("ERROR", check.error)) if limits)
            last = (check.description, check.limits_text(), levels, "yes" if check.blocking else "no")
            declared.add((f"`{check.name}`", f"`{declaration.name}`", *last))
    assert shown == declared


def test_every_check_of_billing_is_in_its_matrix() -> None:
    matrix = section("## Failure kind × check: Billing")
    names = {check.name for each in billing_definitions.SYSTEM.declarations.values() for check in each.checks}
    common = ("_conservation", "_reject_rate", "_pk_unique_not_null", "_orphans")
    assert undocumented((name for name in names if not name.endswith(common)), matrix) == []
    assert all(f"…{name}" in matrix for name in common)


def test_every_reason_code_and_skip_rule_of_billing_is_documented() -> None:
    ordered = [rule for each in vars(billing_rules).values() if isinstance(each, tuple) for rule in each]
    of_rows = [rule for rule in (*ordered, billing_rules.period_overlap) if isinstance(rule, Rule)]
    rejecting = {rule.code for rule in of_rows if rule.outcome is Outcome.REJECTED}
    assert set(REASON.findall(section("## Reason codes", BILLING))) == rejecting
    skipping = {rule.code for rule in of_rows if rule.outcome is Outcome.SKIPPED}
    assert set(re.findall(r"^\| `(\w+)` \|", section("## Skip rules", BILLING), re.MULTILINE)) == skipping


# --- codes of rows ----------------------------------------------------------------------------------------------------


def _cells(columns: Iterable[str], **values: str) -> pd.DataFrame:
    """One row of cells in which everything but the given values is missing."""
    row = {"source_row": [1], "malformed": [None], **{name: [values.get(name)] for name in columns}}
    return pd.DataFrame(row, dtype=object).astype({"source_row": "int64"})


@pytest.fixture
def warnings_known(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The codes of all flags that the frame functions make warnings of."""
    known: set[str] = set()
    for module in (customers, payments, branches):
        join = module.join_codes

        def recorded(flags: dict[str, pd.Series], join: Any = join) -> pd.Series:
            known.update(flags)
            return join(flags)

        monkeypatch.setattr(module, "join_codes", recorded)
    return known


def _clean_customer() -> pd.DataFrame:
    rows = _cells(sources.customers.columns, id_pelanggan="A1")
    return customers.sanitised(customers.identified(rows, fallback=False), policy_from_environment())


def test_every_warning_is_documented(warnings_known: set[str]) -> None:
    _clean_customer()
    branches.parsed_branches(_cells(sources.branches.columns, cabang="A"))
    paid = {"id_pelanggan": "A1", "periode": "2026-02", "nominal_harus_dibayar": "5", "status_pembayaran": "Lunas"}
    rows = _cells(sources.transactions.columns, **paid)
    payments.accepted_payments(payments.parsed_payments(rows), rows)
    assert {"phone_invalid", "paid_at_unparsed", "branch_count_invalid"} <= warnings_known
    described = section("## Warnings")
    assert undocumented(warnings_known, described) == []
    assert set(re.findall(r"`(\w+)`", described)) - warnings_known - {"paid_at", "unknown"} == set()


def _all_rules() -> list[Rule]:
    return [*rules.customer, *rules.branch, *rules.payment(dt.date(2026, 1, 1), frozenset())]


def test_every_reason_code_is_documented() -> None:
    described = section("## Reason codes")
    rejecting = {rule.code for rule in _all_rules() if rule.outcome is Outcome.REJECTED}
    assert undocumented(rejecting, described) == []
    assert set(REASON.findall(described)) == rejecting


def test_every_skip_rule_is_documented() -> None:
    described = section("## Skip rules")
    final = _clean_customer()
    current = pd.DataFrame(columns=["customer_id", "source_url", "status", "error_code"])
    skipping = {rule.code for rule in _all_rules() if rule.outcome is Outcome.SKIPPED}
    for labelled in (
        packages.package_rows(final),
        routers.router_rows(final),
        photos.queue_rows(final, current, policy_from_environment()),
    ):
        skipping |= set(labelled.ledger.loc[labelled.ledger["outcome"] == "skipped", "reason"])
    skipping |= set(payments._NO_PAYMENT.values()) | set(_literal_skips())
    assert {"no_package", "no_router", "no_photo", "total_row", "void_invoice", "unknown_router"} <= skipping
    assert undocumented(skipping, described) == []


def _literal_skips() -> Iterator[str]:
    """The rules that a step counts itself: `step.tally.skipped_by["…"]`."""
    for module in sources_of("skynet_assets"):
        for node in ast.walk(module):
            if isinstance(node, ast.Subscript) and getattr(node.value, "attr", "") == "skipped_by":
                yield ast.literal_eval(node.slice)


def test_every_code_in_capitals_is_documented() -> None:
    codes = {text for text in constants("skynet_assets") if REASON.fullmatch(text) and not SETTING.fullmatch(text)}
    assert {"ORPHAN_CUSTOMER", "HOST_NOT_ALLOWED", "REDIRECT_REFUSED"} <= codes
    answers = {problem.value for problem in FetchProblem if problem is not FetchProblem.ENCODED}
    assert undocumented(codes | answers, CHECKS) == []


# --- codes of Meter ---------------------------------------------------------------------------------------------------

_Parsed = Callable[[pd.DataFrame], pd.DataFrame]
_METER_ROWS: dict[str, tuple[_Parsed, Any, Callable[[sa.Table, str], Resolution] | None]] = {
    "tenants": (meter_people.parsed_tenants, meter_sources.tenants, None),
    "customers": (meter_people.parsed_users, meter_sources.users, meter_people._resolved_customers),
    "meters": (meter_meters.parsed_meters, meter_sources.meters, meter_meters._resolved_meters),
    "meter_assignments": (
        meter_meters.parsed_assignments,
        meter_sources.meter_assignments,
        meter_meters._resolved_assignments,
    ),
    "bills": (meter_billing.parsed_bills, meter_sources.bills, meter_billing._resolved_bills),
    "invoices": (meter_billing.parsed_invoices, meter_sources.invoices, meter_billing._resolved_invoices),
    "invoice_bills": (meter_billing.parsed_links, meter_sources.invoice_bills, meter_billing._resolved_links),
    "payments": (meter_payments.parsed_payments, meter_sources.payments, meter_payments._resolved_payments),
    "overpayments": (
        meter_payments.parsed_overpayments,
        meter_sources.overpayments,
        meter_payments._resolved_overpayments,
    ),
}


@pytest.fixture
def meter_codes(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[tuple[str, str]]]:
    """Per kind of code (rejects, skips, warnings) the pairs of a table of Meter and a code that its rows may get."""
    known: dict[str, set[tuple[str, str]]] = {"rejects": set(), "skips": set(), "warnings": set()}
    join, flags = meter_rows._joined, set[str]()

    def recorded(warnings: Any, index: pd.Index) -> pd.Series:
        flags.update(warnings)
        return join(warnings, index)

    monkeypatch.setattr(meter_rows, "_joined", recorded)
    for table, (parsed, source, resolve) in _METER_ROWS.items():
        flags.clear()
        frame = parsed(_cells(source.columns, id="1"))
        known["warnings"] |= {(table, code) for code in flags}
        for rule in getattr(meter_rules, table.removesuffix("s")):
            kind = "rejects" if rule.outcome is Outcome.REJECTED else "skips"
            known[kind].add((table, rule.code))
        if resolve is not None:
            columns = [sa.Column(name, sa.Numeric) for name in frame.columns if not name.endswith(PROBLEM)]
            resolution = resolve(sa.Table("stage", sa.MetaData(), *columns), "export")
            known["rejects"] |= {(table, code) for code, _ in resolution.rejects}
            known["warnings"] |= {(table, code) for code in resolution.warnings}
    assert set(_METER_ROWS) == _LOADS
    return known


def _first_cells(heading: str) -> set[str]:
    """The codes in the first cells of the tables under a heading of Meter's page."""
    lines = [line for line in section(heading, METER).splitlines() if line.startswith("| `")]
    return {code for line in lines for code in re.findall(r"`(\w+)`", line.split("|")[1])}


def test_every_reason_code_of_meter_is_documented(meter_codes: dict[str, set[tuple[str, str]]]) -> None:
    assert _first_cells("## Reason codes") == {code for _, code in meter_codes["rejects"]}


def test_every_skip_rule_of_meter_is_documented(meter_codes: dict[str, set[tuple[str, str]]]) -> None:
    steps = {
        ast.literal_eval(node.slice)
        for module in sources_of("meter_assets")
        for node in ast.walk(module)
        if isinstance(node, ast.Subscript) and getattr(node.value, "attr", "") == "skipped_by"
    }
    assert _first_cells("## Skip rules") == {code for _, code in meter_codes["skips"]} | steps


def test_every_warning_of_meter_is_documented_with_its_tables(meter_codes: dict[str, set[tuple[str, str]]]) -> None:
    shown = set()
    for line in section("## Warnings", METER).splitlines():
        if line.startswith("| `"):
            codes, where = (set(re.findall(r"`(\w+)`", cell)) for cell in line.split("|")[1:3])
            shown |= {(table, code) for code in codes for table in where or _LOADS}
    assert shown == meter_codes["warnings"] | {("full_validation", full_validation.SKIPPED)}


def test_every_review_reason_of_meter_is_documented() -> None:
    module = ast.parse(Path(str(payment_meter_ids.__file__)).read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(module) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    sources = {*meter_tables.PAYMENT_METER_SOURCES, *meter_tables.CREDIT_METER_SOURCES}
    assert _first_cells("## Review reasons") == {text for text in texts if REASON.fullmatch(text)} - sources
    assert undocumented(sources, section("## The five steps", METER)) == []


def test_every_finding_of_meter_is_documented_with_its_severity() -> None:
    module = ast.parse(Path(str(full_validation.__file__)).read_text(encoding="utf-8"))
    calls = [n for n in ast.walk(module) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "_Finding"]
    found = {ast.literal_eval(call.args[0]): call.args[2] for call in calls}
    shown = {
        cells[1].strip(" `"): cells[3].strip()
        for line in section("## Findings", METER).splitlines()
        if line.startswith("| `") and (cells := line.split("|"))
    }
    assert shown.keys() == found.keys()
    for name, severity in found.items():
        if isinstance(severity, ast.Constant):
            assert shown[name] == severity.value, name


def test_every_code_in_capitals_of_meter_is_documented() -> None:
    codes = {text for text in constants("meter_assets") if REASON.fullmatch(text)}
    assert {"FIRST_INACTIVE", "LEGACY_IDENTITY", "EXPORT_SHRANK"} <= codes
    assert undocumented(codes, METER) == []


# --- codes of Booking -------------------------------------------------------------------------------------------------


def test_every_reason_code_of_booking_is_documented() -> None:
    rejecting = {rule.code for rule in booking_rules.JUDGED if rule.outcome is Outcome.REJECTED}
    shown = set(REASON.findall(section("## Reason codes", BOOKING)))
    assert shown == rejecting | set(booking_rules.COLUMNS) - _SKIPPING | {
        booking_rules.MALFORMED_ROW,
        booking_rules.INVALID_PK,
    }


_SKIPPING = {rule.code for rule in booking_rules.JUDGED if rule.outcome is Outcome.SKIPPED}


def test_every_code_in_capitals_of_booking_is_documented() -> None:
    codes = {text for text in constants("booking_assets") if REASON.fullmatch(text)} - _STATUS_WORDS
    assert {"SAME_IDENTITY", "NO_DRIVER", "ACTIVE_ITEMS", "UNKNOWN_SOURCE"} <= codes
    assert undocumented(codes, BOOKING) == []
    assert undocumented([BATCH_CODE_TAG], BOOKING) == []


# What legacy systems or people write, and the tables' own vocabularies.
_STATUS_WORDS = {"PARTIALLY_REFUNDED", "PENDING_PAYMENT", "NO_SHOW", "IN_REVIEW", "CATALOG_PRODUCT", "CATALOG_VARIANT"}


# --- commands ---------------------------------------------------------------------------------------------------------

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def _shown_commands(program: str) -> list[tuple[str, list[str]]]:
    """Every use of a program in the docs: the page, and its words."""
    found = []
    for page, text in TEXTS.items():
        lines = [line for language, block in FENCE.findall(text) if language == "sh" for line in block.splitlines()]
        lines += re.findall(rf"`({program} [^`\n]+)`", FENCE.sub("", text))
        for line in lines:
            for call in re.findall(rf"(?:^|[ (])({program} [^)&|;]*)", line.split(" #")[0]):
                found.append((page.name, shlex.split(call.replace('"', ""))[1:]))
    return found


def test_every_command_and_option_is_documented() -> None:
    missing = [name for name in COMMANDS if f"`migrate {name}`" not in OPERATING]
    options = {name: {o for p in c.params for o in p.opts if o.startswith("--")} for name, c in COMMANDS.items()}
    shown = {word.lstrip("-") for word in re.findall(r"--[a-z-]+", OPERATING)}
    missing += [f"{name} {o}" for name, of in options.items() for o in sorted(of) if o.lstrip("-") not in shown]
    assert missing == []


def test_every_command_shown_can_be_parsed() -> None:
    calls = _shown_commands("migrate")
    assert len(calls) > 40
    for page, arguments in calls:
        name, *rest = arguments
        assert name in COMMANDS, f"{page}: migrate {name}"
        complete = [part for part in rest if part != "…"]
        if not complete and any(p.required for p in COMMANDS[name].params):
            continue  # only named, as in `migrate explain`
        try:
            COMMANDS[name].make_context(name, complete)
        except Exception as error:
            pytest.fail(f"{page}: migrate {shlex.join(arguments)}: {error}")


def test_every_run_option_shown_exists() -> None:
    for _, arguments in _shown_commands("migrate"):
        for flag, value in zip(arguments, arguments[1:], strict=False):
            if flag == "--set":
                assert value.partition("=")[0] in {*meter_options.MeterRun.model_fields, "key"}


def test_every_make_target_is_documented_and_every_one_shown_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    shown = {arguments[0] for _, arguments in _shown_commands("make")}
    assert shown <= targets
    assert targets - {"help"} <= shown


# --- pages ------------------------------------------------------------------------------------------------------------


def _links() -> list[tuple[Path, str]]:
    links = [(page, target) for page, text in TEXTS.items() for _, target in LINK.findall(FENCE.sub("", text))]
    return [(page, target) for page, target in links if not re.match(r"[a-z]+:", target)]


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", TEXTS[page]), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere() -> None:
    broken = []
    for page, target in _links():
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        if place.is_relative_to(IMAGES) and not any(IMAGES.glob("*.png")):
            continue  # none has been taken yet
        if not place.exists() or (anchor and anchor not in _anchors(place)):
            broken.append(f"{page.name}: {target}")
    assert broken == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [README]
    while waiting:
        page = waiting.pop()
        reached.add(page)
        places = [(page.parent / target.partition("#")[0]).resolve() for of, target in _links() if of == page]
        waiting += [place for place in places if place in TEXTS and place not in reached]
    decisions = {page for page in PAGES if page.parent.name == "decisions"}
    assert set(PAGES) - reached - decisions == set()


def test_decisions_are_numbered_and_whole() -> None:
    pages = sorted((DOCS / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = TEXTS[page]
        assert text.startswith(f"# {page.name[:4]} ")
        assert re.search(r"^\d{4}-\d{2}-\d{2} · (accepted|replaced)", text, re.MULTILINE), page.name
        assert all(f"## {part}" in text for part in ("Context", "Decision", "Consequences")), page.name


def test_no_page_names_a_place_of_one_machine() -> None:
    for page, text in TEXTS.items():
        assert not re.search(r"/(?:work|home|root|Users)/", text), page.name


def test_the_code_of_the_developers_page_makes_a_system() -> None:
    blocks = [block for language, block in FENCE.findall(TEXTS[DOCS / "developing.md"]) if language == "python"]
    module: dict[str, Any] = {"__name__": "docs_developing"}
    for block in blocks:
        exec(compile(block, "docs/developing.md", "exec"), module)  # noqa: S102 - our own page
    keys = module["defs"].resolve_asset_graph().get_all_asset_keys()
    names = {"landing_zone", "export", "depots", "parcels_clean", "parcels", "scans", "scan_places"}
    assert keys == {dg.AssetKey(["parcels", name]) for name in names}
    jobs = {job.name for job in module["automation"].jobs}
    assert jobs >= {"parcels_migration"} | {
        job for stage in module["PARCELS"].stages for job in (stage.job, stage.dry_run_job)
    }
    assert {job.name for job in module["defs"].resolve_all_job_defs()} >= jobs


@each_system
def test_every_table_shown_exists(built: Documented) -> None:
    known = {table.name for table in built.system.metadata.tables.values()}
    schema = rf"\b{built}(?:__dry_run)?\.([a-z_]+)\b(?!\()"
    shown = {name for text in TEXTS.values() for name in re.findall(schema, text)}
    assert shown - known - {"md"} == set()


def test_what_the_docs_say_of_partitions_and_files_is_so() -> None:
    assert f"`{MONTHS.get_first_partition_key()}`" in SKYNET
    assert f"`{PARTITIONS_NAME}`" in METER
    for source in meter_sources.ALL:
        keys = ", ".join(f"`{key}`" for key in source.required_keys)
        assert re.search(rf"^\| `{source.name}` \| (yes|no;.*) \| {keys} \|$", METER, re.MULTILINE), source.name
    assert f"`{MANIFEST_NAME}`" in OPERATING
