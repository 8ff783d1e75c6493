"""Personal and card data stay where they belong: no log, event, error or reject holds them, a card number no table."""

import logging
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from dagster._serdes import serialize_value

from tests.dental.dental_cases import note, notification, office, operation, order, patient, payment, user
from tests.dental.dental_harness import DRY_RUN_JOB, Lab, Ran
from tests.dental.dental_small import FIRST, grown, small
from tests.dental.dental_writing import Junk, Written, encoded

PASSWORD, BIN = "pbkdf2_canary", "556677xbin"
NAME, MAIL, STREET, WORDS = "Canaryname", "canary@secret.test", "Canary Street", "canarywords"
# Numbers of cards in the ways that a person writes them, all of one card.
PAN = "5566770000000011"
PANS = (PAN, "5566 7700 0000 0011", "5566-7700-0000-0011", "5566.7700.0000.0011", "5566\u00a07700  0000 0011")
CARD = {"card_bin": BIN, "Card_Bin": BIN, "PASSWORD": PASSWORD, "password": PASSWORD, "pan": PAN, "deep": [*PANS]}
NEVER = (PASSWORD, BIN, *PANS)
PERSONAL = (NAME, MAIL, STREET, WORDS)


def test_the_canary_is_a_card() -> None:
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(PAN))]
    assert sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0
    assert PAN.startswith(BIN[:6])


def person(key: int, *groups: str, **values: Any) -> Any:
    return user(key, *groups, **{"first_name": NAME, "email": MAIL, "password": PASSWORD} | values)


def text(pan: str) -> str:
    return f"{WORDS} {pan} {WORDS}"


def world() -> dict[str, Any]:
    """An export whose good, merged, rejected and unreadable rows all hold canaries."""
    pans = list(enumerate(PANS, start=501))
    bad = {"payment_id": 999, "price": "1", "card_bin": BIN, "sq_order_id": text(PAN)}
    export = grown(
        *(person(key, "Patient") for key in (501, 502)),
        person(501, "Patient", email=NAME, last_login=NAME),
        *(order(key, 1, notes=text(pan), complaint=text(pan), exports=dict(CARD)) for key, pan in pans),
        order(601, 999, notes=text(PAN), exports=CARD),
        *(payment(key, 1, installments=[CARD, text(pan)]) for key, pan in pans),
        *(payment(600 + key, 999, installments=f'{{"password": "{PASSWORD}", "a": "{pan}"}}') for key, pan in pans),
        *(operation(key, 1, card_bin=BIN, card_last=pan) for key, pan in pans),
        *(("dispatch_operation", bad | {"id": 600 + key, "card_last": pan}) for key, pan in pans),
        ("dispatch_operation", bad | {"id": 701, "card_last": int(PAN)}),
        *(note(key, 1, 1, text(pan)) for key, pan in pans),
        *(note(600 + key, 999, 999, text(pan)) for key, pan in pans),
        *(("dispatch_task", {"id": key, "instruction_id": 1, "text": text(pan)}) for key, pan in pans),
        *(("dispatch_comment", {"id": key, "plan_id": 1, "text": text(pan)}) for key, pan in pans),
        *(
            ("dispatch_record", {"id": key, "target_id": target, "target_type_id": 2, "text": text(pan)})
            for start, target in ((0, 1), (600, 999))
            for key, pan in [(start + key, pan) for key, pan in pans]
        ),
        *(notification(key, target, template_context=CARD | {"a": text(PAN)}) for key, target in ((501, 1), (502, 99))),
        office(501, address=STREET),
        patient(501, 999, suffix=NAME),
    )
    files: dict[str, Any] = dict(export)
    for table in ("auth_user", "dispatch_operation", "dispatch_instruction", "dispatch_notification"):
        cut = f'{{"id": 9, "card_last": "{PAN}", "a": "{PANS[1]}"'
        odd = f'["{PANS[2]}"]'
        secret = f'{{"password": "{PASSWORD}", "card_bin": "{BIN}"'
        broken = [cut, odd, *([secret] if table in ("auth_user", "dispatch_operation") else [])]
        rows = [*export[table], *map(Junk, broken), {"id": "x", **CARD, "card_last": PANS[1], "email": MAIL}]
        files[table] = encoded(rows, "jsonl")
    return files


def told(lab: Lab, ran: Ran) -> str:
    """All that Dagster keeps of a run: events, errors with their stacks, metadata."""
    entries = lab.instance.all_logs(ran.run_id)
    run = lab.instance.get_run_by_id(ran.run_id)
    texts = [serialize_value(entry) + entry.user_message for entry in entries]
    return "\n".join([*texts, serialize_value(run) if run else "", str(ran.failures)])


def assert_silent(said: str, secrets: tuple[str, ...] = (*NEVER, *PERSONAL)) -> None:
    assert [secret for secret in secrets if secret.lower() in said.lower()] == []


def holding(lab: Lab, secret: str) -> set[str]:
    """The tables of the database that hold a text anywhere."""
    tables = lab.fetch("SELECT schemaname, tablename FROM pg_tables WHERE schemaname LIKE 'dental%'")
    found = {
        f"{schema}.{name}": lab.fetch(
            f"SELECT count(*) FROM {schema}.{name} t WHERE position(lower('{secret}') IN lower(t::text)) > 0"
        )[0][0]
        for schema, name in tables
    }
    return {name for name, rows in found.items() if rows}


def kept_in_files(lab: Lab) -> str:
    """What is in the files of the work folder."""
    files = [path for path in (lab.settings.home / "work").rglob("*") if path.is_file()]
    return "\n".join(_content(path) for path in files)


def _content(path: Path) -> str:
    if path.suffix == ".parquet":
        return str(pq.read_table(path).to_pylist())
    return path.read_bytes().decode(errors="replace")


@pytest.fixture
def canaries(dental_lab: Lab, caplog: pytest.LogCaptureFixture) -> Lab:
    caplog.set_level(logging.DEBUG)
    dental_lab.put(FIRST, world())
    return dental_lab


def test_runs_tell_nothing_and_no_table_holds_a_card(canaries: Lab, caplog: pytest.LogCaptureFixture) -> None:
    lab = canaries
    runs = [lab.run(DRY_RUN_JOB, export_id=FIRST), lab.migrate(FIRST)]
    runs += lab.notify(FIRST, lab.partitions())
    assert [ran.failures for ran in runs] == [{}] * len(runs)
    assert len(lab.partitions()) == 3
    for ran in runs:
        assert_silent(told(lab, ran))
    assert_silent(caplog.text)
    assert {secret: holding(lab, secret) for secret in NEVER} == dict.fromkeys(NEVER, set())
    assert_silent(kept_in_files(lab), NEVER)
    assert holding(lab, NAME) >= {"dental.profiles", "dental.rejected_row"}
    books = {"dental.row_ledger", "dental.migration_run_log", "dental.migration_success_report"}
    for secret in PERSONAL:
        assert holding(lab, secret) & books == set()
    assert len(lab.fetch("SELECT 1 FROM dental.payment_operations WHERE card_last4 = '0011'")) == len(PANS)
    raws = lab.fetch(
        "SELECT raw->>'card_last' FROM dental.rejected_row WHERE source_pk LIKE '11%' OR source_pk = '701'"
    )
    assert {last for (last,) in raws if last} == {"0011"}


BREAKERS = {
    "constraint": ["ALTER TABLE dental.profiles ADD CHECK (first_name NOT LIKE 'Canary%')"],
    "trigger": [
        "CREATE FUNCTION dental.shout() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no % %', NEW.first_name, NEW.email; END $$",
        "CREATE TRIGGER shout BEFORE INSERT ON dental.profiles FOR EACH ROW EXECUTE FUNCTION dental.shout()",
    ],
}


@pytest.mark.parametrize("broken", list(BREAKERS))
def test_a_failure_of_the_database_tells_nothing(canaries: Lab, caplog: pytest.LogCaptureFixture, broken: str) -> None:
    canaries.execute(*BREAKERS[broken])
    ran = canaries.migrate(FIRST)
    assert "profiles" in ran.failures
    assert_silent(told(canaries, ran))
    assert_silent(caplog.text)
    assert_silent(str(canaries.fetch("SELECT error FROM dental.migration_run_log")))


@pytest.mark.parametrize(
    "spoiled",
    [f'[{{"first_name": "{NAME}", "password": "{PASSWORD}'.encode(), f'[{{"email": "{MAIL}"}}]'.encode(), PAN.encode()],
    ids=["cut", "without id", "no array"],
)
def test_a_bad_export_tells_nothing(dental_lab: Lab, caplog: pytest.LogCaptureFixture, spoiled: bytes) -> None:
    caplog.set_level(logging.DEBUG)
    dental_lab.put(FIRST, {**small(), "auth_user": Written(spoiled, 1, "json")}, manifest=False)
    ran = dental_lab.migrate(FIRST)
    assert set(ran.failures) == {"export_validation"}
    assert_silent(told(dental_lab, ran))
    assert_silent(caplog.text)
