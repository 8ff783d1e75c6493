"""Runs of METER's jobs in processes of their own, some of which kill themselves at a chosen boundary.

Reads one JSON list of orders per line from standard input, carries them out at the same time, each in a fork that has
everything imported already, and answers with one JSON list of wait statuses per line.
"""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import dagster as dg

from migration.warehouse.connect import warehouse_engine
from tests.conftest import settings_at
from tests.laws.boundaries import Boundaries, kill, watched
from tests.meter.meter_harness import Lab, location

FAILED = 3


def carry_out(order: dict[str, Any]) -> int:
    """Run a job as ordered; returns the exit code."""
    settings = settings_at(Path(order["home"]), order["url"], order["url"])
    boundaries = Boundaries(Path(order["journal"]), order["number"], order["moment"], kill)
    with dg.DagsterInstance.ephemeral() as instance:
        lab = Lab(settings, warehouse_engine(settings), instance)
        if order["partition"]:
            lab.register(order["partition"])
        with watched(boundaries):
            ran = lab.run(order["job"], order["partition"], **order["options"])
    Path(order["report"]).write_text(json.dumps({"run_id": ran.run_id, "failures": ran.failures}))
    return 0 if ran.success else FAILED


def _forked(order: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return child
    code = FAILED
    try:
        code = carry_out(order)
    except BaseException:
        Path(order["report"]).write_text(json.dumps({"crash": traceback.format_exc()}))
    finally:
        os._exit(code)


def main() -> None:
    """Carry out orders until standard input ends."""
    location()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        children = [_forked(order) for order in json.loads(line)]
        statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        sys.stdout.write(json.dumps(statuses) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
