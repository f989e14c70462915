"""Measures on one real host in one run, and prints ratios: speeds of different machines do not compare.

    make bench                  on trixie
    make bench SUITE=sid
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "host"))

from hosts import Host  # noqa: E402


class Times(list[float]):
    """Milliseconds of each run of a command, and the most memory one took, in MiB."""

    memory = 0.0


def measure(host: Host, rounds: int, *commands: str) -> list[Times]:
    """Runs the commands in turn inside the host, where nsenter's own time does not count."""
    done = host.run(["timer", str(rounds), *commands], timeout=600)
    times = [Times() for _ in commands]
    for line in done.stdout.splitlines():
        index, took, status, memory = line.split()
        if status != "0":
            raise SystemExit(f"{commands[int(index)]} failed: {status}")
        times[int(index)].append(float(took))
        times[int(index)].memory = max(times[int(index)].memory, int(memory) / 1024)
    return times


def show(name: str, times: Times, base: float | None = None) -> float:
    median = statistics.median(times)
    ratio = "" if base is None else f"{median / base:6.2f} x"
    print(f"  {name:<34}{median:8.2f}{min(times):8.2f}{max(times):8.2f}  {ratio}")
    return median


def round_trips(host: Host) -> tuple[int, int]:
    """How many messages go to the bus and how many requests to dockerd."""
    host.run("strace -f -y -e trace=sendmsg,sendto,connect -s 64 -o /root/trace harden --dry-run")
    trace = host.path("/root/trace").read_text(encoding="utf-8", errors="replace")
    http = len(re.findall(r'"GET /', trace))
    bus = len(re.findall(r"sendmsg\(", trace))
    return bus, http


def bench_time(host: Host) -> None:
    print("\nTime of a plan, ms             median     min     max   of the floor")
    host.run("for i in 1 2 3 4 5; do harden --dry-run >/dev/null; floor >/dev/null; done")
    floor, plan, as_json = measure(
        host, 200, "floor", "harden --dry-run", "harden --dry-run --json"
    )
    base = show("floor (links, /info, exits)", floor)
    show("harden --dry-run", plan, base)
    show("harden --dry-run --json", as_json, base)


def bench_memory(host: Host) -> None:
    plan, floor = measure(host, 3, "harden --dry-run", "floor")
    print(f"\nPeak memory of a plan   {plan.memory:.1f} MiB (floor {floor.memory:.1f} MiB)")
    bus, http = round_trips(host)
    print(f"Messages sent           {bus} on the bus, {http} HTTP requests")


def bench_growth(host: Host) -> None:
    print("\nA larger daemon.json           median     min     max   per byte, of the first")
    first: float | None = None
    for size in (1_000, 100_000, 1_000_000, 10_000_000):
        labels = [f"key{i}=value" for i in range(size // 18)]
        text = json.dumps({"labels": labels}, indent=2)
        path = host.path("/root/large.json")
        path.write_text(text, encoding="utf-8")
        (times,) = measure(host, 5, "harden --dry-run --config-file /root/large.json")
        (empty,) = measure(host, 5, "harden --dry-run --config-file /root/none.json")
        extra = max(statistics.median(times) - statistics.median(empty), 0.001)
        per_byte = extra / len(text)
        # The smallest file costs too little to be a measure of anything.
        if first is None and size >= 100_000:
            first = per_byte
        name = f"{len(text) / 1000:,.0f} kB"
        show(name, times)
        if first is not None:
            print(f"  {'':<34}{per_byte * 1e6:8.2f} ms/MB{'':8}{per_byte / first:6.2f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default="trixie")
    parser.add_argument("--build", default="build", type=Path)
    arguments = parser.parse_args()
    with Host.boot(arguments.suite) as host:
        host.install(arguments.build)
        for name in ("floor", "timer"):
            shutil.copy(arguments.build / name, host.path(f"/usr/sbin/{name}"))
        time.sleep(2)
        print(f"{host.suite}, dockerd {host.version}, on {time.strftime('%Y-%m-%d')}")
        bench_time(host)
        bench_memory(host)
        bench_growth(host)


if __name__ == "__main__":
    main()
