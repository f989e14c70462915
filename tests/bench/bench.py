"""Measures on one real host in one run, and prints ratios: speeds of different machines do not compare.

    make bench                  on trixie
    make bench SUITE=sid
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "host"))

from basetree import run_dir  # noqa: E402
from hosts import Host, HostError  # noqa: E402
from workload import (  # noqa: E402
    OUTSIDE,
    PORT,
    Prober,
    make_outside,
    namespace_of,
    start,
    start_server,
)


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


# --- apply, next to a bare restart

PAIRS = 12
PING_TIMEOUT = 0.05
QUIET_SECONDS = 0.3


class Observer:
    """Asks for /_ping over and over, from outside, and notes when a good answer comes.

    docker.socket stays open while docker.service restarts and keeps what connects waiting, so the
    time without the API is that between two good answers. A question that the old daemon still took
    and never answers is given up soon and asked again.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.answers: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def _ask(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException, HostError):
                self.host.request("/_ping", timeout=PING_TIMEOUT)
                self.answers.append(time.monotonic())
            time.sleep(0.001)

    def longest_gap(self) -> float:
        """In milliseconds."""
        return max(b - a for a, b in zip(self.answers, self.answers[1:])) * 1e3

    def __enter__(self) -> Observer:
        self._thread.start()
        time.sleep(QUIET_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(QUIET_SECONDS)
        self._stop.set()
        self._thread.join()


def observe(host: Host, action: Callable[[], Any]) -> tuple[float, Any]:
    """The longest time without an answer while action runs, and what it returns."""
    with Observer(host) as observer:
        result = action()
        host.wait_for_docker()
    return observer.longest_gap(), result


def restart(host: Host) -> None:
    host.run("systemctl restart docker.service")


def toggle(host: Host, on: bool) -> dict[str, Any]:
    """An apply that restarts docker for a setting which makes its start neither longer nor shorter."""
    key = "no-new-privileges"
    # The clock runs inside, where nsenter's own time does not count.
    done = host.run(
        f"date +%s%N; harden apply --yes --json --only {key} --set {key}={json.dumps(on)}"
        " 2>/dev/null; date +%s%N",
        timeout=300,
    )
    first, _, rest = done.stdout.partition("\n")
    text, _, last = rest.rstrip().rpartition("\n")
    answer: dict[str, Any] = json.loads(text)
    if answer["result"] != "applied" or answer["action"] != "restart":
        raise SystemExit(f"apply: {answer['result']}, {answer['action']}: {answer['error']}")
    answer["took_ms"] = (int(last) - int(first)) / 1e6
    return answer


def bench_downtime(host: Host) -> list[dict[str, Any]]:
    """Bare restarts and applies in turn, each the same work for dockerd; returns the applies."""
    host.run("harden apply --yes", timeout=300)
    bare, applied = Times(), Times()
    answers = []
    toggle(host, False)
    for pair in range(PAIRS):
        # Whoever comes second finds warmer caches: they take turns at that.
        for first in (pair % 2 == 0, pair % 2 != 0):
            # More than three starts in a minute are refused otherwise, successful ones included.
            host.run("systemctl reset-failed docker.service docker.socket")
            if first:
                gap, _ = observe(host, lambda: restart(host))
                bare.append(gap)
            else:
                on = pair % 2 == 0
                gap, answer = observe(host, lambda on=on: toggle(host, on))
                applied.append(gap)
                answers.append(answer)
    print("\nTime without the API, ms        median     min     max   of the restart")
    base = show("systemctl restart docker", bare)
    show("harden apply --yes", applied, base)
    show("  what harden says itself", Times(a["api_downtime_ms"] for a in answers), base)
    ratios = sorted(a / b for a, b in zip(applied, bare))
    print(f"  pair by pair: median {statistics.median(ratios):.2f} x, of {len(ratios)} pairs")
    return answers


def bench_phases(answers: list[dict[str, Any]]) -> None:
    print("\nTime of an apply, ms            median     min     max   of the whole")
    whole = show("the whole", Times(answer["took_ms"] for answer in answers))
    rest = Times(answer["took_ms"] - sum(answer["phases_ms"].values()) for answer in answers)
    show("plan, start-up and end", rest, whole)
    for phase in answers[0]["phases_ms"]:
        times = Times(answer["phases_ms"][phase] for answer in answers)
        if any(times):
            show(phase, times, whole)
    restart = statistics.median(answer["phases_ms"]["restart"] for answer in answers)
    rehearsals = [answer["rehearsal"] for answer in answers]
    if any(rehearsal["state"] != "passed" for rehearsal in rehearsals):
        raise SystemExit(f"rehearsals: {rehearsals}")
    print("\nThe rehearsal, ms               median     min     max   of the restart")
    show("all of it", Times(rehearsal["ms"] for rehearsal in rehearsals), restart)
    show("  until its dockerd is ready", Times(r["start_ms"] for r in rehearsals), restart)
    show("  a canary in it", Times(r["canary"]["ms"] for r in rehearsals), restart)
    passed = [answer["canary"] for answer in answers if answer["canary"]["state"] == "passed"]
    if len(passed) != len(answers):
        raise SystemExit(f"canaries: {[answer['canary'] for answer in answers]}")
    print("\nThe canary, ms                  median     min     max   of the restart")
    show("import, run, read, remove", Times(canary["ms"] for canary in passed), restart)


# --- images

TREES = 1000


def make_image(folder: Path) -> None:
    for name in ("etc/docker", "var/lib/dpkg", "usr/sbin"):
        (folder / name).mkdir(parents=True)
    (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n", encoding="utf-8")
    (folder / "etc/group").write_text("root:x:0:\n", encoding="utf-8")
    (folder / "var/lib/dpkg/status").write_text(
        "Package: docker.io\nStatus: install ok installed\nVersion: 28.5.2-1\n", encoding="utf-8"
    )
    (folder / "usr/sbin/dockerd").touch(0o755)
    (folder / "usr/sbin/useradd").touch(0o755)


def bench_images(harden: Path) -> None:
    """Small trees on this machine's own disk, one after the other; mostly its fsync() is measured."""
    planned, applied = Times(), Times()
    with tempfile.TemporaryDirectory(dir=run_dir()) as name:
        for number in range(TREES):
            tree = Path(name) / str(number)
            make_image(tree)
            for times, words in ((planned, ["plan"]), (applied, ["apply", "--yes"])):
                began = time.monotonic()
                done = subprocess.run(
                    [harden, "--root", tree, *words, "--quiet"], check=False, capture_output=True
                )
                times.append((time.monotonic() - began) * 1e3)
                if done.returncode != 0:
                    raise SystemExit(f"{words} in {tree} failed: {done.stderr.decode()}")
            if not json.loads((tree / "etc/docker/daemon.json").read_bytes())["live-restore"]:
                raise SystemExit(f"{tree} is not hardened")
            shutil.rmtree(tree)
    print(f"\nTime of each of {TREES} images, ms  median     min     max")
    show("harden --root DIR plan", planned)
    show("harden --root DIR apply --yes", applied)


# --- what those notice who talk to containers

PORT_PAIRS = 8
PROBES_SECONDS = 0.3


class Probes:
    """Two who connect over and over: one to the container's own address, one to its published port."""

    def __init__(self, inside: Path, outside: Path, address: str) -> None:
        self.inside, self.outside, self.address = inside, outside, address

    def during(self, host: Host, action: Callable[[], Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        host.run("systemctl reset-failed docker.service docker.socket")
        direct = Prober(self.inside, self.address, 80)
        published = Prober(self.outside, OUTSIDE, PORT)
        time.sleep(PROBES_SECONDS)
        action()
        host.wait_for_docker()
        time.sleep(PROBES_SECONDS)
        return direct.finish(), published.finish()


def bench_published_port(host: Host) -> None:
    """live-restore is on for both, and both are the same work for dockerd."""
    host.reset_docker()
    address = start_server(host, "server")
    start(host, "client")
    probes = Probes(namespace_of(host, "client"), make_outside(host), address)
    # Exit status 5: icc waits for a start without containers.
    host.run("harden apply --yes --quiet --skip userns-remap", check=False, timeout=300)
    toggle(host, False)
    bare, applied = Times(), Times()
    lost = {"bare": 0, "applied": 0}
    tried = {"bare": 0, "applied": 0}
    for pair in range(PORT_PAIRS):
        on = pair % 2 == 0
        turns: list[tuple[str, Times, Callable[[], Any]]] = [
            ("bare", bare, lambda: restart(host)),
            ("applied", applied, lambda on=on: toggle(host, on)),
        ]
        for name, gaps, action in turns if on else reversed(turns):
            direct, published = probes.during(host, action)
            gaps.append(published["gap_ms"])
            lost[name] += direct["failed"]
            tried[name] += direct["tried"]
    print("\nA published port's gap, ms      median     min     max   of the restart")
    base = show("systemctl restart docker", bare)
    show("harden apply --yes", applied, base)
    ratios = [a / b for a, b in zip(applied, bare)]
    print(f"  pair by pair: median {statistics.median(ratios):.2f} x, of {len(ratios)} pairs")
    print("Connections lost to the container's own address")
    for name, words in (("bare", "systemctl restart docker"), ("applied", "harden apply --yes")):
        print(f"  {words:<34}{lost[name]:8} of {tried[name]}")
    if lost["applied"]:
        raise SystemExit("apply: connections to the container's own address were lost")


# What a plan asks for; dockerd takes longer over it than anybody else.
LIST = "/containers/json?all=1"


def bench_containers(host: Host) -> None:
    """A plan has dockerd list the containers, and reads what each was created with."""
    host.reset_docker()
    host.import_image()
    print("\nA plan with containers, ms      median     min     max   of the floor")
    first: list[float] = []
    before = 0
    for count in (0, 50, 200):
        host.run(
            f"seq {before + 1} {count} | xargs -r -P 4 -I N docker run -d --network none"
            " bb:1 sleep 99999 >/dev/null",
            timeout=600,
        )
        before = count
        time.sleep(2)
        host.run("for i in 1 2 3 4 5; do harden --dry-run >/dev/null; floor >/dev/null; done")
        commands = ("floor", f"floor /info {LIST}", "harden --dry-run")
        floor, listing, plan = measure(host, 100, *commands)
        base = show(f"floor, {count} containers", floor)
        medians = [
            show("  the same, and lists them", listing, base),
            show(f"harden --dry-run, {count} containers", plan, base),
        ]
        first = first or medians
        if count:
            each = [(now - then) / count for now, then in zip(medians, first)]
            print(f"  {'per container':<34}{each[1]:8.3f}{'':8}(of it in the list {each[0]:.3f})")


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
        bench_phases(bench_downtime(host))
        bench_published_port(host)
        bench_containers(host)
    bench_images(arguments.build.resolve() / "harden")


if __name__ == "__main__":
    main()
