"""Shipments: the legacy system has none, so they are made up from the orders that are shipped."""

import sqlalchemy as sa

from dental_assets import checks, sources, tables
from dental_assets.assets import LOGISTICS, Traced, driven_table
from dental_assets.sql import json_object, prefixed, utc_day, words
from migration.declare.step import Step
from migration.outcome import Outcome

DAYS_TO_DELIVER = 3

orders_, shipments_ = tables.orders, tables.shipments


def _remove_unshipped(step: Step) -> None:
    """Remove the shipments of orders that this export has loaded with another status."""
    ledger = step.books.ledger
    loaded = sa.select(sa.literal(1)).where(
        ledger.c.export_id == step.export.export_id,
        ledger.c.target_table == orders_.name,
        ledger.c.outcome == Outcome.LOADED.value,
        ledger.c.target_key == sa.cast(orders_.c.id, sa.Text),
    )
    unshipped = sa.select(orders_.c.id).where(orders_.c.status != "shipped", loaded.exists())
    step.facts["superseded"] = step.delete(shipments_, shipments_.c.order_id.in_(unshipped))


@driven_table(
    shipments_,
    orders_,
    sources.dispatch_instruction,
    group=LOGISTICS,
    condition=orders_.c.status == "shipped",
    upstream=["offices"],
    after_upsert=_remove_unshipped,
    own_checks=[checks.success_rate("shipments"), checks.shipment_per_shipped_order, checks.estimated_delivery],
)
def shipments(stage: sa.Table) -> Traced:
    """Shipments, one per shipped order, to its office."""
    office, own = tables.offices, orders_.c.legacy_instruction_id
    shipped_at = sa.func.coalesce(orders_.c.shipped_at, orders_.c.submitted_at)
    address = {
        "recipient_name": office.c.name,
        "line1": office.c.address,
        "line2": office.c.apartment,
        "city": office.c.city,
        "state": office.c.state,
        "postal_code": office.c.zip_code,
        "country": office.c.country,
        "legacy_office_id": office.c.legacy_office_id,
        "source": sa.case((office.c.id.is_(None), words("none")), else_=words("office")),
    }
    return Traced(
        stage.join(orders_, orders_.c.id == stage.c.id).outerjoin(office, office.c.id == orders_.c.office_id),
        {
            "order_id": orders_.c.id,
            "tracking_number": prefixed("LEGACY_", own),
            "carrier": words("UPS"),
            "status": words("shipped"),
            "shipped_at": shipped_at,
            "estimated_delivery_date": utc_day(shipped_at) + DAYS_TO_DELIVER,
            "delivered_at": sa.cast(sa.null(), sa.DateTime(timezone=True)),
            "shipping_address": json_object(address),
            "legacy_instruction_id": own,
        },
        notes={"generated": sa.true()},
    )
