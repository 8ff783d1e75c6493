"""What holds of every parser for every JSON value."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skynet_assets.parsing.coordinates import coordinates
from skynet_assets.parsing.dates import billing_day, date, entry_time, period
from skynet_assets.parsing.identity import identity_number
from skynet_assets.parsing.money import money
from skynet_assets.parsing.phone import phone
from skynet_assets.parsing.photos import classify_url, is_placeholder_image, photo_policy, photo_source
from skynet_assets.parsing.pppoe import pppoe_password, pppoe_username
from skynet_assets.parsing.problem import Problem
from skynet_assets.parsing.statuses import (
    branch_count,
    connection_status,
    payment_method,
    payment_status,
    proof,
    speed_mbps,
)
from skynet_assets.parsing.text import name_key, text, upper_key

POLICY = photo_policy("https://photos.example.test/", "photos.example.test")

NUMBERS = (
    st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        [
            Decimal("1E+400"),
            Decimal("-1E-400"),
            Decimal("1E+99999999999"),
            Decimal("1E-99999999999"),
            10**6000,
            -(10**6000),
        ]
    )
)
FRAGMENTS = (
    "- . , / : ; | & ° ' \" '' @ # ? \\ % ( ) [ ] \n \u00a0 \u2003 \x00 0 1 7 9 12 62 08 112 2026 -7.8 00-00-0000 "
    "S E LS bujur selatan Rp rp. idr ,- feb Februari. am pm t T tgl e+ atau dan http:// https: maps. q= [::1] "
    "photos.example.test &amp; &#x80; &nbsp; _ SKYNET no-image javascript: M Mbps Plg"
)
MIXTURES = st.lists(st.sampled_from(FRAGMENTS.split(" ")) | st.just(" "), max_size=12).map("".join)
TEXTS = st.text() | MIXTURES | st.text("0123456789-.,/°' ", max_size=24)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)


def is_text_or_none(found: Any) -> None:
    assert found is None or (isinstance(found, str) and found)


@given(VALUES)
def test_text_is_clean_and_keys_are_stable(value: Any) -> None:
    for parser in (text, upper_key, name_key):
        is_text_or_none(parser(value))
    found = text(value)
    assert found is None or (found == " ".join(found.split()) and "\x00" not in found)
    key = name_key(value)
    # A key holding a literal entity or a lone dash is read differently a second time.
    if key and "&" not in key and key.casefold() not in {"-", "--", "null", "none", "n/a", "nan", "undefined"}:
        assert name_key(key) == key


@given(VALUES)
def test_money_has_two_decimals_and_is_below_its_limit(value: Any) -> None:
    amount = money(value)
    if isinstance(amount, Decimal):
        assert amount.as_tuple().exponent == -2
        assert abs(amount) < 10**12
        assert money(amount) == amount
        assert money(f"Rp {amount}") == amount


@given(st.decimals(0, 999_999_999_999, places=2))
def test_money_is_read_back_from_rupiah_and_english_writing(amount: Any) -> None:
    english = f"{amount:,.2f}"
    assert money(f"Rp {english.translate(str.maketrans('.,', ',.'))}") == amount
    assert money(english) == amount


@given(VALUES)
def test_dates_lie_in_their_range(value: Any) -> None:
    day = date(value)
    assert day in Problem or (isinstance(day, dt.date) and 2000 <= day.year <= 2099)
    month = period(value)
    assert month in Problem or (isinstance(month, dt.date) and month.day == 1 and 2000 <= month.year <= 2099)
    moment = entry_time(value)
    assert moment in (None, Problem.INVALID) or moment.utcoffset() == dt.timedelta(0)
    due = billing_day(value)
    assert due in (None, Problem.INVALID) or 1 <= due <= 31


@given(st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31)), st.sampled_from(["-", "/", "."]))
def test_dates_are_read_back_day_first(day: Any, separator: Any) -> None:
    assert date(f"{day.day}{separator}{day.month}{separator}{day.year}") == day
    assert date(day.isoformat()) == day
    assert date(f"{day:%d-%B-%Y} 10:00:00 AM") == day
    assert period(f"{day:%B %Y}") == day.replace(day=1)


@given(st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31)), st.times())
def test_entry_times_are_read_back_in_both_clocks(day: Any, clock: Any) -> None:
    moment = dt.datetime.combine(day, clock.replace(microsecond=0))
    expected = (moment - dt.timedelta(hours=7)).replace(tzinfo=dt.UTC)
    assert entry_time(f"{moment:%d-%m-%Y %I:%M:%S %p}") == expected
    assert entry_time(f"{moment:%Y-%m-%dT%H:%M:%S}") == expected


@given(VALUES)
def test_identity_numbers_and_phones_keep_their_form(value: Any) -> None:
    number = identity_number(value)
    assert (number.digits is None) == (number.valid is None)
    assert number.digits is None or (number.digits.isascii() and number.digits.isdigit() and len(number.digits) <= 20)
    assert not (number.digits and number.unusable)
    found = phone(value)
    assert found.alt is None or (found.phone is not None and found.phone != found.alt)
    for e164 in filter(None, (found.phone, found.alt)):
        assert e164.startswith("+62")
        assert 11 <= len(e164) <= 15
        assert phone(e164).phone == e164


@given(VALUES)
def test_coordinates_have_a_point_unless_missing_or_invalid(value: Any) -> None:
    point = coordinates(value)
    assert point.status in {"ok", "repaired", "swapped", "out_of_area", "missing", "invalid"}
    assert point.raw == text(value)
    if point.status in {"missing", "invalid"}:
        assert (point.latitude, point.longitude) == (None, None)
    else:
        assert point.latitude is not None and -90 <= point.latitude <= 90
        assert point.longitude is not None and -180 <= point.longitude <= 180
        assert point.latitude.as_tuple().exponent == point.longitude.as_tuple().exponent == -7


@given(st.decimals(6, 9, places=7), st.decimals(110, 115, places=7), st.data())
def test_points_of_the_area_survive_every_writing(latitude: Any, longitude: Any, data: Any) -> None:
    latitude = -latitude
    comma = [str(number).replace(".", ",") for number in (latitude, longitude)]
    dotted = [f"{number:f}"[:-4] + "." + f"{number:f}"[-4:] for number in (latitude, longitude)]
    writings = {
        f"{latitude}, {longitude}": "ok",
        f"{-latitude},{longitude}": "repaired",
        f"{longitude},{latitude}": "swapped",
        f"{latitude} {longitude}": "repaired",
        f"{latitude}{longitude}": "repaired",
        f"{comma[0]} {comma[1]}": "repaired",
        ",".join(comma): "repaired",
        ";".join(dotted): "repaired",
        f"lat: {latitude} lng: {longitude}": "repaired",
        f"https://maps.example/?q={latitude},{longitude}": "repaired",
    }
    writing = data.draw(st.sampled_from(sorted(writings)))
    assert coordinates(writing)[:3] == (latitude, longitude, writings[writing])


@given(VALUES)
def test_photos_are_pending_only_on_an_allowed_host(value: Any) -> None:
    source = photo_source(value, POLICY)
    if source is None:
        return
    assert (source.status == "pending") == (source.error_code is None)
    if source.status == "pending":
        assert source.source_url.split(":", 1)[1].lower().startswith("//photos.example.test")
        assert classify_url(source.source_url, POLICY) == source


@given(VALUES)
def test_closed_vocabularies(value: Any) -> None:
    assert connection_status(value).status in {"active", "isolated", "offline", "terminated", "unknown"}
    paid = payment_status(value)
    assert paid is Problem.INVALID or paid.rank in range(4)
    assert payment_method(value) in {None, "cash", "transfer", "qris", "other"}
    shown = proof(value)
    is_text_or_none(shown.value)
    assert not (shown.unsafe and shown.value)
    count = branch_count(value)
    assert count in (None, Problem.INVALID) or 0 <= count <= 2_147_483_647


@given(VALUES, TEXTS)
def test_accounts_and_names(value: Any, name: Any) -> None:
    is_text_or_none(pppoe_username(value, "A1").value)
    is_text_or_none(pppoe_password(value))
    speed = speed_mbps(name)
    assert speed is None or 0 < speed <= 9999
    assert is_placeholder_image(name) in (True, False)


@pytest.mark.parametrize(
    "parser", [text, name_key, money, date, period, entry_time, identity_number, phone, coordinates, branch_count]
)
def test_a_megabyte_of_anything_is_read_in_no_time(parser: Any) -> None:
    for unit in ("1", "1.", "- ", "&#1", "0,", "a", ".0", "1°", "& "):
        parser(unit * (1_000_000 // len(unit)))
