"""Dagster's storage: planned events in few statements, and told apart by asset, check and partition as before."""

from collections import Counter
from collections.abc import Iterator

import dagster as dg
import pytest

from migration.dev import prepare_dagster_home
from migration.settings import Settings

MONTHS = dg.MonthlyPartitionsDefinition(start_date="2024-01-01", end_date="2024-06-01")


MONTHLY = dg.AssetKey("monthly")
CHECKS = ("conservation", "unique")


@dg.multi_asset(
    specs=[dg.AssetSpec(MONTHLY)],
    check_specs=[dg.AssetCheckSpec(name, asset=MONTHLY) for name in CHECKS],
    partitions_def=MONTHS,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def monthly() -> Iterator[dg.MaterializeResult]:
    """Nothing, one check passed and one not."""
    results = [dg.AssetCheckResult(passed=name == "unique", check_name=name, asset_key=MONTHLY) for name in CHECKS]
    yield dg.MaterializeResult(MONTHLY, check_results=results)


@pytest.mark.parametrize("at_once", ["0", "1000"], ids=["one by one", "in batches"])
def test_planned_events_of_a_range(settings: Settings, monkeypatch: pytest.MonkeyPatch, at_once: str) -> None:
    for name, value in prepare_dagster_home(settings).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", at_once)
    job = dg.Definitions(assets=[monthly], jobs=[dg.define_asset_job("job", "*")]).resolve_job_def("job")
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance,
            tags={
                "dagster/asset_partition_range_start": "2024-01-01",
                "dagster/asset_partition_range_end": "2024-04-01",
            },
        )
        planned = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
        assert sorted(str(entry.get_dagster_event().partition) for entry in planned) == [
            f"2024-0{month}-01" for month in range(1, 5)
        ]
        assert instance.get_materialized_partitions(MONTHLY) == {f"2024-0{m}-01" for m in range(1, 5)}
        assert MONTHLY in instance.all_asset_keys()
        left_planned = {"PLANNED": 4} if at_once == "0" else {}
        assert executions(instance, "unique") == {"SUCCEEDED": 1} | left_planned
        assert executions(instance, "conservation") == {"FAILED": 1} | left_planned


def executions(instance: dg.DagsterInstance, check: str) -> Counter[str]:
    """How the executions of a check have ended: one by one, Dagster plans them per partition, and results have none."""
    key = dg.AssetCheckKey(MONTHLY, check)
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
    return Counter(record.status.value for record in records)
