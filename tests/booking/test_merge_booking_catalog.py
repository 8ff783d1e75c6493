"""Packages fitted to the website's products and variants, and how bookings stand."""

import datetime as dt
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from booking_assets.merge.bridge import Bridge, Match, build_bridge, variant_name
from booking_assets.merge.logs import queue_rows
from booking_assets.merge.statuses import Operations, chosen_finances, ops_statuses, payment_statuses, settlements
from booking_assets.parsing.keys import key
from booking_assets.parsing.times import timestamps
from tests.booking.booking_columns import cells

INT, TEXT = "int64[pyarrow]", "string[pyarrow]"


def frame(rows: list[tuple[Any, ...]], **kinds: str) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)


def bridge(
    products: list[tuple[Any, ...]] = [],  # noqa: B006
    variants: list[tuple[Any, ...]] = [],  # noqa: B006
    packages: list[tuple[Any, ...]] = [],  # noqa: B006
    tours: list[int] = [],  # noqa: B006
) -> Bridge:
    """Rows: of products id, package, slug and name; of variants id, product and package; of packages id and tour."""
    return build_bridge(
        frame(products, product_id=INT, legacy_package_id=INT, slug=TEXT, name=TEXT),
        frame(variants, variant_id=INT, product_id=INT, legacy_package_id=INT),
        frame(packages, package_id=INT, tour_id=INT, slug=TEXT, name=TEXT),
        frame([(tour,) for tour in tours], tour_id=INT),
    )


def queued(found: Bridge) -> list[tuple[Any, ...]]:
    names = ["queue_type", "channel_code", "source_table", "source_pk", "reason_code", "payload"]
    return [(*row[:5], json.loads(row[5])) for row in queue_rows(found.queue)[names].itertuples(index=False)]


def test_a_tour_joins_the_product_of_its_matched_package() -> None:
    found = bridge([(3, 1, "x", "x")], [], [(1, 7, "a", "a"), (2, 7, "b", "b")], [7])
    assert found.products == {1: "balisnap:TourProduct:3", 2: "balisnap:TourProduct:3"}
    assert found.tours == {7: "balisnap:TourProduct:3"}
    assert found.bridged_tours == {7}
    assert found.own_products == ()
    assert variant_name(found, 2) == "bstadmin:tour_packages:2"
    assert found.companions == {3: 1}
    assert queued(found) == []


def test_a_tour_between_two_products_is_none() -> None:
    products = [(3, 1, "x", "x"), (4, 2, "y", "y")]
    found = bridge(products, [], [(1, 7, "a", "a"), (2, 7, "b", "b")], [7])
    assert found.tours == {7: None}
    assert queued(found) == []
    found = bridge(products, [], [(1, 7, "a", "a"), (2, 7, "b", "b"), (9, 7, "c", "c")], [7])
    assert found.tours == {7: "bstadmin:tours:7"} == {7: found.products[9]}
    assert found.bridged_tours == frozenset()
    assert queued(found) == [
        ("PRODUCT_MAPPING", "MANUAL", "tours", "7", "MULTI_MATCH", {"package_ids": [9], "slug": "c"})
    ]


def test_products_that_only_operations_have() -> None:
    packages = [(5, 7, "a", None), (4, 7, None, "b"), (6, 99, None, None), (8, None, "s", None)]
    found = bridge([(1, None, "s", "x"), (2, None, "s", "y")], [], packages, [7, 3])
    assert [(own.name, own.package_ids) for own in found.own_products] == [
        ("bstadmin:tours:7", [4, 5]),
        ("bstadmin:tour_packages:6", [6]),
        ("bstadmin:tour_packages:8", [8]),
    ]
    assert found.tours == {3: None, 7: "bstadmin:tours:7"}
    assert found.matches[8] == Match(3, None)
    assert queued(found) == [
        ("PRODUCT_MAPPING", "MANUAL", "tours", "7", "NO_MATCH", {"package_ids": [4, 5], "slug": None}),
        ("PRODUCT_MAPPING", "MANUAL", "tour_packages", "6", "NO_MATCH", {"package_ids": [6], "slug": None}),
        ("PRODUCT_MAPPING", "MANUAL", "tour_packages", "8", "MULTI_MATCH", {"package_ids": [8], "slug": "s"}),
    ]


@pytest.mark.parametrize(
    ("products", "variants", "match"),
    [
        ([(3, 1, "a", "a"), (4, None, "s", "n")], [], Match(1, 3)),
        ([(3, 1, "a", "a"), (4, 1, "s", "n")], [], Match(1, None)),
        ([(3, None, "a", "a"), (4, None, "s", "n")], [(10, 3, 1)], Match(2, 3)),
        ([(3, None, "a", "a"), (4, None, "s", "n")], [(10, 3, 1), (11, 3, 1)], Match(3, 4)),
        ([(3, None, "a", "n"), (4, None, "b", "n")], [], Match(4, None)),
        ([(3, None, None, "n")], [], Match(4, 3)),
        ([(3, None, None, None)], [], Match()),
    ],
)
def test_the_first_step_that_finds_any_decides(products: list[Any], variants: list[Any], match: Match) -> None:
    assert bridge(products, variants, [(1, None, "s", "n")]).matches == {1: match}


def test_a_companion_is_matched_best() -> None:
    packages = [(1, None, None, "n"), (2, None, "s", None), (3, None, "s", None)]
    assert bridge([(9, None, "s", "n")], [], packages).companions == {9: 2}


def test_packages_are_variants_or_have_their_own() -> None:
    variants = [(10, 3, 1), (11, 3, 2), (12, 3, 2), (13, 3, 50), (14, 3, 51), (15, 3, 51)]
    products = [(3, 51, "x", "x"), (4, 52, "y", "y"), (5, 53, "z", "z"), (6, 53, "w", "w")]
    found = bridge(products, variants, [(1, None, "a", "a"), (2, None, "b", "b")])
    assert found.variants == {1: 10}
    assert variant_name(found, 1) == "balisnap:TourVariant:10"
    assert ("VARIANT_MAPPING", "MANUAL", "tour_packages", "2", "MULTI_MATCH", {"variant_ids": [11, 12]}) in queued(
        found
    )
    refs = {row.package_id: (row.variant_key, row.product_key) for row in found.refs.itertuples(index=False)}
    product = key("balisnap:TourProduct:3")
    assert refs[1] == (key("balisnap:TourVariant:10"), product)
    assert refs[2] == (key("bstadmin:tour_packages:2"), key("bstadmin:tour_packages:2"))
    assert (refs[50][0], refs[51][1], refs[52][1]) == (
        key("balisnap:TourVariant:13"),
        product,
        key("balisnap:TourProduct:4"),
    )
    assert pd.isna([refs[50][1], refs[51][0], refs[52][0], *refs[53]]).all()


def test_queue_keys_are_those_of_their_cause() -> None:
    found = bridge([], [], [(6, None, None, None)])
    expected = key("canonical:unmapped_queue:PRODUCT_MAPPING|bstadmin|tour_packages|6|NO_MATCH")
    assert [row["queue_key"] for row in found.queue] == [expected]
    assert queue_rows([]).empty


# --- statuses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signal", "payments", "expected"),
    [
        ("PENDING_PAYMENT", ["FAILED", "PAID"], "PAID"),
        ("PAID", ["REFUNDED"], "REFUNDED"),
        ("PENDING_PAYMENT", [], "PENDING_PAYMENT"),
        ("FAILED", [], "FAILED"),
        (None, ["PAID", "REFUNDED"], "PAID"),
        ("REFUNDED", ["PAID"], "REFUNDED"),
        ("DRAFT", ["PENDING_PAYMENT"], "PENDING_PAYMENT"),
        (None, [], "PENDING_PAYMENT"),
        ("DRAFT", [], "DRAFT"),
    ],
)
def test_payments_of_website_bookings(signal: str | None, payments: list[str], expected: str) -> None:
    # The settlement of an operations copy says nothing of them; the other booking's payments neither.
    paid = frame([(1, status) for status in [*payments]] + [(0, "PAID")], group="int64", payment_status=TEXT)
    signals = pd.Series([None, signal], dtype=TEXT)
    found = payment_statuses(np.array([True, True]), signals, paid, np.array([False, True]))
    assert found.tolist() == ["PAID", expected]


def test_payments_of_other_bookings() -> None:
    nothing = frame([], group="int64", payment_status=TEXT)
    signals, none = pd.Series([None, None], dtype=TEXT), np.array([False, False])
    settled = np.array([True, False])
    assert payment_statuses(none, signals, nothing, settled).tolist() == ["PAID", "PENDING_PAYMENT"]
    stored = pd.Series([None, "PAID"], dtype=TEXT)
    assert payment_statuses(none, signals, nothing, settled, stored).tolist() == ["PAID", "PAID"]


@pytest.mark.parametrize(("signal", "expected"), [("DRAFT", "PAID"), ("FAILED", "FAILED"), ("REFUNDED", "REFUNDED")])
def test_silence_does_not_unpay(signal: str, expected: str) -> None:
    nothing = frame([], group="int64", payment_status=TEXT)
    one = np.array([True])
    stored = pd.Series(["PAID"], dtype=TEXT)
    assert payment_statuses(one, pd.Series([signal], dtype=TEXT), nothing, ~one, stored).tolist() == [expected]


def test_settlements() -> None:
    items = frame(
        [(1, True), (1, True), (2, True), (2, False), (3, None)], booking_finance_id=INT, paid="bool[pyarrow]"
    )
    ids = pd.Series([1, 2, 3, 4], dtype=INT)
    assert settlements(ids, items).tolist() == ["SETTLED", "PENDING", "PENDING", "PENDING"]


def test_the_finance_row_that_counts() -> None:
    times = ["2026-01-01", "2026-01-02", None, "2026-01-03", "2026-01-03"]
    finances = pd.DataFrame(
        {
            "group": [0, 0, 0, 1, 1],
            "booking_finance_id": [1, 2, 3, 5, 4],
            "is_of_speaker": pd.array([True, False, True, False, None], dtype="bool[pyarrow]"),
            "updated_at": timestamps(cells(times)).value,
        }
    )
    assert chosen_finances(finances).tolist() == [True, False, False, True, False]
    assert chosen_finances(finances.iloc[:0]).tolist() == []


BALI_TODAY = dt.date(2026, 2, 19)


def ops(tour_date: str, **changes: Any) -> tuple[str, list[tuple[Any, ...]]]:
    known: dict[str, Any] = {
        "has_row": True,
        "status": "NEW",
        "is_cancelled": False,
        "has_driver": False,
        "settlement_status": None,
        "is_validated": False,
        "has_pattern": False,
    } | changes
    columns = {
        name: pd.Series([value], dtype=TEXT) if name in ("status", "settlement_status") else np.array([value])
        for name, value in known.items()
    }
    dates = pd.Series([dt.date.fromisoformat(tour_date)], dtype="date32[day][pyarrow]")
    found, decided = ops_statuses(Operations(**columns), dates, BALI_TODAY)
    names = ["field_name", "action", "old_value", "new_value", "winner_source", "resolution"]
    return found.iloc[0], list(decided[names].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("tour_date", "changes", "expected"),
    [
        ("2026-03-01", {"status": "DONE", "settlement_status": "PENDING", "is_validated": True}, "COMPLETED"),
        ("2026-02-19", {"status": "UPDATED"}, "ATTENTION"),
        ("2026-02-20", {"status": "UPDATED"}, "UPDATED"),
        ("2026-03-01", {"has_driver": True, "has_pattern": True}, "READY"),
        ("2026-03-01", {"has_driver": True}, "NEW"),
        ("2026-03-01", {"status": "CANCELLED", "settlement_status": "SETTLED"}, "CANCELLED"),
        ("2026-01-01", {"status": "NO_SHOW"}, "NO_SHOW"),
        ("2026-01-01", {"status": None, "settlement_status": "SETTLED"}, "DONE"),
        ("2026-03-01", {"status": None}, "NEW"),
        ("2026-03-01", {"has_row": False, "status": None, "is_cancelled": True}, "CANCELLED"),
        ("2026-01-01", {"has_row": False, "status": None}, "ATTENTION"),
    ],
)
def test_where_operations_are(tour_date: str, changes: dict[str, Any], expected: str) -> None:
    assert ops(tour_date, **changes)[0] == expected


def test_replaced_statuses_are_audited() -> None:
    _, decided = ops("2026-03-01", status="DONE", settlement_status="PENDING", is_validated=True)
    assert decided == [("ops_fulfillment_status", "STATUS_RECOMPUTED", "DONE", "COMPLETED", "bstadmin", "RECOMPUTED")]
    assert ops("2026-03-01", status=None)[1] == []
    assert ops("2026-03-01")[1] == []
