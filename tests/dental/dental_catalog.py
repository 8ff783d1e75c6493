"""Reference data: storages, categories, roles, templates with their junctions, products."""

from decimal import Decimal

from tests.dental.dental_files import Row
from tests.dental.dental_people import id_of
from tests.dental.dental_records import Draft, Record, Rejected, Skipped
from tests.dental.dental_scalars import key_of

_PRODUCT_COURSES = {1: "main", 2: "refinement", 3: "replacement", 7: "invoice"}


class Catalog:
    """The tables of reference data."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.stored = draft.tables

    def run_first(self) -> None:
        """Make the tables that nothing else is needed for."""
        draft = self.draft
        draft.carry("dispatch_storage", "storages", _storage)
        draft.carry("dispatch_ware", "ware", self._ware)
        self._categories()
        draft.carry("dispatch_role", "roles", self._role)
        pair = ("role_id", "resource")
        draft.carry("dispatch_role_permissions", "role_permissions", self._role_permission, pair)

    def run_templates(self) -> None:
        """Make templates, products and what belongs to them."""
        draft = self.draft
        draft.carry("dispatch_template", "templates", self._template)
        pair = ("template_id", "predecessor_id")
        draft.carry("dispatch_template_predecessors", "template_predecessors", self._predecessor, pair)
        for target in ("template_edit_roles", "template_view_roles"):
            draft.carry(f"dispatch_{target}", target, self._template_role, ("template_id", "role_id"))
        pair = ("template_id", "group_name")
        draft.carry("dispatch_template_view_groups", "template_view_groups", self._view_group, pair)
        draft.carry("dispatch_product", "products", _product, ("legacy_course_id",), merged=_note_merged)
        pair = ("template_id", "product_id")
        draft.carry("dispatch_template_products", "template_products", self._template_product, pair)

    # --- storages, categories, roles ----------------------------------------------------------------------------------

    def _ware(self, record: Record) -> Row:
        return {
            "storage_id": id_of(record.resolved("storage_id", self.stored["storages"], "STORAGE_NOT_FOUND")),
            "name": record.text("name") or f"Ware {record.pk}",
            "quantity": natural(record, "quantity"),
            "created_at": record.moment("created_at"),
            "legacy_ware_id": record.pk,
        }

    def _categories(self) -> None:
        """Categories, which may name later ones: every row of the export is loaded."""
        known = {**self.stored["categories"], **self.draft.sources["dispatch_category"].last}

        def judge(record: Record) -> Row:
            parent = record.integer("parent_id")
            if parent == record.pk:
                record.warnings.add("SELF_REFERENCE")
            elif parent is not None and parent not in known:
                record.warnings.add("CATEGORY_NOT_FOUND")
            found = parent is not None and parent != record.pk and parent in known
            return {
                "name": record.spaced("name") or f"Category {record.pk}",
                "parent_id": key_of("dispatch_category", parent) if found and parent else None,
                "display_order": record.pk,
                "legacy_category_id": record.pk,
            }

        self.draft.carry("dispatch_category", "categories", judge)

    def _role(self, record: Record) -> Row:
        name = record.spaced("name")
        if name is None:
            raise Rejected("MISSING_REQUIRED")
        abbreviation = record.text("abbrev")
        group = record.integer("group_id")
        named = self.draft.lookup("auth_group").get(group) if group is not None else None
        return {
            "name": name,
            "description": abbreviation or f"Role: {name}",
            "abbreviation": abbreviation,
            "role_type": record.integer("type"),
            "sort_order": record.integer("order"),
            "group_name": named.group("name") if named else None,
            "legacy_role_id": record.pk,
        }

    def _role_permission(self, record: Record) -> Row:
        record.require("role_id", "permission_id")
        role = record.required("role_id", self.stored["roles"], "ROLE_NOT_FOUND")
        permission = self.draft.lookup("auth_permission").get(record.integer("permission_id") or 0)
        codename = permission.text("codename") if permission else None
        if permission is None or codename is None:
            raise Rejected("PERMISSION_NOT_FOUND")
        return {
            "role_id": role["id"],
            "permission": permission.text("name") or codename,
            "resource": codename,
            "is_active": True,
            "legacy_id": record.pk,
        }

    # --- templates ----------------------------------------------------------------------------------------------------

    def _template(self, record: Record) -> Row:
        task, text = record.spaced("task_name"), record.spaced("text_name")
        return {
            "name": task or text or "Unnamed Template",
            "action_name": record.text("action_name"),
            "category_id": id_of(record.resolved("category_id", self.stored["categories"], "CATEGORY_NOT_FOUND")),
            "is_active": record.integer("status") == 1,
            "estimated_duration_minutes": natural(record, "duration"),
            "legacy_template_id": record.pk,
            "metadata": {
                "function": record.integer("function"),
                "predefined": record.boolean("predefined"),
                "read_only": record.boolean("read_only"),
            },
        }

    def _predecessor(self, record: Record) -> Row:
        record.require("from_template_id", "to_template_id")
        if record.integer("from_template_id") == record.integer("to_template_id"):
            raise Rejected("SELF_REFERENCE")
        template = record.required("from_template_id", self.stored["templates"], "TEMPLATE_NOT_FOUND")
        before = record.required("to_template_id", self.stored["templates"], "TEMPLATE_NOT_FOUND")
        return {"template_id": template["id"], "predecessor_id": before["id"], "legacy_id": record.pk}

    def _template_role(self, record: Record) -> Row:
        record.require("template_id", "role_id")
        template = record.required("template_id", self.stored["templates"], "TEMPLATE_NOT_FOUND")
        role = record.required("role_id", self.stored["roles"], "ROLE_NOT_FOUND")
        return {"template_id": template["id"], "role_id": role["id"], "legacy_id": record.pk}

    def _view_group(self, record: Record) -> Row:
        record.require("template_id", "group_id")
        template = record.required("template_id", self.stored["templates"], "TEMPLATE_NOT_FOUND")
        group = record.integer("group_id")
        named = self.draft.lookup("auth_group").get(group or 0)
        name = named.group("name") if named else None
        if name is None:
            raise Rejected("GROUP_NOT_FOUND")
        return {
            "template_id": template["id"],
            "group_name": name,
            "access_level": "view",
            "legacy_group_id": group,
            "legacy_id": record.pk,
        }

    def _template_product(self, record: Record) -> Row:
        record.require("template_id", "product_id")
        template = record.required("template_id", self.stored["templates"], "TEMPLATE_NOT_FOUND")
        number = record.integer("product_id")
        product = self.draft.lookup("dispatch_product").get(number or 0)
        if product is None:
            raise Rejected("PRODUCT_NOT_FOUND")
        course = product.integer("course_id")
        of_course = {row["legacy_course_id"]: row for row in self.stored["products"].values()}
        if course is None or course not in of_course:
            raise Rejected("COURSE_NOT_MAPPED")
        return {
            "template_id": template["id"],
            "product_id": of_course[course]["id"],
            "quantity": 1,
            "legacy_template_id": record.integer("template_id"),
            "legacy_product_id": number,
            "legacy_course_id": course,
            "legacy_id": record.pk,
        }


def _storage(record: Record) -> Row:
    return {"name": record.text("name") or f"Storage {record.pk}", "legacy_storage_id": record.pk}


def _product(record: Record) -> Row:
    if record.boolean("deleted"):
        raise Skipped
    course = record.integer("course_id")
    if course is None:
        raise Rejected("MISSING_REQUIRED")
    if course not in _PRODUCT_COURSES:
        raise Rejected("COURSE_NOT_MAPPED")
    return {
        "name": record.spaced("name") or f"Product {record.pk}",
        "description": record.text("description"),
        "course_type": _PRODUCT_COURSES[course],
        "base_price": Decimal("0.00") if record.boolean("free") else None,
        "customization": record.document("customization"),
        "is_active": True,
        "legacy_course_id": course,
        "legacy_product_id": record.pk,
    }


def _note_merged(row: Row, others: list[Record]) -> None:
    row["metadata"] = {"merged_legacy_product_ids": sorted(record.pk for record in others)}


def natural(record: Record, column: str) -> int | None:
    """I of at least 0."""
    found = record.integer(column)
    if found is not None and found < 0:
        record.warnings.add("BAD_INT")
        return None
    return found
