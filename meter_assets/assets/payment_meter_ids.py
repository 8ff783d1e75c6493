"""Step 1: every payment and every credit gets a meter, and what a person should look at is listed."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, aggregate_order_by, array

from meter_assets import checks, tables
from meter_assets.assets.tenant_steps import of_tenant, tenant_of, tenant_step
from migration.declare.asset import Write
from migration.declare.step import Step
from migration.outcome import Outcome
from migration.tables import Query

OWNED = ("meter_id", "meter_id_source")
_NO_CANDIDATES = sa.literal([], JSONB)


def _text(value: str) -> sa.ColumnElement[str]:
    return sa.literal(value, sa.Text)


# --- which meter a customer has ---------------------------------------------------------------------------------------


def _places(step: Step) -> sa.Subquery:
    """Each customer's distinct meters with their place among all, and among the active ones."""
    assignment = tables.meter_assignments
    place = sa.func.row_number().over(
        partition_by=assignment.c.customer_id, order_by=(assignment.c.assigned_at.asc().nulls_last(), assignment.c.id)
    )
    ranked = (
        sa.select(assignment.c.customer_id, assignment.c.meter_id, assignment.c.is_active, place.label("place"))
        .where(of_tenant(step, assignment))
        .subquery()
    )
    first = sa.func.min(ranked.c.place)
    return (
        sa.select(
            ranked.c.customer_id,
            ranked.c.meter_id,
            first.label("place"),
            first.filter(ranked.c.is_active).label("active_place"),
        )
        .group_by(ranked.c.customer_id, ranked.c.meter_id)
        .subquery()
    )


def _resolver(step: Step) -> Query:
    """Per customer with assignments: the meter that stands for the customer, why, and what is to be reviewed."""
    place = _places(step)
    is_active = place.c.active_place.is_not(None)
    anyone = sa.func.array_agg(aggregate_order_by(place.c.meter_id, place.c.place), type_=ARRAY(sa.BigInteger))
    active = sa.func.array_agg(aggregate_order_by(place.c.meter_id, place.c.active_place), type_=ARRAY(sa.BigInteger))
    held = (
        sa.select(
            place.c.customer_id,
            anyone.label("anyone"),
            active.filter(is_active).label("active"),
            sa.func.count().filter(is_active).label("number"),
        )
        .group_by(place.c.customer_id)
        .subquery("held")
    )
    several, none = held.c.number > 1, held.c.number == 0
    return sa.select(
        held.c.customer_id,
        sa.func.coalesce(held.c.active[1], held.c.anyone[1]).label("meter_id"),
        sa.case((several, _text("FIRST_ACTIVE")), (none, _text("FIRST_INACTIVE")), else_=_text("SINGLE_ACTIVE")).label(
            "source"
        ),
        sa.case((several, _text("MULTI_METER_CUSTOMER")), (none, _text("NO_ACTIVE_METER"))).label("review"),
        sa.case(
            (several, sa.func.to_jsonb(held.c.active, type_=JSONB)),
            (none, sa.func.to_jsonb(held.c.anyone, type_=JSONB)),
            else_=_NO_CANDIDATES,
        ).label("candidates"),
    )


# --- decisions --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Decided:
    """What the decision on a table's rows is made of.

    Attributes:
        entity: the table.
        kind: what the review calls its rows.
        joined: its rows of the tenant with what they name, and with the customer's meter as `resolver`.
        known: the meter that a row names itself, NULL where there is no such meter.
        other: the meter of what the row belongs to, and the source that this is.
        notes: review reasons and their conditions, beside those of the resolver.
    """

    entity: sa.Table
    kind: str
    joined: sa.FromClause
    known: sa.ColumnElement[Any]
    other: sa.ColumnElement[Any]
    other_source: str
    notes: dict[str, sa.ColumnElement[bool]]


def _decision(step: Step, decided: _Decided, resolver: sa.Table) -> Query:
    """One row per payment or credit: its meter, the source, the reasons to review it, the candidates."""
    undecided = sa.and_(decided.known.is_(None), decided.other.is_(None))
    invalid = decided.entity.c.legacy_meter_id.is_not(None) & decided.known.is_(None)
    by_customer = sa.func.coalesce(resolver.c.source, "UNASSIGNED")
    # A customer without assignments is not in the resolver; one with a single active meter needs no review.
    note = sa.case((resolver.c.customer_id.is_(None), _text("NO_METER")), else_=resolver.c.review)
    reasons = [
        *(sa.case((condition, _text(code))) for code, condition in decided.notes.items()),
        sa.case((invalid, _text("INVALID_EXISTING_METER"))),
        sa.case((undecided, note)),
    ]
    given = sa.func.array_remove(sa.cast(array(reasons), ARRAY(sa.Text)), sa.null(), type_=ARRAY(sa.Text))
    return (
        sa.select(
            decided.entity.c.id,
            decided.entity.c.customer_id,
            sa.func.coalesce(decided.known, decided.other, resolver.c.meter_id).label("meter_id"),
            sa.case(
                (decided.known.is_not(None), _text("EXISTING")),
                (decided.other.is_not(None), _text(decided.other_source)),
                else_=by_customer,
            ).label("meter_id_source"),
            given.label("reasons"),
            sa.case((undecided, sa.func.coalesce(resolver.c.candidates, _NO_CANDIDATES)), else_=_NO_CANDIDATES).label(
                "candidates"
            ),
        )
        .select_from(decided.joined.outerjoin(resolver, resolver.c.customer_id == decided.entity.c.customer_id))
        .where(of_tenant(step, decided.entity))
    )


def _own_meter(step: Step, entity: sa.Table) -> tuple[sa.FromClause, sa.ColumnElement[bool]]:
    meter = tables.meters.alias("named_meter")
    return meter, (meter.c.id == entity.c.legacy_meter_id) & (meter.c.tenant_id == entity.c.tenant_id)


def _payments(step: Step) -> _Decided:
    payment, invoice = tables.payments, tables.invoices
    meter, same = _own_meter(step, payment)
    followed = payment.c.invoice_id.is_not(None)
    invoiced = sa.case((followed, invoice.c.meter_id))
    return _Decided(
        payment,
        "payment",
        payment.outerjoin(meter, same).outerjoin(invoice, invoice.c.id == payment.c.legacy_invoice_id),
        meter.c.id,
        invoiced,
        "INVOICE",
        {
            "METER_DIFFERS_FROM_INVOICE": sa.and_(meter.c.id.is_not(None), invoiced != meter.c.id),
            "INVOICE_WITHOUT_METER": sa.and_(meter.c.id.is_(None), followed, invoice.c.meter_id.is_(None)),
            "ORPHAN_INVOICE": payment.c.legacy_invoice_id.is_not(None) & invoice.c.id.is_(None),
            "INVOICE_TENANT_MISMATCH": invoice.c.tenant_id != payment.c.tenant_id,
            "INVOICE_CUSTOMER_MISMATCH": followed & (invoice.c.customer_id != payment.c.customer_id),
            "CUSTOMER_FROM_INVOICE": payment.c.customer_source == "INVOICE",
        },
    )


def _credits(step: Step) -> _Decided:
    credit, payment = tables.overpayments, tables.payments
    meter, same = _own_meter(step, credit)
    return _Decided(
        credit,
        "overpayment",
        credit.outerjoin(meter, same).outerjoin(payment, payment.c.id == credit.c.payment_id),
        meter.c.id,
        payment.c.meter_id,
        "PAYMENT",
        {},
    )


# --- the step ---------------------------------------------------------------------------------------------------------


def _reviewed(step: Step, kind: str, decision: sa.Table) -> Query:
    """One row per reason to review a payment or credit."""
    reason = sa.func.unnest(decision.c.reasons, type_=sa.Text).label("reason_code")
    noted = sa.select(*decision.c, reason).subquery()
    from_resolver = noted.c.reason_code.in_(("MULTI_METER_CUSTOMER", "NO_ACTIVE_METER"))
    return sa.select(
        _text(kind).label("entity_type"),
        noted.c.id.label("entity_id"),
        noted.c.reason_code,
        _text(step.export.export_id).label("export_id"),
        sa.literal(tenant_of(step), sa.BigInteger).label("tenant_id"),
        noted.c.customer_id,
        noted.c.meter_id.label("chosen_meter_id"),
        sa.case((from_resolver, noted.c.candidates), else_=_NO_CANDIDATES).label("candidate_meter_ids"),
    )


@tenant_step(
    target=tables.payments,
    owned=OWNED,
    upstream=["export_pruned"],
    checks=[checks.payment_meter_coverage, checks.multi_meter_review],
)
def payment_meter_ids(step: Step) -> Write:
    """The meter of every payment and credit of a tenant.

    The first of these decides: the meter it names itself, the meter of its invoice (of a credit: of its payment), the
    customer's only active meter, the first active, the first of all. What a person should look at is in
    `meter_id_review`.
    """

    def write() -> None:
        resolver = step.gather("resolver", _resolver(step))
        reviews = []
        for decided in (_payments(step), _credits(step)):
            # Credits look at the meters that their payments have just been given.
            decision = step.gather(f"{decided.kind}_decision", _decision(step, decided, resolver))
            step.update_from(decided.entity, decision, [decided.entity.c[name] for name in OWNED])
            reviews.append(_reviewed(step, decided.kind, decision))
            _count(step, decision)
        review = tables.meter_id_review
        rows = sa.union_all(*reviews).subquery("reviewed")
        step.replace(review, rows, of_tenant(step, review))

    return write


def _count(step: Step, decision: sa.Table) -> None:
    assigned = sa.func.count(decision.c.meter_id)
    rows, loaded = step.connection.execute(sa.select(sa.func.count(), assigned).select_from(decision)).one()
    step.tally.source_rows += rows
    step.tally.outcomes[Outcome.LOADED.value] += loaded
    step.tally.outcomes[Outcome.SKIPPED.value] += rows - loaded
    if rows > loaded:
        step.tally.skipped_by["UNASSIGNED"] += rows - loaded
