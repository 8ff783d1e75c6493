"""The payments of a DENTAL sample and the operations on cards.

Most payments are over nothing: a plan covers them. Every charged payment has an operation over the same amount, a few
have a refund too, and some payments wait for their operation. So both mean amounts of the legacy system come about.
Charged amounts come in pairs around their mean, and a refund meets both of a pair.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from samples.booking.clock import DAY
from samples.dental import dirt
from samples.dental.dirt import flags, sometimes, timed
from samples.dental.practice import RATES
from samples.dental.world import World
from samples.pools import pick
from samples.weaving import altered
from samples.writing import Record

PAYMENT_COLUMNS = (
    *("id", "made_at", "free", "tax_rate", "tax_value", "paid_price", "instruction_id", "used_credit", "canceled"),
    *("paid", "custom_price", "subtotal_price", "doctor_id", "office_id", "order_id", "installments"),
    *("additional_price", "netsuite", "total_price"),
)
OPERATION_COLUMNS = (
    *("id", "type", "made_at", "price", "sq_order_id", "sq_payment_id", "sq_refund_id", "card_brand", "card_bin"),
    *("card_last", "office_card", "payment_id", "attempts"),
)

# Of 16,011 payments; the rest are over nothing.
_CHARGED, _WAITING, _ALL = 3_430, 150, 16_011
_REFUNDED_PAIRS = 46
_CHARGED_MEAN, _WAITING_MEAN = 114_785, 102_243
_SPREADS = (4_215, 14_785, 25_990, 35_230, 48_855, 64_785, 81_235, 99_785)

_BRANDS = ("VISA", "visa", "Master Card", "MC", "amex", "AMERICAN_EXPRESS", "discover", "jcb", "Diners", None, " Visa ")

_id = sometimes(67, 9, dirt.KEPT_IDS)
_reference = sometimes(41, 6, dirt.KEPT_IDS)
_made = timed(11, 4)
_lost_time = sometimes(223, 5, dirt.LOST_TIMES)
_money = sometimes(4, 1, dirt.KEPT_MONEY)
_fallback = sometimes(173, 8, dirt.LOST_AMOUNTS)
_extra = sometimes(29, 3, (*dirt.KEPT_MONEY, *dirt.NULLS))
_lost_extra = sometimes(241, 6, dirt.LOST_MONEY)
_rate = sometimes(3, 1, dirt.KEPT_RATES)
_lost_rate = sometimes(269, 4, dirt.LOST_RATES)
_flag = flags(9, 2)
_lost_flag = sometimes(313, 7, dirt.LOST_BOOLEANS)
_installments = sometimes(5, 2, dirt.CARD_DOCUMENTS)
_lost_installments = sometimes(337, 6, dirt.LOST_DOCUMENTS)
_doctor = sometimes(283, 8, dirt.fixed(dirt.DANGLING, 1, "Dr. Sample"))
_office = sometimes(251, 3, dirt.fixed(dirt.DANGLING, "main"))
_type = sometimes(19, 4, dirt.KEPT_IDS)
_odd_type = sometimes(127, 5, dirt.fixed(None, 3, "sale", ""))
_last = sometimes(
    *(6, 1),
    (
        *(int, lambda v: f"**** {v}", lambda v: f" {v} ", lambda v: f"{v}.0"),
        *dirt.fixed(None, "xx", "", 42, 7, "0"),
    ),
)
_whole_card = sometimes(61, 8, dirt.fixed(*dirt.PANS, 4242424242424242))
_attempts = sometimes(23, 6, dirt.fixed(None, -1, "2", "", "many"))


class Charge(NamedTuple):
    """A payment over something.

    Attributes:
        payment: number of the payment.
        rank: number among the charged payments; None when it waits for its operation.
        cents: the amount in hundredths of a dollar.
    """

    payment: int
    rank: int | None
    cents: int


class PaymentTable:
    """The payments and the operations."""

    def __init__(self, world: World) -> None:
        self._world = world
        first = world.payments.first
        self._charged = _even(first * _CHARGED // _ALL)
        self._places = self._charged + _even(first * _WAITING // _ALL)
        self._pairs = self._charged // 2 * _REFUNDED_PAIRS * 2 // _CHARGED

    def rows(self) -> Iterator[Record]:
        """The payments; those without a usable order are spread among them."""
        lost = self._world.lost_payments
        stride = self._world.payments.first // (lost + 1)
        for number in range(self._world.payments.now):
            yield self._row(number)
            turn, rest = divmod(number + 1, stride)
            if rest == 0 and turn <= lost:
                yield self._lost_row(turn - 1)

    def operations(self) -> Iterator[Record]:
        """The operations, each on a card; a refund follows its payment."""
        key = 0
        for place in range(self._place_of(self._world.payments.now)):
            charge = self._charge(self._payment_at(place), place)
            if charge.rank is None:
                continue
            key += 1
            yield self._operation(key, charge, refund=False)
            if self._is_refunded(charge.rank):
                key += 1
                yield self._operation(key, charge, refund=True)

    # Amounts ----------------------------------------------------------------------------------------------------------

    def _place_of(self, payment: int) -> int:
        """How many of the payments before it are over something."""
        return payment * self._places // self._world.payments.first

    def _payment_at(self, place: int) -> int:
        """The payment of a place among those over something."""
        return -(-(place + 1) * self._world.payments.first // self._places) - 1

    def _charge(self, payment: int, place: int) -> Charge:
        rank = place * self._charged // self._places
        if (place + 1) * self._charged // self._places > rank:
            return Charge(payment, rank, self._cents("charge", rank, _CHARGED_MEAN))
        return Charge(payment, None, self._cents("waiting", place - rank, _WAITING_MEAN))

    def _cents(self, label: str, rank: int, mean: int) -> int:
        pair, second = divmod(rank, 2)
        spread, odd, *_ = self._world.rolls(label, pair)
        away = pick(_SPREADS, spread) + odd % 97
        return mean + away if second else mean - away

    def _is_refunded(self, rank: int) -> bool:
        pair, pairs = rank // 2, max(1, self._charged // 2)
        return (pair + 1) * self._pairs // pairs > pair * self._pairs // pairs

    def _amount(self, number: int) -> tuple[Decimal, bool]:
        """What a payment is over, and whether it waits."""
        place = self._place_of(number)
        if self._place_of(number + 1) == place:
            return Decimal("0.00"), False
        charge = self._charge(number, place)
        return _dollars(charge.cents), charge.rank is None

    # Rows -------------------------------------------------------------------------------------------------------------

    def _row(self, n: int) -> dict[str, Any]:
        world, order = self._world, self._world.payment_order(n)
        amount, waits = self._amount(n)
        rate = pick(RATES, order)
        tax = (amount * rate).quantize(Decimal("0.01"))
        doctor = world.treating_doctor(world.order_patient(order))
        fallback = not waits and _fallback(amount, n) is not amount
        canceled, free = amount == 0 and n % 31 == 4, amount == 0 and n % 3 == 0
        row = {
            "id": _id(n + 1, n),
            "made_at": _lost_time(_made(world.order_time(order) + DAY, n), n),
            "free": _flag(free, n),
            "tax_rate": _lost_rate(_rate(rate, n), n),
            "tax_value": _lost_extra(_extra(tax, n), n),
            "paid_price": None if waits or not (fallback or n % 4) else _money(amount, n),
            "instruction_id": _reference(world.order_id(order), n),
            "used_credit": _extra(_dollars(100 * (n % 7)), n + 3) if n % 5 == 0 else None,
            "canceled": _flag(canceled, n + 4),
            "paid": _lost_flag(_flag(not waits, n + 1), n) if amount == 0 else _flag(not waits, n + 1),
            "custom_price": None if n % 9 else pick(("-12.50", Decimal("12.50"), "$1,250", ".5", "7."), n // 9),
            "subtotal_price": _extra(amount - tax, n + 7),
            "doctor_id": _doctor(_reference(world.doctor_user(doctor), n + 2), n),
            "office_id": _office(world.office_id(world.usual_office(doctor)) if n % 14 else None, n),
            "order_id": n % 5_000 + 1 if n % 6 == 0 else None,
            "installments": _lost_installments(_installments({"n": n % 4, "due": ["2024-01-15"]}, n), n),
            "additional_price": _extra(_dollars(100 * (n % 40)), n + 5) if n % 8 == 0 else None,
            "netsuite": _flag(n % 17 == 3, n + 6),
            "total_price": _fallback(_money(amount, n), n) if fallback else _money(amount, n),
        }
        dirt.lacks(row, n, ("used_credit", "custom_price", "order_id", "netsuite"))
        return row

    def _lost_row(self, number: int) -> Record:
        """A payment without a usable order: an unknown one, none, or one that was deleted."""
        world = self._world
        order = pick((dirt.DANGLING, None, world.deleted_order_id(7)), number)
        changes = {"id": world.spare_id(number), "instruction_id": order, "total_price": Decimal("150.00")}
        return altered(self._row(0), changes)

    def _operation(self, key: int, charge: Charge, *, refund: bool) -> Record:
        world, n = self._world, key
        payment, amount = charge.payment, _dollars(charge.cents)
        one, two, digits, *_ = world.rolls("operation", charge.rank or 0)
        made = world.order_time(world.payment_order(payment)) + (9 if refund else 1) * DAY
        last = f"{digits % 10_000:04d}"
        price = -amount if refund and n % 3 else amount
        row = {
            "id": _id(n, n),
            "type": _odd_type(_type(2 if refund else 1, n), n),
            "made_at": _lost_time(_made(made, n), n),
            "price": str(price) if price < 0 else _money(price, n),
            "sq_order_id": f"SQO{one:08x}",
            "sq_payment_id": f"SQP{two:08x}",
            "sq_refund_id": f"SQR{one:08x}" if refund else pick((None, "", "\\N"), n),
            "card_brand": pick(_BRANDS, one),
            "card_bin": pick(dirt.BINS, one) if n % 9 else int(pick(dirt.BINS, one)),
            "card_last": _whole_card(_last(last, n), n),
            "office_card": _flag(one % 3 == 0, n),
            "payment_id": _reference(payment + 1, n),
            "attempts": _attempts(n % 3 + 1, n),
        }
        dirt.lacks(row, n, ("office_card", "attempts", "card_brand"))
        return row


def _dollars(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def _even(number: int) -> int:
    return number - number % 2
