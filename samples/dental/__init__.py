"""DENTAL, an orthodontics company: samples of the export of its web application.

At scale 1 the first export has the counts that the legacy project reported, once it is migrated: 16,014 payments of
which 16,011 load, with a mean of 255.48; 3,522 operations with a mean of 1,147.85; 93 of 166 template products, 183
view groups, 32 technicians, 2,453 shipments, 9 teams, 783 of 963 team communications; 46 roles, 1,244 role permissions,
16,552 wares in 1 storage, 152 templates with 603 edit roles, 1,036 view roles and 191 predecessors. No scale and no
later export has lower success rates. The catalog, the staff, the technicians and the groups do not grow with the scale.

Tasks, files, messages and notifications are far larger than the rest. By default a sample holds a twentieth of the
first three and 60,000 notifications; `SampleSpec.bulk` is the share of all four, 1 the real volume of 5,100,000
notifications.

Malformed rows, unusable and repeated ids are among the rows of every table whose counts are not given above; there they
are additional rows, which no other row needs. In the others, the dirt is another spelling of the same value, or costs
a warning: fewer than one row in twenty has one.
"""

from samples.dental import catalog, notifications, orders, payments, people, practice, talk
from samples.dental.world import World
from samples.weaving import text_cell
from samples.writing import SampleSpec, SampleSystem, SampleTable


def tables(spec: SampleSpec) -> list[SampleTable]:
    """The tables of one DENTAL sample."""
    world = World(spec)
    return [*_people(world), *_catalog(world), *_work(world)]


def _people(world: World) -> list[SampleTable]:
    users, offices = people.UserTable(world), practice.OfficeTable(world)
    return [
        SampleTable("auth_user", people.USER_COLUMNS, users.rows),
        SampleTable("auth_group", people.GROUP_COLUMNS, people.groups),
        SampleTable("auth_user_groups", people.MEMBER_COLUMNS, users.members),
        SampleTable("auth_permission", people.PERMISSION_COLUMNS, people.permissions),
        SampleTable("django_content_type", people.TYPE_COLUMNS, people.content_types),
        SampleTable("dispatch_office", practice.OFFICE_COLUMNS, offices.rows),
        SampleTable("dispatch_office_doctors", practice.PLACE_COLUMNS, offices.places),
        SampleTable("dispatch_doctorsetting", practice.SETTING_COLUMNS, offices.settings),
        SampleTable("dispatch_patient", practice.PATIENT_COLUMNS, practice.PatientTable(world).rows),
    ]


def _catalog(world: World) -> list[SampleTable]:
    return [
        SampleTable("dispatch_product", catalog.PRODUCT_COLUMNS, catalog.products),
        SampleTable("dispatch_category", catalog.CATEGORY_COLUMNS, catalog.categories),
        SampleTable("dispatch_template", catalog.TEMPLATE_COLUMNS, catalog.templates),
        SampleTable("dispatch_template_predecessors", catalog.PREDECESSOR_COLUMNS, catalog.predecessors),
        SampleTable("dispatch_template_edit_roles", catalog.TEMPLATE_ROLE_COLUMNS, catalog.edit_roles),
        SampleTable("dispatch_template_view_roles", catalog.TEMPLATE_ROLE_COLUMNS, catalog.view_roles),
        SampleTable("dispatch_template_view_groups", catalog.VIEW_GROUP_COLUMNS, catalog.view_groups),
        SampleTable(
            *("dispatch_template_products", catalog.TEMPLATE_PRODUCT_COLUMNS, lambda: catalog.template_products(world))
        ),
        SampleTable("dispatch_role", catalog.ROLE_COLUMNS, catalog.roles),
        SampleTable("dispatch_role_permissions", catalog.ROLE_PERMISSION_COLUMNS, catalog.role_permissions),
        SampleTable("dispatch_storage", catalog.STORAGE_COLUMNS, catalog.storages),
        SampleTable("dispatch_ware", catalog.WARE_COLUMNS, lambda: catalog.ware(world)),
    ]


def _work(world: World) -> list[SampleTable]:
    ordered, paid = orders.OrderTable(world), payments.PaymentTable(world)
    return [
        SampleTable("dispatch_instruction", orders.ORDER_COLUMNS, ordered.rows),
        SampleTable("dispatch_plan", orders.PLAN_COLUMNS, ordered.plans),
        SampleTable("dispatch_task", orders.TASK_COLUMNS, orders.TaskTable(world).rows),
        SampleTable("dispatch_comment", orders.COMMENT_COLUMNS, orders.CommentTable(world).rows),
        SampleTable("dispatch_file", orders.FILE_COLUMNS, orders.FileTable(world).rows),
        SampleTable("dispatch_note", talk.NOTE_COLUMNS, talk.NoteTable(world).rows),
        SampleTable("dispatch_record", talk.RECORD_COLUMNS, talk.RecordTable(world).rows),
        SampleTable("dispatch_payment", payments.PAYMENT_COLUMNS, paid.rows),
        SampleTable("dispatch_operation", payments.OPERATION_COLUMNS, paid.operations),
        SampleTable("dispatch_notification", notifications.COLUMNS, notifications.NotificationTable(world).rows),
    ]


SYSTEM = SampleSystem("dental", tables, cell=text_cell)
