"""`make bench`: every figure that the README quotes, several runs in turn, the median.

Each measurement runs in a process of its own, on an embedded server of its own below a temporary folder. Ratios compare
runs that took turns on the same machine; absolute seconds say little about another one.
"""

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

RUNS = int(os.environ.get("BENCH_RUNS", "3"))
ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
PORT = 3977


def measure(home: Path, module: str, *arguments: str) -> dict[str, Any]:
    """Run one measurement in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module, *arguments],
        env=os.environ | {"MIGRATION_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{module} {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def bench_load(home: Path) -> None:
    """(a) against COPY, (b) the unchanged rerun, (c) memory."""
    measure(home, "bench.load", "core", str(ROWS))
    core, rerun, copy = [], [], []
    for _ in range(RUNS):
        core.append(measure(home, "bench.load", "core", str(ROWS)))
        rerun.append(measure(home, "bench.load", "rerun", str(ROWS)))
        copy.append(measure(home, "bench.load", "copy", str(ROWS)))
    ratios = [a["payments"] / b["payments"] for a, b in zip(core, copy, strict=True)]
    again = [a["payments"] / b["payments"] for a, b in zip(rerun, core, strict=True)]
    loaded = core[0]["loaded"]
    print(f"rows read {ROWS:,}, loaded {loaded:,}; {RUNS} runs in turn, median [min-max]")
    print(f"(a) core load / plain COPY + indexes     {spread(ratios)}   core {spread([c['payments'] for c in core])} s")
    print(f"    verification pass of the export      {spread([c['export'] for c in core])} s, before it")
    print(f"(b) unchanged rerun / first load         {spread(again)}   rows written {rerun[-1]['written']}")
    large = measure(home, "bench.load", "core", str(3 * ROWS))
    print(
        f"(c) peak memory                          {core[-1]['peak_mb']} MB, at {3 * ROWS:,} rows {large['peak_mb']} MB"
    )


def bench_orchestration(home: Path) -> None:
    """(d) what Dagster and the bookkeeping around the steps cost."""
    subprocess.run(
        [Path(sys.executable).with_name("migrate"), "sample", "skynet"],
        env=os.environ | {"MIGRATION_HOME": str(home)},
        check=True,
        capture_output=True,
    )
    runs = [measure(home, "bench.orchestration") for _ in range(RUNS + 1)]
    for name, kept in (("first load", runs[:1]), ("unchanged rerun", runs[1:])):
        share = [(run["wall"] - run["inside"]) / run["assets"] for run in kept]
        walls = spread([run["wall"] for run in kept])
        print(f"(d) Skynet {name:<15} {walls} s wall; outside the steps {spread(share)} s per asset")


def bench_dev(home: Path) -> None:
    """(e) how long until the UI answers."""
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        process = subprocess.Popen(
            [Path(sys.executable).with_name("migrate"), "dev", "--port", str(PORT)],
            env=os.environ | {"MIGRATION_HOME": str(home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_for_ui(process)
            seconds.append(time.perf_counter() - started)
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(60)
    print(f"(e) make dev until the UI answers        {spread(seconds)} s")


def wait_for_ui(process: subprocess.Popen[bytes]) -> None:
    """Wait until the UI answers."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/server_info", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    sys.exit("migrate dev ended before the UI answered")


def spread(values: list[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):.2f} [{min(values):.2f}-{max(values):.2f}]"


def main() -> None:
    """Measure everything, or what the arguments name: load, orchestration, dev."""
    wanted = sys.argv[1:] or ["load", "orchestration", "dev"]
    home = Path(tempfile.mkdtemp(prefix="bench-"))
    parts = {"load": bench_load, "orchestration": bench_orchestration, "dev": bench_dev}
    try:
        print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
        for name in wanted:
            parts[name](home)
    finally:
        subprocess.run(
            [Path(sys.executable).with_name("migrate"), "stop"],
            env=os.environ | {"MIGRATION_HOME": str(home)},
            check=False,
            capture_output=True,
        )
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
