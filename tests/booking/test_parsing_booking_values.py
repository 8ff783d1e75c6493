"""What each parser makes of the values that the legacy systems are known to hold."""

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from booking_assets import sources
from booking_assets.parsing.bookings import panel_rows, website_rows
from booking_assets.parsing.contacts import email, is_placeholder_email, is_placeholder_name
from booking_assets.parsing.currencies import country, currency
from booking_assets.parsing.json_values import json_value
from booking_assets.parsing.keys import canonical_name, key, keys, row_name
from booking_assets.parsing.names import name_key, slug
from booking_assets.parsing.numbers import boolean, integer, money, primary_key
from booking_assets.parsing.payloads import canonical_json, payload_hash
from booking_assets.parsing.phones import e164, fallback_phone
from booking_assets.parsing.problem import Problem
from booking_assets.parsing.statuses import (
    booking_is_cancelled,
    booking_signal,
    channel,
    channels,
    is_active_item,
    ops_statuses,
    payment_method,
    payment_status,
    traveler_type,
)
from booking_assets.parsing.texts import cut, cuts, raw_text, text, upper
from booking_assets.parsing.times import bali_date, birth_date, clock, is_date_only, record_limit, timestamp
from booking_assets.parsing.warnings import cut as cut_warnings
from booking_assets.parsing.warnings import invalid
from tests.booking.booking_columns import INTEGERS, MONEY, cells
from tests.booking.booking_frames import LATEST, PANEL_ROW, table

NULL, INVALID = Problem.NULL, Problem.INVALID


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, NULL),
        (" \t\u00a0\x1c", NULL),
        ("", NULL),
        ("\x00", NULL),
        (" ab  12\ncd ", "ab 12 cd"),
        ("a\x00b\ud83dc", "abc"),
        (62811, "62811"),
        (Decimal("12.50"), "12.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("100"), "100"),
        (Decimal("-0.00"), "-0"),
        (Decimal("0.00"), "0"),
        (Decimal("0.000001"), "0.000001"),
        (True, "true"),
        (False, "false"),
        ([1], NULL),
        ({"a": 1}, NULL),
    ],
)
def test_text(value: Any, expected: object) -> None:
    assert text(value) == expected


def test_raw_text_keeps_what_is_inside() -> None:
    assert raw_text("  a \n\n b\t") == "a \n\n b"
    assert raw_text(Decimal("1.10")) == "1.1"
    assert raw_text([]) is NULL
    assert upper(" ab 12cd ") == "AB 12CD"


def test_texts_are_cut() -> None:
    assert cut("abcdef", 3) == "abc"
    values, flags = cuts(pd.Series(["abcd", None, "abc"], dtype="str"), 3)
    assert values.tolist()[::2] == ["abc", "abc"]
    assert flags.tolist() == [True, False, False]
    assert list(cut_warnings(name=flags, slug=~flags & False)) == ["cut_name"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        (Decimal("5.00"), 5),
        (" +7.0 ", 7),
        ("-3", -3),
        ("007", 7),
        (2147483647, 2147483647),
        (-2147483647, -2147483647),
        (2147483648, INVALID),
        ("99999999999999999999999999", INVALID),
        (Decimal("1E+400"), INVALID),
        (Decimal("5.5"), INVALID),
        ("5.", INVALID),
        ("5.5", INVALID),
        ("\u0665", INVALID),
        ("1,000", INVALID),
        (True, INVALID),
        ([5], INVALID),
        (" ", NULL),
        (None, NULL),
    ],
)
def test_integer(value: Any, expected: object) -> None:
    assert integer(value) == expected
    key_of = expected if not isinstance(expected, int) or expected >= 1 else INVALID
    assert primary_key(value) == key_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("100"), "100.00"),
        ("1,234,567.891", "1234567.89"),
        ("1,23", INVALID),
        ("12,345", "12345.00"),
        ("1234,567", INVALID),
        (" +0.005 ", "0.01"),
        (Decimal("-0.005"), "-0.01"),
        (Decimal("-0.004"), "0.00"),
        ("9999999999.994", "9999999999.99"),
        ("9999999999.995", INVALID),
        (Decimal("1E+400"), INVALID),
        (Decimal("1E-400"), "0.00"),
        ("1e3", INVALID),
        (".5", INVALID),
        ("USD 5", INVALID),
        (True, INVALID),
        ("", NULL),
    ],
)
def test_money(value: Any, expected: object) -> None:
    assert money(value) == (Decimal(expected) if isinstance(expected, str) else expected)
    assert str(money(value)) == str(expected)


@pytest.mark.parametrize("value", [True, 1, Decimal("1.0"), "TRUE", "yes", "Y", "on", "T", " 1 "])
def test_true(value: Any) -> None:
    assert boolean(value) is True


@pytest.mark.parametrize("value", [False, 0, Decimal("0.0"), "false", "NO", "n", "Off", "f", "0"])
def test_false(value: Any) -> None:
    assert boolean(value) is False


def test_neither_true_nor_false() -> None:
    assert [boolean(value) for value in (2, "1.0", "ja", [], {})] == [INVALID] * 5
    assert [boolean(value) for value in (None, "", " ")] == [NULL] * 3


def test_codes() -> None:
    assert currency(" usd ") == "USD"
    assert [currency(value) for value in ("US", "USDT", "U D", 123, [])] == [INVALID] * 5
    assert currency("") is NULL
    assert country("id") == "ID"
    assert country("IDN") is INVALID


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-02-19", "2026-02-19"),
        (" 2026-02-19T03:04 ", "2026-02-19 03:04"),
        ("2026-02-19 03:04:05.678Z", "2026-02-19 03:04:05.678"),
        ("2026-02-19T03:04:05.123456+08:00", "2026-02-18 19:04:05.123456"),
        ("2026-02-19T03:04:05-0130", "2026-02-19 04:34:05"),
        ("2026-02-19T03:04:05+08", "2026-02-18 19:04:05"),
        ("2024-02-29T00:00:00Z", "2024-02-29"),
        (1767225600000, "2026-01-01"),
        ("946684800000", "2000-01-01"),
        (4102444799999, "2099-12-31 23:59:59.999"),
        ("2000-01-01T07:59:59+08:00", INVALID),
        ("2099-12-31T23:59:59-00:01", INVALID),
        ("2025-02-29", INVALID),
        ("2026-02-19T24:00:00", INVALID),
        ("2026-02-19T03:04:60", INVALID),
        ("2026-02-19T03:04:05.1234567", INVALID),
        ("2026-02-19T03:04:05+24:00", INVALID),
        ("2026-02-19T03:04:05+01:60", INVALID),
        ("2026-02-19T03", INVALID),
        ("2026-2-19", INVALID),
        ("2026-02-19t03:04:05z", INVALID),
        ("1999-12-31", INVALID),
        ("2100-01-01", INVALID),
        ("0000-00-00", INVALID),
        ("9999-12-31T23:59:59-10:00", INVALID),
        (946684799999, INVALID),
        (4102444800000, INVALID),
        ("94668480000", INVALID),
        (Decimal("1767225600000.0"), "2026-01-01"),
        (Decimal("1767225600000.5"), INVALID),
        (Decimal("1E+400"), INVALID),
        (True, INVALID),
        ("soon", INVALID),
        ("", NULL),
        (None, NULL),
    ],
)
def test_timestamp(value: Any, expected: object) -> None:
    assert timestamp(value) == (at(expected) if isinstance(expected, str) else expected)


def test_records_cannot_be_younger_than_a_day_after_the_export() -> None:
    limit = record_limit(at("2026-02-19"))
    assert timestamp("2026-02-20T00:00:00Z", limit) == at("2026-02-20")
    assert timestamp("2026-02-20T00:00:00.000001Z", limit) is INVALID
    assert timestamp("2026-02-20T08:00:00+08:00", limit) == at("2026-02-20")


def test_days_in_bali() -> None:
    assert bali_date("2026-02-18T16:00:00Z") == dt.date(2026, 2, 19)
    assert bali_date("2026-02-18T15:59:59Z") == dt.date(2026, 2, 18)
    assert bali_date("2026-02-18") == dt.date(2026, 2, 18)
    assert bali_date("2026-02-31") is INVALID
    assert [is_date_only(value) for value in (" 2026-02-18 ", "2026-02-18T00:00", "x", None)] == [True, *[False] * 3]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1990-01-31", dt.date(1990, 1, 31)),
        ("1990-01-31T25:99 whatever", dt.date(1990, 1, 31)),
        ("1990-01-31 ", dt.date(1990, 1, 31)),
        ("1990-01-311", INVALID),
        ("1899-12-31", INVALID),
        ("2099-12-31", dt.date(2099, 12, 31)),
        ("2100-01-01", INVALID),
        ("1990-02-30", INVALID),
        (19900131, INVALID),
        ("", NULL),
    ],
)
def test_birth_date(value: Any, expected: object) -> None:
    assert birth_date(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("8:30 am", "08:30:00"),
        ("08.00 - 16.00", "08:00:00"),
        ("08:00\u201316:00", "08:00:00"),
        ("8 PM", "20:00:00"),
        ("12am", "00:00:00"),
        ("12:15 pm", "12:15:00"),
        ("23.59.58", "23:59:58"),
        ("1970-01-01T09:00:00.000Z", "09:00:00"),
        ("1970-01-01 09:05", "09:05:00"),
        ("0001-13-99t09:00:00.123456789+08:00", "09:00:00"),
        ("2026-01-01T09:00:00-05:00", "09:00:00"),
        ("Morning", INVALID),
        ("24:00", INVALID),
        ("13 pm", INVALID),
        ("0:30 am", INVALID),
        ("8", INVALID),
        ("08:60", INVALID),
        ("-08:00", INVALID),
        ("2026-01-01T25:00", INVALID),
        ("2026-01-01", INVALID),
        ([8], INVALID),
        (" ", NULL),
    ],
)
def test_clock(value: Any, expected: object) -> None:
    assert clock(value) == (dt.time.fromisoformat(expected) if isinstance(expected, str) else expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("GB+44 7700 900123", "+447700900123"),
        ("0812-0000-001", "+628120000001"),
        ("+62 0812 0000 001", "+628120000001"),
        ("0061 400 000 000", "+61400000000"),
        ("8120000001", "+628120000001"),
        ("62 812 0000 001", "+628120000001"),
        ("447700900123", "+447700900123"),
        ("call 123 / 0812-0000-001; +44 7700 900123", "+628120000001"),
        (628120000001, "+628120000001"),
        ("12345", INVALID),
        ("7700900123", INVALID),
        ("+0812 000 000", INVALID),
        ("+1234567", INVALID),
        ("+1234567890123456", INVALID),
        ("\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667", INVALID),
        ("-", INVALID),
        ("", NULL),
    ],
)
def test_phone(value: Any, expected: object) -> None:
    assert e164(value) == expected


def test_phones_kept_as_they_are() -> None:
    assert fallback_phone(" 123  45 ") == "123 45"
    assert fallback_phone("-") is INVALID
    assert fallback_phone("1234") is INVALID
    assert fallback_phone("1" * 70) == "1" * 64


def test_emails() -> None:
    assert email(" Ann@Mail.TEST ") == "ann@mail.test"
    assert [email(each) for each in ("ann(at)mail", "a b@c.d", "a@b@c.d", "@b.c", "a@b", "a@b.", 5)] == [INVALID] * 7
    assert email("a@" + "b" * 187 + ".c") == "a@" + "b" * 187 + ".c"
    assert email("a@" + "b" * 188 + ".c") is INVALID
    assert is_placeholder_email("no-email@viator.com")
    assert is_placeholder_email("anything@example.com")
    assert not is_placeholder_email("ann@mail.test")


def test_names_of_nobody() -> None:
    assert all(map(is_placeholder_name, (None, "GUEST", "n/a", "-", "Test")))
    assert not any(map(is_placeholder_name, ("Ann", "Guest 2", "")))


def test_slugs_and_names() -> None:
    assert slug(" Ubud  Tour! ") == "ubud-tour"
    assert slug("\u2014 !!") is NULL
    assert name_key("Ubud/Tour (2 days)") == "ubud tour 2 days"
    assert slug(5) == "5"


def test_json() -> None:
    assert json_value({"a": [1, Decimal("10.50"), "x\x00"]}) == {"a": [1, Decimal("10.50"), "x"]}
    assert json_value(' {"a": 1e3} ') == {"a": Decimal("1E+3")}
    assert json_value('["\\ud83d", "\\u0000b"]') == ["", "b"]
    assert json_value("plain \x00 text ") == {"raw": "plain  text "}
    assert json_value('"text"') == {"raw": '"text"'}
    assert json_value("{broken") == {"raw": "{broken"}
    assert json_value("[NaN]") == {"raw": "[NaN]"}
    assert json_value(Decimal("12.50")) == {"raw": "12.5"}
    assert json_value(True) == {"raw": "true"}
    assert json_value(" \n") is NULL
    assert json_value([]) == []
    assert json_value("[1e5000]") == ["1E+5000"]
    assert json_value("[" * 5000) == {"raw": "[" * 5000}
    deep = "[" * 300 + "]" * 300
    assert json_value(deep) == {"raw": deep}


def test_payloads() -> None:
    payload = {"b": [Decimal("10.50"), Decimal("1E+3"), Decimal("1E-7")], "a": None, "\u00e4": "\u00e9\n", "c": True}
    assert canonical_json(payload) == '{"a":null,"b":[10.50,1000,0.0000001],"c":true,"\u00e4":"\u00e9\\n"}'
    assert payload_hash({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_keys() -> None:
    namespace = uuid.uuid5(uuid.NAMESPACE_DNS, "legacy-migrations")
    names = ["balisnap:Booking:5", row_name("bstadmin", "bookings", 7, "item"), "\u00fc"]
    assert names[1] == "bstadmin:bookings:7:item"
    expected = [str(uuid.uuid5(namespace, name)) for name in names]
    assert keys(names) == expected == [key(name) for name in names]
    assert canonical_name("booking_core", ["GYG", "X"]) == "canonical:booking_core:GYG|X"


@pytest.mark.parametrize(
    ("status_v2", "status", "signal"),
    [
        ("refunded", "paid", "REFUNDED"),
        ("COMPLETED", None, "PAID"),
        (" confirmed ", "draft", "PAID"),
        ("EXPIRED", "paid", "FAILED"),
        ("PENDING_PAYMENT", "paid", "PENDING_PAYMENT"),
        ("DRAFT", "paid", "DRAFT"),
        (None, "waiting", "PENDING_PAYMENT"),
        ("strange", "canceled", "FAILED"),
        ("strange", "failed", "FAILED"),
        ("FAILED", "completed", "PAID"),
        (None, "strange", None),
        (None, None, None),
    ],
)
def test_signals(status_v2: Any, status: Any, signal: str | None) -> None:
    assert booking_signal(status_v2, status) == signal


def test_cancelled_bookings() -> None:
    assert booking_is_cancelled("expired", None)
    assert booking_is_cancelled("strange", "Canceled")
    assert not booking_is_cancelled("PAID", "cancelled")
    assert not booking_is_cancelled(None, None)


def test_payments() -> None:
    cases = [("AUTHORIZED", "paid"), ("PARTIALLY_REFUNDED", None), (None, "success"), ("x", "canceled"), (None, None)]
    assert [payment_status(*case) for case in cases] == ["PENDING_PAYMENT", "PAID", "PAID", "FAILED", "PENDING_PAYMENT"]
    methods = ["paypal card", "Bank transfer", "cash / PayPal", "card", None, []]
    assert [payment_method(each) for each in methods] == ["PAYPAL", "MANUAL", "PAYPAL", "OTHER", "OTHER", "OTHER"]


def test_other_words() -> None:
    assert channel(" gyg ") == "GYG"
    assert channel("expedia") is INVALID
    found = channels(cells(["viator", None, "expedia"]))
    assert found.value.tolist() == ["VIATOR", "MANUAL", "MANUAL"]
    assert found.has(INVALID).tolist() == [False, False, True]
    assert ops_statuses(cells(["no_show", "x"])).value.tolist() == ["NO_SHOW", "NEW"]
    assert traveler_type("infant") == "INFANT"
    assert [is_active_item(each) for each in ("cancelled", " CANCELLED ", "canceled", None)] == [
        False,
        False,
        True,
        True,
    ]


def test_warnings_name_the_columns_with_unusable_values() -> None:
    columns = {"total_price": MONEY[1](cells(["x", "1"])), "number_of_adult": INTEGERS[1](cells([None, "1"]))}
    warned = invalid(**columns)
    assert {code: flags.tolist() for code, flags in warned.items()} == {"invalid_total_price": [True, False]}


def test_rows_of_bookings_warn_of_what_they_lose() -> None:
    rows, warned = panel_rows(
        table(
            sources.panel_bookings,
            [
                PANEL_ROW | {"source": "expedia", "tour_time": "Morning", "main_contact_email": "x", "currency": "$"},
                PANEL_ROW | {"booking_id": "x", "updated_at": "2031-01-01", "main_contact_name": "n" * 192},
            ],
        ),
        LATEST,
    )
    assert {code: flags.tolist() for code, flags in warned.items()} == {
        "invalid_source": [True, False],
        "invalid_tour_time": [True, False],
        "invalid_main_contact_email": [True, False],
        "invalid_currency": [True, False],
        "invalid_updated_at": [False, True],
        "cut_main_contact_name": [False, True],
    }
    assert rows["pk"].isna().tolist() == [False, True]
    assert rows["channel_code"].tolist() == ["MANUAL", "DIRECT"]
    signals, _ = website_rows(
        table(sources.website_bookings, [{"status": "waiting"}, {"status_v2": "EXPIRED"}]), LATEST
    )
    assert signals["signal"].tolist() == ["PENDING_PAYMENT", "FAILED"]
    assert signals["is_cancelled"].tolist() == [False, True]
