"""What happens to one customer month by month, and what every meter owes after it.

The months that both exports tell about are lived through in the same way, so the later export repeats the earlier
one's rows. What a customer's meters owe is kept beside: the legacy balance is made from it, and so both agree wherever
the story does not say otherwise.
"""

from decimal import Decimal
from typing import NamedTuple

from samples.meter.world import METERS_EACH, Customer, Draw, Kind, Story, World

CENT = Decimal("0.01")
ZERO = Decimal("0.00")

ADVANCE = METERS_EACH - 1
READING, SERVICE, EXTRA, CARRIED = range(4)

_RATES = (Decimal("55.00"), Decimal("62.50"), Decimal("48.25"), Decimal("71.35"), Decimal("59.99"))
_READINGS = ("METER_READING", "WATER_USAGE", "REGULAR_READING")
_OPENING = Decimal("180.50")
_SERVICE_FEE = Decimal("150.00")
_CONNECTION_FEE = Decimal("2500.00")
_PENALTY = Decimal("75.50")
_ADJUSTMENT = Decimal("-40.00")
_STALE = Decimal("150.00")
_VOID_STATUSES = ("failed", "cancelled", "reversed", "reversed")
_BULK_PAYMENT = Decimal("100.00")
_WAYS = ("full",) * 60 + ("twice",) * 5 + ("part",) * 9 + ("over",) * 4 + ("fail",) * 5 + ("none",) * 17
_SETTLED_NEVER = (Story.WRITTEN_OFF, Story.MOVED_OWING, Story.CARRIED_OVER)
_VOID_BULKS = (Story.VOID_BULK, Story.VOID_DANGLING, Story.VOID_FOREIGN)


class Line(NamedTuple):
    """A bill on an invoice: a charge, or what earlier invoices left open."""

    number: int
    type: str
    units: int
    amount: Decimal


class Invoice(NamedTuple):
    """An invoice; its meter is None where it was written for the customer as a whole.

    Attributes:
        stored_charges: what the legacy system keeps in the invoice's own column.
        stored_carried: the same of the amount brought forward.
        paid: what the payments of its month brought.
        credit: what an earlier credit paid.
    """

    slot: int
    meter: int | None
    month: int
    day: int
    lines: tuple[Line, ...]
    stored_charges: Decimal
    stored_carried: Decimal
    paid: Decimal
    credit: Decimal
    void: bool


class Payment(NamedTuple):
    """A payment.

    Attributes:
        slot: the slot of its invoice, or of its month where it has none.
        number: its number within the slot.
        invoice: slot of the invoice; None for a payment in advance.
        meter: the meter that gets the money; None where there is none.
        stated: whether the payment names its meter itself.
        doubtful: whether the bank takes it back in the following month.
    """

    slot: int
    number: int
    invoice: int | None
    meter: int | None
    stated: bool
    amount: Decimal
    status: str
    month: int
    day: int
    doubtful: bool

    @property
    def void(self) -> bool:
        """Whether the money does not count."""
        return self.status in _VOID_STATUSES


class Credit(NamedTuple):
    """A row of the credit ledger; its payment is None where the credit was granted without one."""

    number: int
    payment: Payment | None
    amount: Decimal
    status: str
    month: int
    day: int


class History:
    """All that one customer has been billed, has paid and was credited, until the export."""

    __slots__ = (
        "_draw",
        "_lot",
        "_ordinary",
        "_rate",
        "_world",
        "credits",
        "customer",
        "invoices",
        "nets",
        "payments",
        "unmetered",
    )

    def __init__(self, world: World, customer: Customer) -> None:
        self._world = world
        self.customer = customer
        self._draw = Draw(world.history_salt, customer.number)
        self._lot = self._draw.word()
        self._ordinary = customer.story is Story.NOTHING
        self._rate = _RATES[customer.tenant % len(_RATES)]
        self.invoices: list[Invoice] = []
        self.payments: list[Payment] = []
        self.credits: list[Credit] = []
        self.nets = [ZERO] * len(customer.spans)
        self.unmetered = ZERO
        self._begin()
        if customer.spans:
            for month in range(customer.start, world.month + 1):
                self._live(month)

    # What it comes to -------------------------------------------------------------------------------------------------

    def active(self, meter: int) -> bool:
        """Whether a meter is still assigned to the customer when the export is taken."""
        last = self.customer.spans[meter][1]
        return last is None or last >= self._world.month

    def known(self, meter: int) -> bool:
        """Whether a meter is there already when the export is taken."""
        return self.customer.spans[meter][0] <= self._world.month

    def stored(self) -> tuple[Decimal, Decimal]:
        """Balance and overpayment as the legacy system keeps them for the customer."""
        nets = [net for meter, net in enumerate(self.nets) if self.known(meter) and self.active(meter)]
        balance = sum((net for net in nets if net > 0), ZERO)
        overpayment = sum((-net for net in nets if net < 0), ZERO)
        story = self.customer.story
        if story in (Story.SPLIT, Story.NEGATIVE):
            net = balance - overpayment
            return (net, ZERO) if net > 0 or story is Story.NEGATIVE else (ZERO, -net)
        if story in (Story.GATE, Story.UNASSIGNED_CREDIT):
            return ZERO, -self.unmetered
        return balance + self._misstated(), overpayment

    def _misstated(self) -> Decimal:
        """What the stored balance holds beyond the active meters' money."""
        story = self.customer.story
        if story is Story.PENNY:
            return CENT
        if story is Story.TWO_CENTS:
            return 2 * CENT
        if story is Story.STALE:
            return _STALE
        if story is Story.CARRIED_OVER:
            return self.nets[0]
        return self.unmetered

    # How it came about ------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        customer, draw = self.customer, self._draw
        month = customer.start
        if customer.story is Story.GATE:
            amount = Decimal(500 + 50 * draw.below(40))
            self.unmetered = -amount
            slot = self._world.slot(month, ADVANCE)
            self.payments.append(Payment(slot, 2, None, None, False, amount, "paid", month, 9, False))
        elif customer.story is Story.UNASSIGNED_CREDIT:
            self._grant(month, "available")
        elif customer.kind in (Kind.SINGLE, Kind.SEVERAL) and draw.below(70) == 0:
            self._grant(month, ("available", "applied", "refunded")[draw.below(3)])

    def _grant(self, month: int, status: str) -> None:
        amount = Decimal(120 + 10 * self._draw.below(20))
        self.credits.append(Credit(len(self.credits), None, amount, status, month, 2))
        if self.customer.spans:
            self.nets[0] -= amount if status != "refunded" else ZERO
        else:
            self.unmetered -= amount

    def _live(self, month: int) -> None:
        if month > self._world.first_sample_month:
            self._take_back(month - 1)
        for meter, (first, last) in enumerate(self.customer.spans):
            if first <= month and (last is None or month <= last):
                self._bill(month, meter, month == first, ends=last is not None)
        if not self._ordinary and month == self.customer.start + 1:
            self._write_special(month)
        if (month + self._lot) % 25 == 0 or self.customer.story is Story.MOVED_CREDIT:
            self._pay_in_advance(month)

    def _take_back(self, month: int) -> None:
        """The bank takes doubtful payments of the month before back."""
        credited = {credit.payment for credit in self.credits}
        for number, payment in enumerate(self.payments):
            if payment.doubtful and payment.month == month and not payment.void and payment not in credited:
                self.payments[number] = payment._replace(status="reversed")
                self.nets[payment.meter or 0] += payment.amount

    def _bill(self, month: int, meter: int, first: bool, *, ends: bool) -> None:
        customer, nets = self.customer, self.nets
        before = nets[meter]
        carried = self._carried(meter, first)
        word, units = divmod(self._draw.word(), 38)
        word, lot = divmod(word, 200)
        word, rare = divmod(word, 45)
        lines, billed = self._charges(meter, first, bool(carried), units + 3, lot)
        void = not (first or ends or rare)
        if not void:
            nets[meter] = before + billed
        if first and meter == 0 and rare % 9 == 0 and self._ordinary:
            # Debt from before the system is only here: it counts.
            carried = 10 * units + _OPENING
            nets[meter] += carried
        slot = (month - self._world.first_month) * METERS_EACH + meter
        paid = ZERO if void else self._pay(month, meter, slot, word, ends=ends)
        if carried:
            lines.append(Line(CARRIED, "BALANCE", 0, carried))
        credit = min(-before, billed) if before < 0 < billed and not void else ZERO
        stored = carried if self._ordinary else carried + self._column_only(month)
        self.invoices.append(
            Invoice(slot, meter, month, 1 + customer.number % 4, tuple(lines), billed, stored, paid, credit, void)
        )

    def _carried(self, meter: int, first: bool) -> Decimal:
        """What the invoice restates of earlier ones."""
        if first and self.customer.story is Story.CARRIED_OVER:
            meter = 0
        owing = self.nets[meter]
        return owing if owing > 0 else ZERO

    def _column_only(self, month: int) -> Decimal:
        if self.customer.story is not Story.COLUMN_ONLY or month != self.customer.start:
            return ZERO
        self.unmetered = _STALE
        return _STALE

    def _charges(self, meter: int, first: bool, owing: bool, units: int, lot: int) -> tuple[list[Line], Decimal]:
        """The new charges of an invoice, and their sum."""
        reading = units * self._rate
        lines = [Line(READING, _READINGS[(self.customer.tenant + meter) % len(_READINGS)], units, reading)]
        if lot % 8 == 0:
            lines.append(Line(SERVICE, "SERVICE_FEE" if lot % 16 else "FIXED_CHARGE", 1, _SERVICE_FEE))
            reading += _SERVICE_FEE
        if first and lot < 20:
            extra = Line(EXTRA, "CONNECTION_FEE" if lot % 2 else "NEW_CONNECTION", 1, _CONNECTION_FEE)
        elif owing and lot < 30:
            extra = Line(EXTRA, "LATE_PAYMENT_PENALTY" if lot % 4 else "RECONNECTION", 1, _PENALTY)
        elif lot == 199 and units > 5:
            extra = Line(EXTRA, "ADJUSTMENT", 1, _ADJUSTMENT)
        else:
            return lines, reading
        lines.append(extra)
        return lines, reading + extra.amount

    # What is paid -----------------------------------------------------------------------------------------------------

    def _pay(self, month: int, meter: int, slot: int, word: int, *, ends: bool) -> Decimal:
        """Pay an invoice in one of many ways; what has counted is given back."""
        due, customer = self.nets[meter], self.customer
        word, lot = divmod(word, 100)
        word, day = divmod(word, 144)
        way = _WAYS[lot]
        if ends:
            way = "none" if customer.story in _SETTLED_NEVER else "settle"
        elif not self._ordinary and customer.story is Story.SPLIT:
            way = "over" if meter else "none"
        if way == "none" or due <= 0:
            return ZERO
        if day < 18 and way != "settle" and self._ordinary:
            if month == self._world.month:
                return ZERO
            day += 18 * 8
        day = 26 + day % 3 if day >= 144 else 6 + day % 18
        if way == "full" or way == "settle":
            return self._take(month, day, meter, slot, due, word, firm=ends)
        return self._pay_oddly(way, due, month, day, meter, slot, word)

    def _pay_oddly(self, way: str, due: Decimal, month: int, day: int, meter: int, slot: int, word: int) -> Decimal:
        if way == "twice":
            half = due // 2 + CENT
            first = self._take(month, day, meter, slot, half, word)
            return first + self._take(month, day, meter, slot, due - half, word, 1)
        if way == "part":
            return self._take(month, day, meter, slot, due // 3 + 1, word)
        if way == "over":
            return self._overpay(month, day, meter, slot, due, word)
        status = _VOID_STATUSES[word % len(_VOID_STATUSES)]
        self._add(Payment(slot, 0, slot, meter, False, due, status, month, day, False))
        return ZERO

    def _take(
        self,
        month: int,
        day: int,
        meter: int,
        slot: int,
        amount: Decimal,
        word: int,
        number: int = 0,
        firm: bool = False,
    ) -> Decimal:
        """Take money that counts for a meter."""
        lot, customer = word % 600, self.customer
        status = "paid" if lot % 2 else "completed"
        if lot < 30 and not firm and (lot < 4 or month == self._world.month):
            status = "pending"
        target, stated = meter, lot % 40 == 7
        if lot % 25 == 3 and self._ordinary and customer.kind is Kind.SEVERAL:
            target, stated = (meter + 1) % len(customer.spans), True
        self.payments.append(
            Payment(slot, number, slot, target, stated, amount, status, month, day, not firm and lot % 50 == 11)
        )
        self.nets[target] -= amount
        return amount

    def _overpay(self, month: int, day: int, meter: int, slot: int, due: Decimal, word: int) -> Decimal:
        amount = (due // 100 + 3) * 100
        lot = word // 600 % 10
        taken = self._take(month, day, meter, slot, amount, word)
        payment = self.payments[-1]
        status = "refunded" if lot < 2 else "available" if month == self._world.month or lot < 5 else "applied"
        excess = amount - due
        self.credits.append(Credit(len(self.credits), payment, excess, status, month, day))
        if status == "refunded":
            self.nets[payment.meter or 0] += excess
        return taken

    def _add(self, payment: Payment) -> None:
        self.payments.append(payment)
        if not payment.void:
            self.nets[payment.meter or 0] -= payment.amount

    def _pay_in_advance(self, month: int) -> None:
        """Money without an invoice: it goes to the first active meter."""
        customer = self.customer
        meter = 1 if customer.kind is Kind.REPLACED else 0
        if customer.story is Story.MOVED_CREDIT:
            if month != customer.change + 1:
                return
        elif customer.kind is Kind.MOVED or (meter and month <= customer.change):
            return
        amount = Decimal(500 + 50 * (self._lot // 25 % 50))
        slot = self._world.slot(month, ADVANCE)
        self._add(Payment(slot, 2, None, meter, False, amount, "paid", month, 5, False))

    # Invoices with a story of their own -------------------------------------------------------------------------------

    def _write_special(self, month: int) -> None:
        story = self.customer.story
        units = 4 + self._draw.below(10)
        reading = Line(READING, "METER_READING", units, units * self._rate)
        if story in _VOID_BULKS:
            self._special(month, None, (reading,), reading.amount, void=True)
            slot = self._world.slot(month, METERS_EACH - 1)
            self._add(Payment(slot, 0, slot, 0, False, _BULK_PAYMENT, "paid", month, 12, False))
        elif story is Story.NOTHING_BILLED:
            self._special(month, 0, (), ZERO)
        elif story is Story.UNBILLED:
            self._special(month, 0, (), reading.amount)
            self.unmetered = reading.amount
        elif story is Story.OPEN_BULK:
            self._special(month, None, (reading,), reading.amount)
            self.unmetered = reading.amount

    def _special(
        self, month: int, meter: int | None, lines: tuple[Line, ...], charges: Decimal, *, void: bool = False
    ) -> None:
        slot = self._world.slot(month, METERS_EACH - 1)
        self.invoices.append(Invoice(slot, meter, month, 12, lines, charges, ZERO, ZERO, ZERO, void))
