"""One run of a DENTAL job in a process of its own, which kills itself at a chosen boundary.

Reads its order as JSON from standard input and writes what became of it to the order's report.
"""

import json
import sys
from pathlib import Path
from typing import Any

import dagster as dg

from migration.warehouse.connect import warehouse_engine
from tests.conftest import settings_at
from tests.dental.dental_harness import PARTITIONS, Lab
from tests.laws.boundaries import Boundaries, kill, watched

FAILED = 3


def carry_out(order: dict[str, Any]) -> int:
    """Run a job as ordered; returns the exit code."""
    settings = settings_at(Path(order["home"]), order["url"], order["url"])
    boundaries = Boundaries(Path(order["journal"]), order["number"], order["moment"], kill)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(PARTITIONS, order["partitions"])
        lab = Lab(settings, warehouse_engine(settings), instance)
        with watched(boundaries):
            ran = lab.run(order["job"], order["partition"], **order["options"])
    Path(order["report"]).write_text(json.dumps({"run_id": ran.run_id, "failures": ran.failures}))
    return 0 if ran.success else FAILED


if __name__ == "__main__":
    sys.exit(carry_out(json.load(sys.stdin)))
