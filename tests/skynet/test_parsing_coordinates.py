"""Coordinates."""

from decimal import Decimal
from typing import Any

import pytest

from skynet_assets.parsing.coordinates import coordinates

HOME = ("-7.8581290", "112.6861490")
NOWHERE = (None, None)


@pytest.mark.parametrize(
    ("value", "point", "status"),
    [
        ("-7.858129, 112.686149", HOME, "ok"),
        ("  -7.858129 ,112.686149 ", HOME, "ok"),
        ("-9,110", ("-9.0000000", "110.0000000"), "ok"),
        ("-6.00000004,112", ("-6.0000000", "112.0000000"), "ok"),
        ("-7.00000005,112.00000005", ("-7.0000001", "112.0000001"), "ok"),
        # signs, order, and both
        ("7.858129,112.686149", HOME, "repaired"),
        ("-7.858129,-112.686149", HOME, "repaired"),
        ("112.686149,-7.858129", HOME, "swapped"),
        ("112.686149 7.858129", HOME, "swapped"),
        # separators and decimal marks
        ("-7,788014,112.752410", ("-7.7880140", "112.7524100"), "repaired"),
        ("-7.788014,112,752410", ("-7.7880140", "112.7524100"), "repaired"),
        ("-7,858129,112,686149", HOME, "repaired"),
        ("-7.858.129;112.686.149", HOME, "repaired"),
        ("-7858129,112686149", HOME, "repaired"),
        ("112686149,-7858129", HOME, "swapped"),
        ("-785.8129,11268.6149", HOME, "repaired"),
        ("-7.858129112.686149", HOME, "repaired"),
        ("7.858129 S, 112.686149 E", HOME, "repaired"),
        ("-7,858129 112,686149", HOME, "repaired"),
        ("-7,858129 , 112,686149", HOME, "repaired"),
        ("-7,858,129/112,686,149", HOME, "repaired"),
        ("-7.858129|112.686149", HOME, "repaired"),
        ("-7.858129,,112.686149,", HOME, "repaired"),
        ("-7.858129, , 112.686149", HOME, "repaired"),
        ("-7.858129-112.686149", HOME, "repaired"),
        ("- 7.858129, 112.686149", HOME, "repaired"),
        ("\u22127.858129\u201a 112.686149", NOWHERE, "invalid"),
        ("\u22127.858129, 112.686149", HOME, "repaired"),
        ("-7.858129%2c112.686149", HOME, "repaired"),
        ("Lat. -7.858129 Long: 112.686149", HOME, "repaired"),
        ("lintang=-7.858129; bujur=(112.686149)", HOME, "repaired"),
        ("(-7.858129, 112.686149)", HOME, "repaired"),
        # map links
        ("https://maps.example/@-7.858129,112.686149,17z?q=1,2", HOME, "repaired"),
        ("maps.example/?Q=-7.858129%2C112.686149", HOME, "repaired"),
        ("http://x/?a=1&amp;destination=112.686149,-7.858129", HOME, "swapped"),
        ("http://x/?ll=0,0", NOWHERE, "missing"),
        ("https://short.example/x", NOWHERE, "invalid"),
        ("https://x/?lll=-7.8,112.6", NOWHERE, "invalid"),
        # degrees
        ("7°51'29.3&quot;S 112°41'10.1&quot;E", ("-7.8581389", "112.6861389"), "repaired"),
        ("7°51'29.3'' lintang selatan 112°41'10.1'' bujur timur", ("-7.8581389", "112.6861389"), "repaired"),
        ("7 º 51 ′ 29,3 ″ LS, 112 ˚ 41 ’ 10,1 ” BT", ("-7.8581389", "112.6861389"), "repaired"),
        ("E112°41'10.1\" S7°51'29.3\"", ("-7.8581389", "112.6861389"), "swapped"),
        ("-7.858129°, 112.686149°", HOME, "repaired"),
        ("6°0'0\"N 110°E", ("-6.0000000", "110.0000000"), "repaired"),
        ("51°30'N 0°7'W", ("51.5000000", "-0.1166667"), "out_of_area"),
        ("51°30'N 0°7'barat", ("51.5000000", "-0.1166667"), "out_of_area"),
        ("51°30'N 1°Barat laut", ("51.5000000", "-1.0000000"), "out_of_area"),
        ("51°30'N 1°Batu", ("51.5000000", "1.0000000"), "out_of_area"),
        ("7°60'S 112°E", NOWHERE, "invalid"),
        ("7°51'60\"S 112°E", NOWHERE, "invalid"),
        ("7°S", NOWHERE, "invalid"),
        ("7°S 112°E 5°", NOWHERE, "invalid"),
        # outside of the area
        ("-6.2,106.8", ("-6.2000000", "106.8000000"), "out_of_area"),
        ("106.8,-6.2", ("-6.2000000", "106.8000000"), "out_of_area"),
        ("-5.99999999,112", ("-6.0000000", "112.0000000"), "out_of_area"),
        ("1,-0.00000001", ("1.0000000", "0.0000000"), "out_of_area"),
        ("-95.5,200.1", NOWHERE, "invalid"),
        # nothing, and nothing of use
        (None, NOWHERE, "missing"),
        ("", NOWHERE, "missing"),
        (True, NOWHERE, "missing"),
        ("0", NOWHERE, "missing"),
        ("0,0", NOWHERE, "missing"),
        ("-,-", NOWHERE, "missing"),
        ("0°0'0\"", NOWHERE, "missing"),
        ("٧,١١٢", NOWHERE, "missing"),
        ("belum ada", NOWHERE, "invalid"),
        ([-7.8, 112.6], NOWHERE, "invalid"),
        ({}, NOWHERE, "invalid"),
        ("0,112.6", NOWHERE, "invalid"),
        ("-7.858129", NOWHERE, "invalid"),
        (Decimal("-7.858129"), NOWHERE, "invalid"),
        (Decimal("1E+6000"), NOWHERE, "invalid"),
        ("-7.8;112.6;5", NOWHERE, "invalid"),
        ("-7.8;112.6,", ("-7.8000000", "112.6000000"), "repaired"),
        ("-7,8.1;112.6", NOWHERE, "invalid"),
        ("-7.8 rumah 112.6", NOWHERE, "invalid"),
        ("-7.8 112.6 #", NOWHERE, "invalid"),
        ("7-8-9", NOWHERE, "invalid"),
        ("7.8--112.6", NOWHERE, "invalid"),
        ("1,2,3", NOWHERE, "invalid"),
        ("1.5,2,3,4", NOWHERE, "invalid"),
        ("1,2,3,4,5", NOWHERE, "invalid"),
        ("-7.858129 112.68 6149", HOME, "repaired"),
        ("7 51 29 112 41 10", NOWHERE, "invalid"),
    ],
)
def test_coordinates(value: Any, point: Any, status: Any) -> None:
    result = coordinates(value)
    assert (result.latitude, result.longitude) == tuple(p and Decimal(p) for p in point)
    assert result.status == status


def test_points_have_seven_decimals_and_no_negative_zero() -> None:
    result = coordinates("1,-0.00000001")
    assert (f"{result.latitude:f}", f"{result.longitude:f}") == ("1.0000000", "0.0000000")


def test_raw_text_is_kept_as_normalised() -> None:
    assert coordinates(" 0 ,\u00a00 ").raw == "0 , 0"
    assert coordinates([1]).raw is None


def test_long_texts_take_no_long_time() -> None:
    for hostile in ("1" * 100_000 + "-", "1." * 50_000, "1°" * 50_000, "-" * 100_000 + "1", "- " * 50_000 + "1"):
        assert coordinates(hostile).status == "invalid"
