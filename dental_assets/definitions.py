"""The Definitions of the dental code location."""

from dental_assets.assets import DENTAL
from dental_assets.assets.communication import doctor_notes, messages, team_communications
from dental_assets.assets.finance import payment_operations, payments
from dental_assets.assets.logistics import shipments
from dental_assets.assets.medical import cases, files, orders, tasks, treatment_discussions
from dental_assets.assets.notification_chunks import notification_chunks
from dental_assets.assets.notifications import notifications
from dental_assets.assets.people import doctor_offices, doctors, offices, patients, profiles
from dental_assets.assets.reference import categories, export_validation, role_permissions, roles, storages, ware
from dental_assets.assets.success_report import migration_success_report
from dental_assets.assets.teams import teams, technicians
from dental_assets.assets.templates import (
    products,
    template_edit_roles,
    template_predecessors,
    template_products,
    template_view_groups,
    template_view_roles,
    templates,
)
from dental_assets.automation import AUTOMATION
from migration.automation import build_definitions

defs = build_definitions(
    DENTAL,
    [
        export_validation,
        storages,
        ware,
        categories,
        roles,
        role_permissions,
        profiles,
        offices,
        doctors,
        doctor_offices,
        patients,
        technicians,
        teams,
        templates,
        template_predecessors,
        template_edit_roles,
        template_view_roles,
        template_view_groups,
        products,
        template_products,
        cases,
        orders,
        tasks,
        treatment_discussions,
        files,
        payments,
        payment_operations,
        shipments,
        doctor_notes,
        team_communications,
        messages,
        notification_chunks,
        notifications,
        migration_success_report,
    ],
    AUTOMATION,
)

SYSTEM = DENTAL
