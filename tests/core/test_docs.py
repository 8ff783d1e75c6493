"""The docs say what the code has: names, codes, settings, commands and links; whatever is undocumented fails here."""

import ast
import datetime as dt
import importlib
import pkgutil
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import typer

import migration
import skynet_assets
from migration.automation import RollbackConfig
from migration.cli.main import app
from migration.declare.run import MigrationRun
from migration.errors import MigrationError
from migration.exports.manifest import MANIFEST_NAME
from migration.fetch import Problem as FetchProblem
from migration.outcome import Outcome, Rule
from migration.warehouse.runlog import Status
from skynet_assets import rules, sources, tables
from skynet_assets.assets import branches, customers, packages, payments, photos, routers
from skynet_assets.assets.photos import policy_from_environment
from skynet_assets.automation import AUTOMATION
from skynet_assets.definitions import SYSTEM, defs
from skynet_assets.months import MONTHS

PROJECT = Path(__file__).resolve().parents[2]
README = PROJECT / "README.md"
DOCS = PROJECT / "docs"
IMAGES = DOCS / "images"
PAGES = sorted([README, PROJECT / "CHANGELOG.md", *DOCS.rglob("*.md")])
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
OPERATING = TEXTS[DOCS / "operating.md"]
CHECKS = TEXTS[DOCS / "checks.md"]
SKYNET = TEXTS[DOCS / "systems" / "skynet.md"]

SETTING = re.compile(r"(?:MIGRATION|SKYNET)(?:_[A-Z]+)+")
REASON = re.compile(r"[A-Z]+(?:_[A-Z]+)+")
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def words(text: str) -> frozenset[str]:
    """Every name that a text shows as code, and the parts of those that are commands or paths."""
    spans = re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    blocks = [block for _, block in FENCE.findall(text)]
    return frozenset(word for piece in (*spans, *blocks) for word in re.findall(r"[A-Za-z_][A-Za-z0-9_-]*", piece))


def section(heading: str) -> str:
    """What `docs/checks.md` has under a heading."""
    return CHECKS.split(f"\n{heading}\n")[1].split("\n## ")[0]


def undocumented(names: Iterable[str], text: str) -> list[str]:
    return sorted(set(names) - words(text))


# --- names ------------------------------------------------------------------------------------------------------------


def test_every_asset_is_documented() -> None:
    keys = defs.resolve_asset_graph().get_all_asset_keys()
    assert undocumented((key.path[-1] for key in keys), SKYNET) == []


def test_every_target_table_and_group_is_documented() -> None:
    graph = defs.resolve_asset_graph()
    groups = {graph.get(key).group_name for key in graph.get_all_asset_keys()}
    assert undocumented((table.name for table in tables.metadata.tables.values()), SKYNET) == []
    assert undocumented((group for group in groups if group), SKYNET) == []
    assert undocumented((source.name for source in sources.ALL), SKYNET) == []


@pytest.mark.parametrize("kind", ["jobs", "schedules", "sensors"])
def test_all_automation_is_documented(kind: str) -> None:
    assert undocumented((each.name for each in getattr(AUTOMATION, kind)), OPERATING) == []


def test_the_docs_say_which_schedules_and_sensors_are_on() -> None:
    for each in (*AUTOMATION.schedules, *AUTOMATION.sensors):
        row = next(line for line in OPERATING.splitlines() if line.startswith(f"| `{each.name}`"))
        running = each.default_status.value == "RUNNING"
        assert row.split("|")[2].strip() == ("on" if running else "stopped"), each.name


def test_the_docs_name_no_job_that_does_not_exist() -> None:
    known = {each.name for kind in ("jobs", "schedules", "sensors") for each in getattr(AUTOMATION, kind)}
    shown = {word for text in TEXTS.values() for word in words(text) if word.startswith("skynet_")}
    graph = defs.resolve_asset_graph()
    groups = {graph.get(key).group_name for key in graph.get_all_asset_keys()}
    assert shown - known - groups - {"skynet_assets", "skynet_roll_back", "skynet__dry_run"} == set()


def test_every_run_option_is_documented() -> None:
    assert undocumented([*MigrationRun.model_fields, *RollbackConfig.model_fields], OPERATING) == []


def test_every_status_is_documented() -> None:
    assert undocumented((status.value for status in Status), OPERATING) == []
    assert undocumented((outcome.value for outcome in Outcome), TEXTS[README]) == []


def test_every_error_is_documented() -> None:
    for package in (migration, skynet_assets):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    kinds = {error.__name__ for error in _descendants(MigrationError) if not error.__module__.startswith("tests")}
    assert undocumented({"MigrationError", *kinds}, OPERATING) == []


def _descendants(error: type[Exception]) -> Iterator[type[Exception]]:
    for each in error.__subclasses__():
        yield each
        yield from _descendants(each)


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


def test_the_docs_name_no_setting_that_does_not_exist() -> None:
    texts = [path.read_text(encoding="utf-8") for path in _code_files()]
    shown = {name for text in TEXTS.values() for name in SETTING.findall(text)}
    assert [name for name in sorted(shown) if not any(name in text for text in texts)] == []


def _code_files() -> Iterator[Path]:
    yield PROJECT / "Makefile"
    for package in ("migration", "skynet_assets", "tests"):
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
                assert value.partition("=")[0] in {*MigrationRun.model_fields, "key"}


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
    names = {"landing_zone", "export", "depots", "parcels_clean", "parcels"}
    assert keys == {dg.AssetKey(["parcels", name]) for name in names}
    assert {job.name for job in module["automation"].jobs} >= {"parcels_migration", "parcels_dry_run"}


def test_every_table_shown_exists() -> None:
    known = {table.name for table in tables.metadata.tables.values()}
    shown = {name for text in TEXTS.values() for name in re.findall(r"\bskynet\.([a-z_]+)\b(?!\()", text)}
    assert shown - known - {"md"} == set()


def test_what_the_docs_say_of_partitions_and_files_is_so() -> None:
    assert f"`{MONTHS.get_first_partition_key()}`" in SKYNET
    assert f"`{MANIFEST_NAME}`" in OPERATING
