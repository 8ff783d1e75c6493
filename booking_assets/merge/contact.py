"""Whom to reach about a booking: of each of its values the freshest usable one, whichever row has it."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from booking_assets.merge.frames import TEXT, UNKNOWN, arrow_array, at_positions, first_of_each
from booking_assets.merge.identity import Groups
from booking_assets.merge.logs import (
    DROPPED,
    FRESHER,
    INVALID_EMAIL,
    MERGE_CONFLICT,
    OWNER,
    REVIEW_REQUIRED,
    decisions,
    joined_decisions,
)
from booking_assets.merge.resolve import source_pks
from booking_assets.parsing.contacts import PLACEHOLDER_DOMAIN, PLACEHOLDER_EMAILS, PLACEHOLDER_NAMES
from booking_assets.parsing.keys import BALISNAP, BSTADMIN

CONTACT_COLUMNS = (
    "main_name",
    "main_email",
    "phone",
    "pickup_location",
    "meeting_point",
    "is_placeholder_name",
    "is_placeholder_email",
    "updated_from_source",
)


@dataclass(frozen=True)
class Contacts:
    """The contacts of every booking.

    Attributes:
        rows: columns of `booking_contact`, by the booking's number; the meeting point may still come from the catalog.
        decided: what was decided against, and the e-mails that are none.
        review: per field that needs a person, for which bookings.
    """

    rows: pd.DataFrame = field(repr=False)
    decided: pd.DataFrame = field(repr=False)
    review: dict[str, np.ndarray] = field(repr=False)


def merge_contacts(groups: Groups, base_meeting_points: pd.Series | None = None) -> Contacts:
    """Merge the contacts of every booking's rows.

    Args:
        groups: the bookings; their rows have `name` (cut to its column), `email_text` and `email` (missing where the
            text is no address), `phone` (E.164) and `phone_text` (what is kept instead), `pickup_location` and
            `meeting_point`.
        base_meeting_points: where the booked product begins, for bookings whose rows name no meeting point.
    """
    ordered = _Ordered(groups)
    names, emails, phones = ordered.value("name"), ordered.value("email"), ordered.value("phone")
    real = names.notna().to_numpy() & ~_is_placeholder_name(names)
    name_at = _first(ordered.first(real), ordered.first(names.notna().to_numpy()))
    usable = emails.notna().to_numpy() & ~_is_placeholder_email(emails)
    email_at, phone_at = ordered.first(usable), ordered.first(phones.notna().to_numpy())
    phone_texts = ordered.value("phone_text")
    written = {"main_name": at_positions(names, name_at), "main_email": at_positions(emails, email_at)}
    fallback = at_positions(phone_texts, ordered.first(phone_texts.notna().to_numpy()))
    rows = pd.DataFrame(
        {
            **written,
            "phone": at_positions(phones, phone_at).fillna(fallback),
            "pickup_location": ordered.of_systems("pickup_location", (BSTADMIN, BALISNAP)),
            "meeting_point": ordered.of_systems("meeting_point", (BALISNAP, BSTADMIN)),
            "is_placeholder_name": _is_placeholder_name(written["main_name"]),
            "is_placeholder_email": written["main_email"].isna().to_numpy(),
            "updated_from_source": ordered.systems(ordered.first(np.ones(len(ordered.group), dtype=bool))),
        }
    )
    if base_meeting_points is not None:
        rows["meeting_point"] = rows["meeting_point"].fillna(base_meeting_points.astype(TEXT))
    conflicts = [
        ordered.conflicts("main_name", names, real, name_at),
        ordered.conflicts("main_email", emails, usable, email_at),
        ordered.conflicts("phone", phones, phones.notna().to_numpy(), phone_at),
    ]
    review = {name: _needing_review(each, groups.count) for name, each in zip(_REVIEWED, conflicts, strict=True)}
    return Contacts(rows, joined_decisions([*conflicts, ordered.invalid_emails()]), review)


_REVIEWED = ("main_name", "main_email", "phone")


class _Ordered:
    """The rows of every booking, the freshest first, then the website's, then the highest key."""

    def __init__(self, groups: Groups) -> None:
        pks = groups.rows["pk"].to_numpy(dtype=np.int64)
        stale = np.where(groups.freshness == UNKNOWN, 1, -groups.freshness)
        self._order = np.lexsort((-pks, ~groups.website, stale, groups.group))
        self._groups = groups
        self.group = groups.group[self._order]
        self._freshness = groups.freshness[self._order]
        self._website = groups.website[self._order]

    def value(self, name: str) -> pd.Series:
        """A column of the rows."""
        return at_positions(self._groups.rows[name], self._order)

    def first(self, flags: np.ndarray) -> np.ndarray:
        """The first flagged row of each booking, -1 where none is."""
        return first_of_each(self.group, flags, self._groups.count)

    def systems(self, positions: np.ndarray) -> pd.Series:
        """The system of each row."""
        return pd.Series(np.where(self._website[positions], BALISNAP, BSTADMIN), dtype=TEXT)

    def of_systems(self, name: str, systems: tuple[str, str]) -> pd.Series:
        """The first value of each booking's rows in one system, else in the other."""
        values = self.value(name)
        given = values.notna().to_numpy()
        flags = [given & (self._website if system == BALISNAP else ~self._website) for system in systems]
        first, second = (at_positions(values, self.first(each)) for each in flags)
        return first.fillna(second)

    def conflicts(self, name: str, values: pd.Series, usable: np.ndarray, written: np.ndarray) -> pd.DataFrame:
        """Of each booking the first usable value that differs from the one that is written."""
        own = at_positions(values, written[self.group])
        differs = usable & (values != own).fillna(value=False).to_numpy(dtype=bool)
        losing = self.first(differs)
        found = np.flatnonzero(losing >= 0)
        losing, winning = losing[found], written[found]
        fresh, stale = self._freshness[winning], self._freshness[losing]
        known = np.where(fresh == stale, OWNER, FRESHER)
        groups = self._groups
        return decisions(
            found,
            name,
            MERGE_CONFLICT,
            old_value=_list_at(values, losing),
            new_value=_list_at(values, winning),
            winner_source=np.where(self._website[winning], BALISNAP, BSTADMIN),
            resolution=np.where((fresh == UNKNOWN) | (stale == UNKNOWN), REVIEW_REQUIRED, known),
            payload=source_pks(
                at_positions(groups.rows["pk"], groups.b), at_positions(groups.rows["pk"], groups.a), found
            ),
        )

    def invalid_emails(self) -> pd.DataFrame:
        """Each different text that is given as an e-mail of a booking and is none."""
        raw = self.value("email_text")
        wrong = np.flatnonzero(raw.notna().to_numpy() & self.value("email").isna().to_numpy())
        found = pd.DataFrame(
            {"group": self.group[wrong], "text": _list_at(raw, wrong), "website": self._website[wrong]}
        )
        found = found.drop_duplicates(["group", "text"])
        return decisions(
            found["group"].to_numpy(),
            "main_email",
            INVALID_EMAIL,
            old_value=found["text"],
            new_value=None,
            winner_source=np.where(found["website"].to_numpy(dtype=bool), BALISNAP, BSTADMIN),
            resolution=DROPPED,
        )


def _is_placeholder_name(names: pd.Series) -> np.ndarray:
    """Whether each name, or none, says nothing about who the guest is."""
    # Python's lower case, not Arrow's: the two differ in a few letters, and the lists are looked up in a set anyway.
    lowered = [None if name is None else name.lower() for name in arrow_array(names).to_pylist()]
    return np.array([name is None or name in PLACEHOLDER_NAMES for name in lowered], dtype=bool)


def _is_placeholder_email(addresses: pd.Series) -> np.ndarray:
    listed = addresses.isin(list(PLACEHOLDER_EMAILS)).to_numpy(dtype=bool)
    of_nobody = addresses.str.endswith(PLACEHOLDER_DOMAIN).fillna(value=False).to_numpy(dtype=bool)
    return listed | of_nobody


def _first(best: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.where(best >= 0, best, other)


def _needing_review(decided: pd.DataFrame, count: int) -> np.ndarray:
    flags = np.zeros(count, dtype=bool)
    flags[decided.loc[decided["resolution"] == REVIEW_REQUIRED, "group"].to_numpy(dtype=np.int64)] = True
    return flags


def _list_at(values: pd.Series, positions: np.ndarray) -> list[str]:
    return arrow_array(values).take(positions).to_pylist()
