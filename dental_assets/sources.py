"""The legacy tables of the orthodontics application: an export may hold all rows or only those that changed."""

from migration.exports.sources import SourceTable

NULL_WORDS = ("", "NULL", "\\N")


def _table(name: str, columns: str, *, required: bool = True) -> SourceTable:
    return SourceTable(
        name,
        columns=("id", *columns.split()),
        key="id",
        required_keys=("id",),
        required=required,
        non_objects="text",
        null_tokens_csv=NULL_WORDS,
        blank_csv_lines="skip",
        surrogates="remove",
    )


# The password of a user is no column: it is never read.
auth_user = _table(
    "auth_user", "username first_name last_name email is_superuser is_staff is_active date_joined last_login"
)
auth_group = _table("auth_group", "name")
auth_user_groups = _table("auth_user_groups", "user_id group_id")
auth_permission = _table("auth_permission", "name codename")
django_content_type = _table("django_content_type", "app_label model")
dispatch_office = _table(
    "dispatch_office", "name address apt city state zip country phone tax_rate valid sq_customer_id emails"
)
dispatch_office_doctors = _table("dispatch_office_doctors", "office_id user_id")
dispatch_doctorsetting = _table("dispatch_doctorsetting", "user_id")
dispatch_patient = _table(
    "dispatch_patient",
    "user_id doctor_id office_id birthdate archived suspended status submitted_at updated_at suffix sex schemes",
)
dispatch_product = _table("dispatch_product", "name description free deleted customization course_id")
dispatch_instruction = _table(
    "dispatch_instruction",
    "patient_id course_id status notes complaint price submitted_at updated_at deleted exports upper_jaw_id"
    " lower_jaw_id",
)
dispatch_task = _table("dispatch_task", "checked file_id template_id done_at text plan_id instruction_id actor_id jaw")
dispatch_plan = _table("dispatch_plan", "instruction_id")
dispatch_comment = _table("dispatch_comment", "created_at text author_id plan_id")
dispatch_note = _table("dispatch_note", "created_at text author_id doctor_id")
dispatch_record = _table("dispatch_record", "target_id target_type_id type created_at text author_id group_id public")
dispatch_category = _table("dispatch_category", "name parent_id")
dispatch_template = _table(
    "dispatch_template", "task_name text_name function status duration category_id action_name predefined read_only"
)
dispatch_template_predecessors = _table("dispatch_template_predecessors", "from_template_id to_template_id")
dispatch_template_edit_roles = _table("dispatch_template_edit_roles", "template_id role_id")
dispatch_template_view_roles = _table("dispatch_template_view_roles", "template_id role_id")
dispatch_template_view_groups = _table("dispatch_template_view_groups", "template_id group_id")
dispatch_template_products = _table("dispatch_template_products", "template_id product_id")
dispatch_role = _table("dispatch_role", "name abbrev type order user_id group_id")
dispatch_role_permissions = _table("dispatch_role_permissions", "role_id permission_id")
dispatch_payment = _table(
    "dispatch_payment",
    "made_at free tax_rate tax_value paid_price instruction_id used_credit canceled paid custom_price subtotal_price"
    " doctor_id office_id order_id installments additional_price netsuite total_price",
)
# The BIN of a card is no column either: it is never read.
dispatch_operation = _table(
    "dispatch_operation",
    "type made_at price sq_order_id sq_payment_id sq_refund_id card_brand card_last office_card payment_id attempts",
)
dispatch_file = _table("dispatch_file", "uid name ext size type instruction_id created_at status", required=False)
dispatch_storage = _table("dispatch_storage", "name", required=False)
dispatch_ware = _table("dispatch_ware", "storage_id name quantity created_at", required=False)
dispatch_notification = _table(
    "dispatch_notification",
    "created_at sender template_name template_context read item_id item_type_id recipient_id sent send",
    required=False,
)

ALL = (
    auth_user,
    auth_group,
    auth_user_groups,
    auth_permission,
    django_content_type,
    dispatch_office,
    dispatch_office_doctors,
    dispatch_doctorsetting,
    dispatch_patient,
    dispatch_product,
    dispatch_instruction,
    dispatch_task,
    dispatch_plan,
    dispatch_comment,
    dispatch_note,
    dispatch_record,
    dispatch_category,
    dispatch_template,
    dispatch_template_predecessors,
    dispatch_template_edit_roles,
    dispatch_template_view_roles,
    dispatch_template_view_groups,
    dispatch_template_products,
    dispatch_role,
    dispatch_role_permissions,
    dispatch_payment,
    dispatch_operation,
    dispatch_file,
    dispatch_storage,
    dispatch_ware,
    dispatch_notification,
)

# Objects or arrays, or a text that holds one; the quarantine keeps them as values.
JSON_COLUMNS = frozenset({"schemes", "customization", "exports", "installments", "template_context"})
# Of these tables a cut row may hold a password hash or a BIN.
WITHHELD_WHEN_MALFORMED = frozenset({auth_user.name, dispatch_operation.name})
