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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

RUNS = int(os.environ.get("BENCH_RUNS", "3"))
ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
PAYMENTS = int(os.environ.get("BENCH_PAYMENTS", "1000000"))
NOTIFICATIONS = int(os.environ.get("BENCH_NOTIFICATIONS", "1000000"))
METER_SCALE = 30
BILLS = int(os.environ.get("BENCH_BILLS", "100000"))
BOOKING_SCALE = 10.0
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


def bench_meter(home: Path) -> None:
    """(f) the steps against hand-written SQL, (g) what they cost beside it, (h) the seed's size, (i) the loads."""
    bench_meter_steps(home)
    bench_meter_whole(home)
    bench_meter_load(home)


def bench_meter_steps(home: Path) -> None:
    """Our steps and the same by hand, in turn, each on a copy of one database."""
    small = PAYMENTS // 10
    for size in (small, PAYMENTS):
        measure(home, "bench.meter", "prepare", str(size))
    ours, by_hand = [], []
    for _ in range(RUNS):
        by_hand.append(measure(home, "bench.meter", "by_hand", str(PAYMENTS)))
        ours.append(measure(home, "bench.meter", "ours", str(PAYMENTS)))
    for run in (*ours, *by_hand):
        different = [name for name, rows in run["results"].items() if rows != ours[0]["results"][name]]
        if different:
            sys.exit(f"Not the same rows in {', '.join(different)}.")
    print(f"{PAYMENTS:,} payments of six tenants; {RUNS} runs in turn, median [min-max]; all left the same rows")
    pairs = list(zip(ours, by_hand, strict=True))
    for name in ours[0]["steps"]:
        ratios = spread([a["steps"][name] / b["steps"][name] for a, b in pairs])
        print(f"    {name:<25} {spread([a['steps'][name] for a in ours])} s, ratio {ratios}")
    totals = [sum(run["steps"].values()) for run in ours]
    ratios = [total / sum(run["steps"].values()) for total, run in zip(totals, by_hand, strict=True)]
    print(f"(f) five steps / the same by hand        {spread(ratios)}   steps {spread(totals)} s")
    cpu = spread([a["server_cpu"] / b["server_cpu"] for a, b in pairs])
    print(f"    the same in processor time of the server  {cpu}")
    outside = [run["wall"] - total for run, total in zip(ours, totals, strict=True)]
    print(f"(g) outside the steps, six runs          {spread(outside)} s; peak memory {ours[-1]['peak_mb']} MB")
    few = measure(home, "bench.meter", "ours", str(small))["statements"]
    same = "as many" if few == ours[0]["statements"] else f"NOT as many: {few}"
    print(f"    statements per step {ours[0]['statements']}; {same} at {small:,}")


def bench_meter_whole(home: Path) -> None:
    """The sample of the seed's size, from `migrate run` to its end; it is meant to fail for two tenants."""
    walls = []
    for number in range(RUNS):
        with place_below(home, f"whole-{number}") as place:
            migrate(place, "sample", "meter")
            started = time.perf_counter()
            migrate(place, "run", "meter", "--yes", failing=True)
            walls.append(time.perf_counter() - started)
    print(f"(h) migrate run meter, scale 1           {spread(walls)} s, server start included")


def bench_meter_load(home: Path) -> None:
    """The loads of a larger sample, by asset."""
    loads = []
    for number in range(RUNS):
        with place_below(home, f"load-{number}") as place:
            migrate(place, "sample", "meter", "--scale", str(METER_SCALE), "--format", "jsonl", "--gzip")
            loads.append(measure(place, "bench.meter", "load", str(METER_SCALE)))
    rows = loads[0]["rows"]
    print(f"(i) loads, scale {METER_SCALE}                      {spread([load['wall'] for load in loads])} s wall")
    for name in loads[0]["steps"]:
        print(f"    {name:<25} {spread([load['steps'][name] for load in loads])} s, {rows[name]:,} rows")


def bench_dental(home: Path) -> None:
    """(l) notifications against COPY and to_sql, (m) their time per row at a fifth, memory."""
    for rows in (NOTIFICATIONS, NOTIFICATIONS // 5):
        measure(home, "bench.dental", "prepare", str(rows))
    ours, copy = [], []
    for _ in range(RUNS):
        ours.append(measure(home, "bench.dental", "ours", str(NOTIFICATIONS)))
        copy.append(measure(home, "bench.dental", "copy", str(NOTIFICATIONS)))
    few = measure(home, "bench.dental", "ours", str(NOTIFICATIONS // 5))
    pandas = measure(home, "bench.dental", "pandas", str(NOTIFICATIONS))
    steps = [sum(run["steps"].values()) for run in ours]
    ratios = [a / b["wall"] for a, b in zip(steps, copy, strict=True)]
    outside = [run["wall"] - inside for run, inside in zip(ours, steps, strict=True)]
    print(
        f"{NOTIFICATIONS:,} notifications, {ours[0]['loaded']:,} loaded in {ours[0]['runs']} runs; {RUNS} times in turn"
    )
    print(f"(l) notifications / plain COPY + indexes {spread(ratios)}   steps {spread(steps)} s")
    for name in ours[0]["steps"]:
        print(f"    {name:<25} {spread([run['steps'][name] for run in ours])} s")
    print(f"    outside the steps, all runs          {spread(outside)} s")
    each, smaller = statistics.median(steps) / NOTIFICATIONS, sum(few["steps"].values()) / few["rows"]
    naive = pandas["wall"] / pandas["rows"]
    print(f"    to_sql, time per row / ours          {naive / each:.2f}, {pandas['rows']:,} rows")
    print(
        f"(m) time per row / at a fifth            {each / smaller:.2f}   {1e6 * each:.1f} and {1e6 * smaller:.1f} µs"
    )
    print(f"    peak memory                          {ours[-1]['peak_mb']} MB, at a fifth {few['peak_mb']} MB")


def bench_billing(home: Path) -> None:
    """(n) the sample end to end, (o) the daily breakdown against hand-written SQL, memory."""
    wholes = []
    for number in range(RUNS):
        with place_below(home, f"billing-{number}") as place:
            migrate(place, "sample", "billing")
            wholes.append(measure(place, "bench.billing", "whole", "1"))
    outside = [(run["wall"] - run["inside"]) / run["wall"] for run in wholes]
    print(f"(n) Billing, scale 1                     {spread([run['wall'] for run in wholes])} s wall")
    print(f"    share outside the {wholes[0]['assets']} assets' steps   {spread(outside)}")
    measure(home, "bench.billing", "prepare", str(BILLS))
    ours, by_hand = [], []
    for _ in range(RUNS):
        by_hand.append(measure(home, "bench.billing", "by_hand", str(BILLS)))
        ours.append(measure(home, "bench.billing", "ours", str(BILLS)))
    if len({run["result"] for run in (*ours, *by_hand)}) > 1:
        sys.exit("Not the same days.")
    pairs = list(zip(ours, by_hand, strict=True))
    rows = ours[0]["rows"]
    print(f"{BILLS:,} bills, {rows:,} days; {RUNS} runs in turn, all left the same rows")
    print(f"(o) daily breakdown / the same by hand   {spread([a['steps'] / b['wall'] for a, b in pairs])}")
    print(f"    its INSERT alone                     {spread([a['insert'] / b['wall'] for a, b in pairs])}")
    cpu = spread([a["server_cpu"] / b["server_cpu"] for a, b in pairs])
    print(f"    in processor time of the server      {cpu}")
    print(f"    days per second                      {spread([rows / run['steps'] for run in ours])}")
    print(f"    peak memory                          {ours[-1]['peak_mb']} MB")


def bench_booking(home: Path, larger: float = BOOKING_SCALE) -> None:
    """(j) the sample of the planning size and (k) a larger one, by row; memory; what is not in the steps."""
    few, again = booking_at(home, 1.0, RUNS)
    show_booking("j", 1.0, few)
    walls = spread([run["wall"] for run in again])
    print(f"    unchanged rerun                      {walls} s wall; rows written {again[-1]['written']}")
    many, _ = booking_at(home, larger, 1)
    show_booking("k", larger, many)
    print(f"    time per row, larger / planning size {many[-1]['row_seconds'] / few[-1]['row_seconds']:.2f}")


def booking_at(home: Path, scale: float, runs: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """First loads of a sample, each into an empty database, and their reruns."""
    first, again = [], []
    for number in range(runs):
        with place_below(home, f"booking-{scale:g}-{number}") as place:
            migrate(place, "sample", "booking", "--scale", f"{scale:g}", "--format", "jsonl", "--gzip")
            first.append(measure(place, "bench.booking"))
            again.append(measure(place, "bench.booking"))
    for run in (*first, *again):
        if run["failures"]:
            sys.exit(f"Booking failed: {run['failures']}")
    return first, again


def show_booking(letter: str, scale: float, runs: list[dict[str, Any]]) -> None:
    """The figures of first loads."""
    outside = [(run["wall"] - run["inside"]) / run["wall"] for run in runs]
    peak, rows = runs[-1]["peak_mb"], runs[-1]["rows"]
    print(f"({letter}) Booking, scale {scale:g}, {rows:,} rows         {spread([run['wall'] for run in runs])} s wall")
    print(f"    share outside the {runs[-1]['assets']} assets' steps   {spread(outside)}")
    print(f"    time per row                         {spread([run['row_seconds'] * 1e6 for run in runs])} µs")
    print(f"    peak memory                          {peak} MB")
    for name, seconds in sorted(runs[-1]["steps"].items(), key=lambda step: -step[1])[:8]:
        print(f"    {name:<25} {seconds:.2f} s")


@contextmanager
def place_below(home: Path, name: str) -> Iterator[Path]:
    """A home of its own, whose server is stopped afterwards."""
    place = home / name
    try:
        yield place
    finally:
        migrate(place, "stop")


def migrate(home: Path, *arguments: str, failing: bool = False) -> None:
    """Run the command line, on a home of its own."""
    done = subprocess.run(
        [Path(sys.executable).with_name("migrate"), *arguments],
        env=os.environ | {"MIGRATION_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != int(failing):
        sys.exit(f"migrate {' '.join(arguments)} ended with code {done.returncode}:\n{done.stderr[-2000:]}")


def wait_for_ui(process: subprocess.Popen[bytes]) -> None:
    """Wait until the UI answers."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/server_info", timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    sys.exit("migrate dev ended before the UI answered")


def spread(values: Sequence[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):.2f} [{min(values):.2f}-{max(values):.2f}]"


def main() -> None:
    """Measure everything, or what the arguments name: load, orchestration, dev, meter, booking, billing, dental.

    A number among them is the larger scale of Booking, such as in `booking 100`.
    """
    numbers = [float(word) for word in sys.argv[1:] if word.replace(".", "", 1).isdecimal()]
    parts: dict[str, Callable[[Path], None]] = {
        "load": bench_load,
        "orchestration": bench_orchestration,
        "dev": bench_dev,
        "meter": bench_meter,
        "billing": bench_billing,
        "dental": bench_dental,
        "booking": partial(bench_booking, larger=numbers[0] if numbers else BOOKING_SCALE),
    }
    words = [word for word in sys.argv[1:] if not word.replace(".", "", 1).isdecimal()]
    if set(words) - set(parts):
        sys.exit(f"Choose among {', '.join(parts)}.")
    wanted = words or list(parts)
    home = Path(tempfile.mkdtemp(prefix="bench-"))
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
