"""The catalog of a DENTAL sample: products, templates with what hangs on them, roles, and the warehouse.

It does not grow with the business, but for the warehouse. Every row of it loads, but for some categories and products
and for the templates' products, of which a fixed number has no course that is mapped, or is there twice.
"""

from collections.abc import Iterator
from typing import Any

from samples.booking.clock import DAY
from samples.dental import dirt
from samples.dental.dirt import flags, sometimes, timed
from samples.dental.people import ADMINISTRATOR, DOCTOR, MASTER, PERMISSIONS, SALES, SPECIALTIES, TECHNICIAN, job
from samples.dental.world import (
    EDIT_ROLES,
    PREDECESSORS,
    ROLE_PERMISSIONS,
    ROLES,
    TECHNICIAN_ID,
    TECHNICIANS,
    TEMPLATES,
    VIEW_GROUPS,
    VIEW_ROLES,
    World,
)
from samples.pools import pick
from samples.weaving import altered
from samples.writing import Record

PRODUCT_COLUMNS = (
    *("id", "name", "description", "free", "deleted", "customization", "type", "substitute", "course_id"),
)
CATEGORY_COLUMNS = ("id", "name", "parent_id")
TEMPLATE_COLUMNS = (
    *("id", "task_name", "text_name", "action_name", "function", "status", "duration", "category_id", "predefined"),
    "read_only",
)
PREDECESSOR_COLUMNS = ("id", "from_template_id", "to_template_id")
TEMPLATE_ROLE_COLUMNS = ("id", "template_id", "role_id")
VIEW_GROUP_COLUMNS = ("id", "template_id", "group_id")
TEMPLATE_PRODUCT_COLUMNS = ("id", "template_id", "product_id")
ROLE_COLUMNS = ("id", "name", "abbrev", "type", "order", "user_id", "group_id")
ROLE_PERMISSION_COLUMNS = ("id", "role_id", "permission_id")
STORAGE_COLUMNS = ("id", "name")
WARE_COLUMNS = ("id", "storage_id", "name", "quantity", "created_at")

# Id, course, deleted, free; of each course the lowest that is not deleted stays.
_PRODUCTS: tuple[tuple[int, Any, Any, Any], ...] = (
    *((1, 1, False, False), (2, "1", "f", 0), (3, 2, True, None), (4, 4, 0, "no"), (6, 8, None, False)),
    *((7, 3, "false", "t"), (8, "2.0", False, True), (9, 2, "0", "maybe"), (10, 7, "N", False), (11, 8, 0, 1)),
    *((12, None, False, False), (13, "4", "", ""), (14, 1, "t", 0), (15, 3, False, 0), (16, "x", None, None)),
)
_OF_COURSE = ((1, 2, 14), (8, 9, 3), (7, 15), (10,))
_UNMAPPED = (4, 6, 11, 13, 12, 16)
_MAPPED = 93

_CATEGORIES = 40
_ACTIONS = ("Approve", "Print", "Pack", "Review", None, "Scan")
_OTHER_ROLES: tuple[tuple[str, int | None, int | None], ...] = (
    *((name, TECHNICIAN, None) for name, _, _ in SPECIALTIES),
    *(("Sales lead", SALES, 1), ("Sales", SALES, None), ("Administrator", ADMINISTRATOR, 2), ("Master", MASTER, 3)),
    *(("Doctor", DOCTOR, None), ("Guest", None, 4), ("Auditor", None, None), ("Archivist", 99, None)),
)
_VIEWERS = (DOCTOR, MASTER, SALES, TECHNICIAN)

_id = sometimes(67, 9, dirt.KEPT_IDS)
_reference = sometimes(41, 6, dirt.KEPT_IDS)
_text = sometimes(17, 4, dirt.TEXTS)
_group_reference = sometimes(9, 2, dirt.KEPT_IDS)
_role_name = sometimes(
    *(3, 1),
    (str.upper, str.lower, lambda v: f"  {v} ", lambda v: v.replace(" ", "   "), lambda v: v.replace(" ", dirt.NBSP)),
)
_no = flags(7, 3)
_duration = sometimes(19, 5, dirt.KEPT_IDS)
_lost_duration = sometimes(67, 9, dirt.fixed(-15, "2 h"))
_category = sometimes(71, 20, dirt.fixed(dirt.DANGLING, "misc"))
_order = sometimes(11, 2, dirt.fixed(None, "7", "", "first"))
_quantity = sometimes(23, 6, dirt.KEPT_IDS)
_lost_quantity = sometimes(211, 8, dirt.fixed(-4, "many", "2,5"))
_no_storage = sometimes(307, 4, dirt.fixed(dirt.DANGLING, "shelf"))
_created = timed(13, 5)
_lost_created = sometimes(401, 7, dirt.LOST_TIMES)


def template_id(template: int) -> int:
    """Id of a template."""
    return 2 * template + 5


def role_id(role: int) -> int:
    """Id of a role; the first roles are the technicians'."""
    return 3 * role + 2


# --- products ---------------------------------------------------------------------------------------------------------


def products() -> Iterator[Record]:
    """The products: four courses that are mapped, and all that is not."""
    for key, course, deleted, free in _PRODUCTS:
        row = {
            "id": _id(key, key),
            "name": _text(f"Product {key}", key) if key != 9 else None,
            "description": None if key % 3 else "Aligners,\nsheet and box",
            "free": free,
            "deleted": deleted,
            "customization": pick((None, "{}", {"colors": ["clear", "white"]}, "any colour"), key + 1),
            "type": key % 5,
            "substitute": key % 4 == 2,
            "course_id": course,
        }
        yield from dirt.repeated(row, key + 8, {"course_id": 4}, period=25)
    yield {"id": "10", "name": "Invoice", "free": False, "deleted": False, "course_id": 7}
    yield from (dirt.NOT_OBJECTS[0], {"id": None, "name": "Nameless", "course_id": 1}, {"id": -8, "course_id": 2})


def template_products(world: World) -> Iterator[Record]:
    """Products of templates: 93 have a place of their own, 73 have none."""
    rows = [(template_id(n), pick(_OF_COURSE[n % 4], n)) for n in range(_MAPPED)]
    rows += [(template_id(n % TEMPLATES), pick(_UNMAPPED, n)) for n in range(40)]
    rows += [(template_id(n), pick(_OF_COURSE[n % 4], n + 1)) for n in range(20)]
    rows += [(template_id(n), dirt.DANGLING) for n in range(100, 104)]
    rows += [(template_id(120), 8)] * world.edition
    made = [_template_product(n, *row) for n, row in enumerate(rows)]
    spare = _template_product(900, template_id(0), 1)
    changes: tuple[dict[str, Any], ...] = (
        *({"template_id": dirt.DANGLING, "id": 901}, {"template_id": 4, "id": 902}),
        *({"template_id": None, "id": 903}, {"product_id": "NULL", "id": 904}, {"product_id": 0, "id": 905}),
        {"id": "n/a"},
    )
    made += [altered(spare, change) for change in changes]
    # Two ids come twice; the earlier copies lose, although they were good.
    yield from ({**made[7], "product_id": 1}, {**made[50], "product_id": "8"})
    for number, row in enumerate(made):
        yield row
        if number == 80:
            yield dirt.NOT_OBJECTS[0]


def _template_product(number: int, template: int, product: int) -> dict[str, Any]:
    return {
        "id": _id(number + 1, number),
        "template_id": _reference(template, number),
        "product_id": _reference(product, number + 7),
    }


# --- templates --------------------------------------------------------------------------------------------------------


def categories() -> Iterator[Record]:
    """The categories, a few of them with a parent that cannot be."""
    for number in range(_CATEGORIES):
        parent: Any = None if number < 5 else _reference(number % 5 + 1, number)
        row = {"id": number + 1, "name": _text(f"Category {number}", number) if number % 9 else "", "parent_id": parent}
        yield from dirt.repeated(row, number, {"name": "Stale"}, period=25)
    yield {"id": 41, "name": "Orphan", "parent_id": dirt.DANGLING}
    yield {"id": "42", "name": "Own parent", "parent_id": 42}
    yield from ({"id": key, "name": "Nowhere"} for key in ("abc", None, 0))
    yield dirt.NOT_OBJECTS[1]


def templates() -> Iterator[Record]:
    """The templates."""
    for n in range(TEMPLATES):
        row = {
            "id": _id(template_id(n), n),
            "task_name": _text(f"Task {n}", n) if n % 6 else pick((None, "", "  ", "\\N"), n // 6),
            "text_name": f"Text {n}" if n % 4 else None,
            "action_name": pick(_ACTIONS, n),
            "function": n % 9,
            "status": pick((1, 1, "1", 0, 1, 2, None), n),
            "duration": _lost_duration(_duration(5 * (n % 13), n), n),
            "category_id": _category(_reference(n % _CATEGORIES + 1, n) if n % 5 else None, n),
            "predefined": _no(n % 3 == 0, n),
            "read_only": _no(n % 8 == 5, n + 2),
        }
        dirt.lacks(row, n, ("action_name", "read_only"))
        yield row


def predecessors() -> Iterator[Record]:
    """What has to be done before a template: never itself, and never in a circle."""
    pairs = [(n, n - 1) for n in range(1, TEMPLATES)] + [(n, n - 3) for n in range(3, TEMPLATES)]
    return _pairs(
        "from_template_id", "to_template_id", [(template_id(a), template_id(b)) for a, b in pairs[:PREDECESSORS]]
    )


def edit_roles() -> Iterator[Record]:
    """Who may change what is made of a template."""
    return _pairs("template_id", "role_id", _dealt(EDIT_ROLES, 5))


def view_roles() -> Iterator[Record]:
    """Who may see what is made of a template."""
    return _pairs("template_id", "role_id", _dealt(VIEW_ROLES, 3))


def view_groups() -> Iterator[Record]:
    """Which groups may see what is made of a template."""
    pairs = [(template_id(n % TEMPLATES), pick(_VIEWERS, n + n // TEMPLATES)) for n in range(VIEW_GROUPS)]
    return _pairs("template_id", "group_id", pairs)


def _dealt(count: int, stride: int) -> list[tuple[int, int]]:
    """So many pairs of a template and a role; the templates take turns, and none takes a role twice."""
    return [
        (template_id(n % TEMPLATES), role_id((n % TEMPLATES + n // TEMPLATES * stride) % ROLES)) for n in range(count)
    ]


def _pairs(left: str, right: str, pairs: list[tuple[int, int]]) -> Iterator[Record]:
    for n, (one, other) in enumerate(pairs):
        yield {"id": _id(n + 1, n), left: _reference(one, n), right: _group_reference(other, n)}


# --- roles ------------------------------------------------------------------------------------------------------------


def roles() -> Iterator[Record]:
    """The roles: the technicians', and those of the catalog and of other groups."""
    for n in range(ROLES):
        if n < TECHNICIANS:
            name, group, user = job(n)[0], TECHNICIAN, TECHNICIAN_ID + n
        else:
            name, group, user = _OTHER_ROLES[n - TECHNICIANS]
        yield {
            "id": _id(role_id(n), n),
            "name": _role_name(name, n),
            "abbrev": "".join(word[0] for word in name.split()) if n % 4 else pick(("", None, "  "), n),
            "type": n % 3,
            "order": _order(n % 10, n),
            "user_id": pick((None, "", 0), n) if user is None else _reference(user, n),
            "group_id": None if group is None else _group_reference(group, n),
        }


def role_permissions() -> Iterator[Record]:
    """What each role may do, once."""
    each, more = divmod(ROLE_PERMISSIONS, ROLES)
    pairs = [
        (role_id(role), (5 * role + 3 * turn) % PERMISSIONS + 1)
        for role in range(ROLES)
        for turn in range(each + (role < more))
    ]
    return _pairs("role_id", "permission_id", pairs)


# --- warehouse --------------------------------------------------------------------------------------------------------


def storages() -> Iterator[Record]:
    """The one storage."""
    yield {"id": 1, "name": "  Main storage "}


def ware(world: World) -> Iterator[Record]:
    """What lies in the storage."""
    for n in range(world.ware.now):
        amount, *_ = world.rolls("ware", n)
        row = {
            "id": _id(n + 1, n),
            "storage_id": _no_storage(1 if n % 8 else None, n),
            "name": _text(f"Blank {amount % 5000:04d}", n) if n % 97 else None,
            "quantity": _lost_quantity(_quantity(amount % 400, n), n),
            "created_at": _lost_created(_created(world.begin + n % 2900 * DAY, n), n),
        }
        dirt.lacks(row, n, ("storage_id", "created_at"))
        yield row
