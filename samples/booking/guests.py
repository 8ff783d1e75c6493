"""The guests of a BOOKING sample, and how the two systems spell them; all of them are made up and look it."""

from typing import Any, NamedTuple

from samples.booking import dirt
from samples.booking.world import Story, Trip, World, mix
from samples.pools import FIRST_NAMES, LAST_NAMES, pick
from samples.weaving import fixed, sometimes

_PREFIXES = ("+628120000", "+447700900", "+614915700")
_COLUMNS = ("main_contact_name", "main_contact_email", "phone_number")
_HOTELS = ("Kenanga", "Mawar", "Cempaka", "Melati", "Kamboja", "Anggrek", "Teratai")

_name = sometimes(31, 4, dirt.NAMES)
_placeholder_name = sometimes(37, 9, fixed(*dirt.PLACEHOLDER_NAMES))
_email = sometimes(19, 5, dirt.EMAILS)
_phone = sometimes(5, 2, dirt.PHONES)
_local_phone = sometimes(3, 1, dirt.LOCAL_PHONES)


class Guest(NamedTuple):
    """Who booked, without dirt."""

    name: str
    email: str
    phone: str


def guest(world: World, trip: Trip, *, other: bool = False) -> Guest:
    """Who booked a trip.

    Args:
        world: what the sample tells about.
        trip: the trip.
        other: another name, address and number of the same guest.
    """
    word, first = divmod(mix(world.salts["guest"], trip.number) + other, len(FIRST_NAMES))
    word, last = divmod(word, len(LAST_NAMES))
    word, prefix = divmod(word, len(_PREFIXES))
    one, two = FIRST_NAMES[first], LAST_NAMES[last]
    email = f"{one.lower()}.{two.lower()}{trip.number}@{dirt.EMAIL_DOMAIN}"
    return Guest(f"{one} {two}", email, f"{_PREFIXES[prefix]}{word % 1000 + other:04d}")


def contact(world: World, trip: Trip, salt: int) -> dict[str, Any]:
    """Name, e-mail and phone number as a system has them.

    Args:
        world: what the sample tells about.
        trip: the trip.
        salt: moves the dirt, so that the two systems have different dirt.
    """
    who, n = guest(world, trip), trip.number + salt
    name: Any = _name(who.name, n)
    if not (world.edition and n % 2):
        # The later export knows the names of some who were only guests before.
        name = _placeholder_name(name, n)
    email: Any = _email(who.email, n)
    masks = dirt.PLACEHOLDER_EMAILS[trip.channel]
    if n % (4 if trip.channel in ("VIATOR", "TRIPDOTCOM") else 17) == 3:
        email = pick(masks, n // 17)
    return dict(zip(_COLUMNS, (name, email, _number(who.phone, n)), strict=True))


def differing(world: World, trip: Trip) -> dict[str, Any]:
    """What the copy of operations says differently about the guest of a trip with such a story."""
    if trip.story is Story.PLACEHOLDER:
        return dict(zip(_COLUMNS, ("Guest", "test@test.com", "-"), strict=True))
    another = guest(world, trip, other=True)
    if trip.story in (Story.OTHER_PHONE, Story.MORE_GUESTS):
        return {"main_contact_email": another.email, "phone_number": another.phone}
    return dict(zip(_COLUMNS, another, strict=True)) if trip.story is Story.UNKNOWN_GUEST else {}


def pickup(trip: Trip, number: int) -> str:
    """Where a guest wants to be picked up."""
    return f"{dirt.ADDRESS_MARK} {pick(_HOTELS, trip.word + number)} {trip.word % 90 + 1}, Ubud"


def _number(phone: str, n: int) -> Any:
    spelled = _phone(phone, n)
    return _local_phone(phone, n) if spelled is phone and phone.startswith("+62") else spelled
