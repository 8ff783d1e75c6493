"""Runs of the migration in processes of their own, some of which kill themselves at a chosen boundary.

Reads one JSON list of orders per line from standard input, carries them out at the same time, each in a fork that has
everything imported already, and answers with one JSON list of wait statuses per line.
"""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from tests.laws.boundaries import Boundaries, kill, watched
from tests.laws.lab import run_job

FAILED = 3


def carry_out(order: dict[str, Any]) -> int:
    """Run the migration as ordered; returns the exit code."""
    os.environ.update(order["environment"])
    report = Path(order["report"])
    boundaries = Boundaries(Path(order["journal"]), order["number"], order["moment"], kill)
    with watched(boundaries):
        ran = run_job(order.get("job", "skynet_migration"), months=tuple(order["months"]), **order.get("options", {}))
    report.write_text(json.dumps({"run_id": ran.run_id, "success": ran.success, "failures": ran.failures}))
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
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        children = [_forked(order) for order in json.loads(line)]
        statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        sys.stdout.write(json.dumps(statuses) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
