"""Tenants as partitions: the steps run tenant by tenant."""

import dagster as dg

from migration.declare.asset import Partitioning

PARTITIONS_NAME = "meter_tenants"
TENANTS = dg.DynamicPartitionsDefinition(name=PARTITIONS_NAME)
BY_TENANT = Partitioning(TENANTS, split_by="tenant_id", independent=True)
