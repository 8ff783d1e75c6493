"""Bookings merged: which rows are one, under which key, and which of their values are written."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from booking_assets.merge.contact import merge_contacts
from booking_assets.merge.identity import booking_created_at, group_problems, row_outcomes, too_long
from booking_assets.merge.items import active_summaries, itinerary_times
from booking_assets.merge.logs import AUDIT_COLUMNS, audit_rows, merge_key
from booking_assets.merge.resolve import fields_to_review, mapping_statuses, merge_notes
from booking_assets.parsing.keys import key
from booking_assets.parsing.times import clocks
from tests.booking.booking_columns import cells
from tests.booking.booking_frames import audited, grouped, items, itineraries, keyed, merged, packages

UNKNOWN_TIME = {"updated_at": "2031-01-01", "created_at": None}


def one(values: pd.Series) -> Any:
    """The only value of a column."""
    (value,) = values.tolist()
    return None if pd.isna(value) else value


# --- identity ---------------------------------------------------------------------------------------------------------


def test_references_are_compared_in_upper_case_and_made_up_where_there_is_none() -> None:
    groups = grouped(
        [{"booking_ref": " ab 12cd "}, {"booking_id": 41, "booking_ref": None}],
        [{"booking_id": 9, "booking_ref": "", "source": None}, {"booking_id": 10, "booking_ref": "AB  12CD"}],
    )
    found = sorted(groups.identities.itertuples(index=False, name=None))
    assert found == [("DIRECT", "AB 12CD"), ("DIRECT", "BS-41"), ("MANUAL", "OPS-9")]
    assert not too_long(groups.rows).any()
    assert too_long(grouped([{"booking_ref": "x" * 129}], []).rows).tolist() == [True]


def test_the_freshest_row_of_each_system_speaks_and_the_others_are_merged() -> None:
    groups = grouped(
        [{"booking_id": 5}, {"booking_id": 4, "updated_at": "2026-02-11"}, {"booking_id": 6, **UNKNOWN_TIME}],
        [{"booking_id": 80}, {"booking_id": 81}, {"booking_id": 82, "source": "GYG"}],
    )
    speaking = groups.rows["pk"].to_numpy()
    assert sorted(zip(speaking[groups.b[groups.b >= 0]], [speaking[a] for a in groups.a], strict=False)) == [(4, 81)]
    problems = pd.Series([None] * groups.count, dtype="string[pyarrow]")
    outcomes = row_outcomes(groups, problems, keyed(groups)).assign(pk=speaking)
    loaded = outcomes[outcomes["outcome"] == "loaded"]
    assert sorted(loaded["pk"]) == [4, 82]
    others = outcomes[outcomes["outcome"] == "merged"]
    assert sorted(others["pk"]) == [5, 6, 80, 81]
    assert set(others["reason"]) == {"SAME_IDENTITY"}
    assert set(others["target_key"]) == {key("balisnap:Booking:4")}


def test_bookings_without_any_time_or_tour_date_are_rejected_whole() -> None:
    nothing = {"updated_at": "2031-01-01", "created_at": "x", "booking_date": None}
    groups = grouped(
        [{"booking_ref": "A", **nothing}, {"booking_ref": "B", "booking_id": 6, "booking_date": None}],
        [{"booking_ref": "A", **nothing}, {"booking_id": 81, "booking_ref": "C", "tour_date": "x"}],
    )
    _, tours, _ = merged(groups)
    problems = group_problems(groups, tours.tour_date, groups.panel_rows()["tour_date"])
    by_ref = dict(zip(groups.identities["external_booking_ref"], problems.tolist(), strict=True))
    assert by_ref == {"A": "NO_VALID_TIMESTAMP", "B": "NO_TOUR_DATE", "C": "NO_TOUR_DATE"}
    assert keyed(groups).isna().all()
    outcomes = row_outcomes(groups, problems, keyed(groups))
    assert set(outcomes["outcome"]) == {"rejected"}
    assert outcomes["target_key"].isna().all()


def test_a_booking_is_as_old_as_its_oldest_row() -> None:
    rows = [{"created_at": "2026-01-05"}, {"booking_id": 4, "created_at": "2026-01-03", "updated_at": "2025-01-01"}]
    assert one(booking_created_at(grouped(rows, [{}]))) == dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    without = [{**row, "created_at": None} for row in rows]
    assert one(booking_created_at(grouped(without, []))) == dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    nothing = [{**row, "updated_at": None} for row in without]
    assert one(booking_created_at(grouped(nothing, []))) == dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_new_booking_has_the_key_of_its_first_row() -> None:
    assert one(keyed(grouped([{"booking_id": 7}, {"booking_id": 5}], [{}]))) == key("balisnap:Booking:5")
    assert one(keyed(grouped([], [{"booking_id": 81}, {"booking_id": 80}]))) == key("bstadmin:bookings:80")


@pytest.mark.parametrize("deleted", [True, False])
def test_a_known_booking_keeps_its_key(deleted: bool) -> None:
    known = [("DIRECT", "KX7Q2M", key("bstadmin:bookings:80"), deleted)]
    assert one(keyed(grouped([{}], [{}]), known)) == key("bstadmin:bookings:80")


def test_of_two_rows_of_a_known_booking_the_kept_one_counts() -> None:
    known = [("DIRECT", "KX7Q2M", key("a"), True), ("DIRECT", "KX7Q2M", key("b"), False)]
    assert one(keyed(grouped([{}], []), known)) == key("b")


def test_a_new_booking_goes_round_the_keys_that_others_hold() -> None:
    groups = grouped(
        [{"booking_ref": "OLD", "booking_id": 1}, {"booking_id": 5}, {"booking_id": 6}], [{"booking_id": 80}]
    )
    refs = groups.identities["external_booking_ref"].tolist()
    held = [("DIRECT", "OLD", key("balisnap:Booking:5"), False)]
    found = dict(zip(refs, keyed(groups, held).tolist(), strict=True))
    assert found == {"OLD": key("balisnap:Booking:5"), "KX7Q2M": key("balisnap:Booking:6")}
    alone = grouped([{"booking_ref": "OLD", "booking_id": 1}, {"booking_id": 5}], [])
    found = dict(zip(alone.identities["external_booking_ref"], keyed(alone, held).tolist(), strict=True))
    assert found["KX7Q2M"] == key("canonical:booking_core:DIRECT|KX7Q2M")
    vanished = [("DIRECT", "GONE", key("balisnap:Booking:5"), False)]
    assert one(keyed(grouped([{}], []), vanished)) == key("balisnap:Booking:5")


# --- values -----------------------------------------------------------------------------------------------------------


def test_the_fresher_row_wins() -> None:
    groups = grouped([{}], [{"number_of_adult": 3, "total_price": "120.00"}])
    core, _, _ = merged(groups)
    row = core.rows.iloc[0]
    assert (row["number_of_adult"], row["currency_code"], row["total_price"]) == (3, "USD", Decimal("120.00"))
    assert (row["channel_code"], row["external_booking_ref"]) == ("DIRECT", "KX7Q2M")
    assert sorted(audited(core.decided)) == [
        ("number_of_adult", "2", "3", "bstadmin", "FRESHER"),
        ("total_price", "USD 100.00", "USD 120.00", "bstadmin", "FRESHER"),
    ]
    assert json.loads(core.decided["payload"].iloc[0]) == {"balisnap_pk": "5", "bstadmin_pk": "80"}
    assert one(keyed(groups)) == key("balisnap:Booking:5")
    assert fields_to_review(core.review) == {}


def test_audit_rows_have_keys_of_their_own() -> None:
    groups = grouped([{}], [{"number_of_adult": 3}])
    core, _, _ = merged(groups)
    keys = keyed(groups)
    rows = audit_rows(core.decided, keys, "e1")
    assert list(rows.columns) == list(AUDIT_COLUMNS)
    booking = key("balisnap:Booking:5")
    assert rows["audit_key"].tolist() == [key(f"canonical:audit_log:e1|{booking}|number_of_adult|MERGE_CONFLICT|2")]
    assert rows["entity_key"].tolist() == [booking]
    assert audit_rows(core.decided.iloc[:0], keys, "e1").empty
    assert merge_key("e1", "booking_core", "bstadmin.bookings", 3) == key(
        "canonical:merge_log:e1|booking_core|bstadmin.bookings|3"
    )


def test_active_items_beat_freshness() -> None:
    groups = grouped([{}], [{"number_of_adult": 3, "total_price": "120.00"}])
    sold = items({"total_amount": "60.00"}, {"total_amount": "35.50"}, {"total_amount": "10.00", "is_active": False})
    core, _, active = merged(groups, sold)
    assert one(core.rows["total_price"]) == Decimal("95.50")
    assert active["items"].tolist() == [2]
    assert ("total_price", "USD 120.00", "USD 95.50", "balisnap", "ACTIVE_ITEMS") in audited(core.decided)


@pytest.mark.parametrize(
    ("b", "a", "sold", "expected"),
    [
        ({"total_price": 0}, {"total_price": 50, "updated_at": "2026-01-01"}, [], ("USD", "50.00")),
        ({"total_price": 50, "updated_at": "2026-01-01"}, {"total_price": 0}, [], ("USD", "50.00")),
        ({"total_price": 50}, {"total_price": 60}, [{"total_amount": "0"}], ("USD", "0.00")),
        ({"total_price": 50}, {"total_price": "x"}, [], ("USD", "50.00")),
        ({"total_price": -1}, {"total_price": 70, "currency": "idr"}, [], ("IDR", "70.00")),
        ({"total_price": -1, "currency_code": "EUR"}, {"total_price": None}, [], ("EUR", "0.00")),
        ({"total_price": None, "currency_code": "?"}, {"total_price": None, "currency": "aud"}, [], ("AUD", "0.00")),
        ({"total_price": None, "currency_code": "?"}, {"total_price": None, "currency": "?"}, [], ("USD", "0.00")),
        ({}, {"total_price": 60}, [{"total_amount": "5", "currency_code": "EUR"}], ("USD", "60.00")),
        (
            {},
            {"total_price": 60},
            [{"total_amount": "5"}, {"total_amount": "5", "currency_code": "EUR"}],
            ("USD", "60.00"),
        ),
        (
            {},
            {"total_price": 60, "updated_at": "2026-01-01"},
            [{"total_amount": "9999999999.99"}, {"total_amount": "0.01"}],
            ("USD", "60.00"),
        ),
        ({"currency_code": None}, {"total_price": 60}, [{"total_amount": "5"}], ("USD", "5.00")),
    ],
)
def test_currency_and_total_are_one_value(
    b: dict[str, Any], a: dict[str, Any], sold: list[dict[str, Any]], expected: tuple[str, str]
) -> None:
    core, _, _ = merged(grouped([b], [a]), items(*sold))
    assert (one(core.rows["currency_code"]), one(core.rows["total_price"])) == (expected[0], Decimal(expected[1]))


def test_where_freshness_is_unknown_the_owner_is_written_and_a_person_looks() -> None:
    groups = grouped([{}], [{"number_of_adult": 3, "total_price": "120.00", **UNKNOWN_TIME}])
    core, _, _ = merged(groups)
    assert (one(core.rows["number_of_adult"]), one(core.rows["total_price"])) == (2, Decimal("100.00"))
    assert {each[3:] for each in audited(core.decided)} == {("balisnap", "REVIEW_REQUIRED")}
    assert fields_to_review(core.review) == {0: ["number_of_adult", "total_price"]}
    assert one(mapping_statuses(core.rows["package_ref_key"], core.review)) == "REVIEW_REQUIRED"


def test_of_equally_fresh_rows_the_owner_wins() -> None:
    groups = grouped([{}], [{"tour_date": "2026-03-02", "updated_at": "2026-02-10", "number_of_adult": 3}])
    core, _, _ = merged(groups)
    assert one(core.rows["tour_date"]) == dt.date(2026, 3, 2)
    assert one(core.rows["number_of_adult"]) == 2
    assert sorted(audited(core.decided)) == [
        ("number_of_adult", "3", "2", "balisnap", "OWNER"),
        ("tour_date", "2026-03-01", "2026-03-02", "bstadmin", "OWNER"),
    ]


def test_the_guest_picks_days_in_bali() -> None:
    core, _, _ = merged(grouped([{"booking_date": "2026-02-18T16:00:00Z"}], []))
    assert one(core.rows["booking_date"]) == dt.date(2026, 2, 18)
    assert one(core.rows["tour_date"]) == dt.date(2026, 2, 19)


@pytest.mark.parametrize(
    ("sold", "date", "time"),
    [
        ([{"start_date": "2026-03-05T01:30:59.7Z"}], "2026-03-05", "09:30:59"),
        ([{"start_date": "2026-03-05T23:00:00Z"}], "2026-03-06", "07:00:00"),
        ([{"start_date": "2026-03-05", "variant_id": 3}], "2026-03-05", "08:30:00"),
        ([{"start_date": "2026-03-05T00:00:00Z"}], "2026-03-05", None),
        ([{"start_date": "2026-03-05T16:00:00.5Z"}], "2026-03-06", None),
        ([{"start_date": "x", "variant_id": 3}], "2026-03-01", "08:30:00"),
        ([{"start_date": "2026-03-06T01:00Z"}, {"start_date": "2026-03-05T02:00Z"}], "2026-03-05", "10:00:00"),
        ([{"start_date": "2026-03-05T00:00Z"}, {"start_date": "2026-03-05"}, {"variant_id": 3}], "2026-03-05", None),
        ([{"start_date": "2026-03-04T02:00Z", "is_active": False}, {"variant_id": 3}], "2026-03-01", "08:30:00"),
        ([{"variant_id": 4}, {"variant_id": 3}], "2026-03-01", None),
    ],
)
def test_departures_say_when_the_tour_begins(sold: list[dict[str, Any]], date: str, time: str | None) -> None:
    core, _, _ = merged(grouped([{}], []), items(*sold), itineraries(v3="8:30 am"))
    assert one(core.rows["tour_date"]) == dt.date.fromisoformat(date)
    assert one(core.rows["tour_time"]) == (None if time is None else dt.time.fromisoformat(time))


def test_differing_times_are_audited_to_the_second() -> None:
    sold = items({"start_date": "2026-03-01T01:30Z", "total_amount": "100"})
    core, _, _ = merged(grouped([{}], [{"tour_time": "8:30 am"}]), sold)
    assert audited(core.decided) == [("tour_time", "09:30:00", "08:30:00", "bstadmin", "FRESHER")]


def test_the_first_stop_of_a_variant_has_the_time() -> None:
    stops = pd.DataFrame(
        {
            "itinerary_id": [1, 2, 3, 4],
            "variant_id": pd.array([3, 3, 3, 4], dtype="int64[pyarrow]"),
            "day": pd.array([2, 1, None, 1], dtype="int64[pyarrow]"),
            "sort_order": pd.array([1, 1, 1, 1], dtype="int64[pyarrow]"),
            "start_time": clocks(cells(["07:00", "08:00", "06:00", "Morning"])).value,
        }
    )
    assert itinerary_times(stops).astype("string[pyarrow]").fillna("").tolist() == ["08:00:00", ""]


def test_all_notes_are_kept_once() -> None:
    rows = [{"note": "a\nb"}, {"booking_id": 4, "note": "a\nb"}, {"booking_ref": "Y", "booking_id": 6, "note": "n"}]
    groups = grouped(rows, [{"note": " c "}, {"booking_id": 79, "note": "a\nb"}])
    notes, appended = merge_notes(groups)
    by_ref = dict(zip(groups.identities["external_booking_ref"], notes.tolist(), strict=True))
    assert by_ref == {"KX7Q2M": "[balisnap] a\nb\n[bstadmin] c", "Y": "n"}
    assert audited(appended) == [("note", None, by_ref["KX7Q2M"], None, "APPEND")]


def test_numbers_of_people() -> None:
    core, _, _ = merged(grouped([{"number_of_adult": -2, "number_of_child": None}], [{"number_of_adult": None}]))
    assert (one(core.rows["number_of_adult"]), one(core.rows["number_of_child"])) == (0, 0)


def test_what_was_booked() -> None:
    refs = packages((1, "v1", "p1"), (2, None, "p2"))
    variants = items({"booking_id": 8, "variant_key": "own"})
    booked = enumerate((1, 2, 9, 9))
    rows = [{"booking_id": 5 + n, "booking_ref": f"R{n}", "package_id": package} for n, package in booked]
    core, _, _ = merged(grouped(rows, []), variants, refs=refs)
    names = ["external_booking_ref", "package_ref_type", "package_ref_key"]
    found = sorted(tuple(None if pd.isna(x) else x for x in row) for row in core.rows[names].itertuples(index=False))
    assert found == [
        ("R0", "CATALOG_VARIANT", "v1"),
        ("R1", "CATALOG_PRODUCT", "p2"),
        ("R2", "LEGACY_PACKAGE", None),
        ("R3", "CATALOG_VARIANT", "own"),
    ]
    statuses = mapping_statuses(core.rows["package_ref_key"], core.review)
    assert sorted(statuses) == ["MAPPED", "MAPPED", "MAPPED", "UNMAPPED"]


def test_sums_of_people_have_a_limit() -> None:
    found = active_summaries(items({"adult_qty": 2147483647}, {"adult_qty": 1, "child_qty": 2}))
    assert found[["adult_qty", "child_qty", "infant_qty"]].iloc[0].tolist() == [2147483647, 2, 0]


def test_the_panel_s_word_for_the_channel_is_kept() -> None:
    core, _, _ = merged(grouped([{}], [{"booking_id": 9, "source": "expedia", "booking_ref": "Z"}]))
    found = dict(zip(core.rows["channel_code"], core.rows["source_enum_compat"], strict=True))
    assert found == {"DIRECT": "DIRECT", "MANUAL": "EXPEDIA"}


# --- contacts ---------------------------------------------------------------------------------------------------------


def test_placeholders_do_not_replace_real_contacts() -> None:
    names = ("main_contact_name", "main_contact_email", "phone_number")
    fresher = dict(zip(names, ("Guest", "no-email@viator.com", "GB+44 7700 900123"), strict=True))
    older = dict(zip(names, ("Ann Lee", "Ann@Mail.test", "0812-0000-001"), strict=True))
    contacts = merge_contacts(grouped([older], [fresher]))
    row = contacts.rows.iloc[0]
    assert (row["main_name"], row["main_email"], row["phone"]) == ("Ann Lee", "ann@mail.test", "+447700900123")
    assert row[["is_placeholder_name", "is_placeholder_email"]].tolist() == [False, False]
    assert row["updated_from_source"] == "bstadmin"
    assert audited(contacts.decided) == [("phone", "+628120000001", "+447700900123", "bstadmin", "FRESHER")]


def test_an_invalid_email_is_only_audited() -> None:
    rows = [{"main_contact_email": "ann(at)mail"}, {"booking_id": 4, "main_contact_email": " ann(at)mail"}]
    contacts = merge_contacts(grouped(rows, []))
    assert one(contacts.rows["main_email"]) is None
    assert one(contacts.rows["is_placeholder_email"]) is True
    assert audited(contacts.decided) == [("main_email", "ann(at)mail", None, "balisnap", "DROPPED")]


def test_contacts_of_unknown_freshness_need_a_person() -> None:
    contacts = merge_contacts(grouped([{}], [{"main_contact_name": "Bo", **UNKNOWN_TIME}]))
    assert audited(contacts.decided) == [("main_name", "Bo", "Ann Lee", "balisnap", "REVIEW_REQUIRED")]
    assert fields_to_review(contacts.review) == {0: ["main_name"]}


def test_names_and_phones_where_there_is_nothing_better() -> None:
    rows = [{"main_contact_name": "GUEST", "phone_number": "12345", "main_contact_email": None}]
    row = merge_contacts(grouped(rows, [{"main_contact_name": None, "phone_number": "-"}])).rows.iloc[0]
    assert (row["main_name"], row["is_placeholder_name"], row["phone"]) == ("GUEST", True, "12345")
    nobody = {"main_contact_name": "", "phone_number": "", "main_contact_email": ""}
    row = merge_contacts(grouped([nobody], [])).rows.iloc[0]
    assert row[["main_name", "phone", "main_email"]].isna().all()
    assert row["is_placeholder_name"]


def test_places() -> None:
    groups = grouped([{"meeting_point": "hotel\nlobby"}], [{"meeting_point": "gate", "pickup_location": " villa "}])
    row = merge_contacts(groups).rows.iloc[0]
    assert (row["pickup_location"], row["meeting_point"]) == ("villa", "hotel\nlobby")
    row = merge_contacts(grouped([{"meeting_point": "hotel"}], [{}])).rows.iloc[0]
    assert (row["pickup_location"], row["meeting_point"]) == ("hotel", "hotel")
    row = merge_contacts(grouped([], [{}]), pd.Series(["base"])).rows.iloc[0]
    assert row["meeting_point"] == "base"
    assert pd.isna(row["pickup_location"])


# --- order ------------------------------------------------------------------------------------------------------------


def _numbered(number: int, ref: str, *, adults: int, day: int) -> dict[str, Any]:
    updated = f"2026-01-{day:02d}"
    return {"booking_id": number, "booking_ref": ref, "number_of_adult": adults, "updated_at": updated}


def test_the_order_of_rows_does_not_matter() -> None:
    random = np.random.default_rng(7)
    website = [_numbered(n, f"R{n % 7}", adults=n % 3, day=n % 4 + 1) for n in range(1, 30)]
    panel = [_numbered(n, f"r{n % 9}", adults=n % 4, day=n % 5 + 1) for n in range(1, 30)]
    found = []
    for _ in range(3):
        groups = grouped(website, panel)
        core, _, _ = merged(groups)
        rows = core.rows.assign(key=keyed(groups), phone=merge_contacts(groups).rows["phone"])
        found.append(rows.sort_values("external_booking_ref").reset_index(drop=True).to_dict("records"))
        random.shuffle(website)  # type: ignore[arg-type]
        random.shuffle(panel)  # type: ignore[arg-type]
    assert str(found[0]) == str(found[1]) == str(found[2])
