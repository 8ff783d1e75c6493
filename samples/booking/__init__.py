"""BOOKING, a tour operator that keeps its business twice: samples of the website's and the operations panel's exports.

Two catalogs, in groups of a tour with its three packages and two products of the website: fourteen of every twenty
groups belong together in a way of their own, a member of `samples.booking.world.Group`. One trip in seven is known to
both systems, and of fifty such trips fourteen have a story, a member of `samples.booking.world.Story`: the systems
differ in a way that a merge has to decide.

The limits that the migration's checks set hold at every scale and in both exports: few variants have no product, few
packages are claimed by two variants, and few trips (every 400th number, and some refunds) have settled costs without
being paid. Rows that a load rejects are additional ones, or come in small shares. One table of operations is written
in the exporter's other spelling, by turns.
"""

from samples.booking import catalog, inbox, operations, packages, website
from samples.booking.weaving import in_camel_case
from samples.booking.world import World
from samples.weaving import text_cell
from samples.writing import SampleSpec, SampleSystem, SampleTable

WEBSITE, OPERATIONS = "balisnap", "bstadmin"

# The tables that a sample may have in the other spelling, and their models' names.
ALIASES = {
    "tour_images": "TourImage",
    "booking_finances": "BookingFinance",
    "email_jobs": "EmailJob",
    "tour_packages": "TourPackage",
    "booking_emails": "BookingEmail",
}


def tables(spec: SampleSpec) -> list[SampleTable]:
    """The tables of one BOOKING sample."""
    world = World(spec)
    return [
        *(_in_folder(WEBSITE, table) for table in _website(world)),
        *(_in_folder(OPERATIONS, _spelled(table, aliased(spec))) for table in _operations(world)),
    ]


def aliased(spec: SampleSpec) -> str:
    """The table that a sample has in the other spelling."""
    return list(ALIASES)[(spec.seed + spec.edition) % len(ALIASES)]


def _website(world: World) -> list[SampleTable]:
    products, variants = catalog.ProductTable(world), catalog.VariantTable(world)
    items = website.ItemTables(world)
    return [
        SampleTable("TourProduct", catalog.PRODUCT_COLUMNS, products.rows),
        SampleTable("TourProductMedia", catalog.MEDIA_COLUMNS, products.media),
        SampleTable("TourVariant", catalog.VARIANT_COLUMNS, variants.rows),
        SampleTable("VariantRatePlan", catalog.RATE_COLUMNS, variants.rates),
        SampleTable("VariantItinerary", catalog.ITINERARY_COLUMNS, variants.itineraries),
        SampleTable("Departure", catalog.DEPARTURE_COLUMNS, variants.departures),
        SampleTable("Booking", website.BOOKING_COLUMNS, website.BookingTable(world).rows),
        SampleTable("BookingItem", website.ITEM_COLUMNS, items.rows),
        SampleTable("BookingTraveler", website.TRAVELLER_COLUMNS, items.travellers),
        SampleTable("Payment", website.PAYMENT_COLUMNS, website.PaymentTable(world).rows),
    ]


def _operations(world: World) -> list[SampleTable]:
    offers, costs, mail = packages.PackageTables(world), operations.FinanceTables(world), inbox.InboxTables(world)
    return [
        SampleTable("tours", packages.TOUR_COLUMNS, offers.tours),
        SampleTable("tour_packages", packages.PACKAGE_COLUMNS, offers.packages),
        SampleTable("tour_images", packages.IMAGE_COLUMNS, offers.images),
        SampleTable("tour_itineraries", packages.ITINERARY_COLUMNS, offers.itineraries),
        SampleTable("bookings", operations.BOOKING_COLUMNS, operations.BookingTable(world).rows),
        SampleTable("booking_finances", operations.FINANCE_COLUMNS, costs.rows),
        SampleTable("booking_finance_items", operations.ITEM_COLUMNS, costs.items),
        SampleTable("email_inbox", inbox.INBOX_COLUMNS, mail.inbox),
        SampleTable("email_jobs", inbox.JOB_COLUMNS, mail.jobs),
        SampleTable("booking_emails", inbox.LINK_COLUMNS, mail.links),
    ]


def _spelled(table: SampleTable, other: str) -> SampleTable:
    return in_camel_case(table, ALIASES[other]) if table.stem == other else table


def _in_folder(folder: str, table: SampleTable) -> SampleTable:
    return SampleTable(f"{folder}/{table.stem}", table.columns, table.records)


SYSTEM = SampleSystem("booking", tables, cell=text_cell)
