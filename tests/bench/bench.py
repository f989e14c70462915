"""Measures on one real host in one run, and prints ratios: speeds of different machines do not compare.

    make bench                  on trixie
    make bench SUITE=sid
    make bench DOCKER_BENCH=DIR ANSIBLE=yes     with docker-bench-security and an Ansible play beside it
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
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
from others import bench_others  # noqa: E402
from report import Report, Times, measure  # noqa: E402
from workload import (  # noqa: E402
    OUTSIDE,
    PORT,
    Prober,
    make_outside,
    namespace_of,
    start,
    start_server,
)


def round_trips(host: Host) -> tuple[int, int]:
    """How many messages go to the bus and how many requests to dockerd."""
    host.run("strace -f -y -e trace=sendmsg,sendto,connect -s 64 -o /root/trace harden --dry-run")
    trace = host.path("/root/trace").read_text(encoding="utf-8", errors="replace")
    http = len(re.findall(r'"GET /', trace))
    bus = len(re.findall(r"sendmsg\(", trace))
    return bus, http


def bench_time(host: Host, report: Report) -> None:
    report.title("Time of a plan", "of the floor")
    host.run("for i in 1 2 3 4 5; do harden --dry-run >/dev/null; floor >/dev/null; done")
    floor, plan, as_json = measure(
        host, 200, "floor", "harden --dry-run", "harden --dry-run --json"
    )
    base = report.times("floor (links, /info, exits)", floor, key="floor_ms")
    report.times("harden --dry-run", plan, base, key="plan_ms")
    report.times("harden --dry-run --json", as_json, base)


def bench_memory(host: Host, report: Report) -> None:
    plan, floor = measure(host, 3, "harden --dry-run", "floor")
    bus, http = round_trips(host)
    print("\nWhat a plan takes")
    report.line(
        "peak memory",
        f"{plan.memory:.1f} MiB (floor {floor.memory:.1f} MiB)",
        plan_mib=round(plan.memory, 1),
    )
    report.line("messages sent", f"{bus} on the bus, {http} HTTP requests", bus=bus, http=http)


def bench_growth(host: Host, report: Report) -> None:
    report.title("A larger daemon.json", "per byte, of the first")
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
        report.times(f"{len(text) / 1000:,.0f} kB", times)
        if first is not None:
            report.line("", f"{per_byte * 1e6:8.2f} ms/MB{'':12}{per_byte / first:6.2f} x")


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


def pair_by_pair(report: Report, bare: Times, applied: Times, key: str) -> None:
    """Each pair ran side by side, so what slows the machine for a while slows both."""
    ratio = statistics.median(a / b for a, b in zip(applied, bare))
    report.line("pair by pair", f"median {ratio:.2f} x, of {len(bare)}", **{key: round(ratio, 3)})


def bench_downtime(host: Host, report: Report) -> list[dict[str, Any]]:
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
    report.title("Time without the API", "of the restart")
    base = report.times("systemctl restart docker", bare, key="restart_ms")
    report.times("harden apply --yes", applied, base, key="apply_without_api_ms")
    report.times("  what harden says itself", Times(a["api_downtime_ms"] for a in answers), base)
    pair_by_pair(report, bare, applied, "downtime_ratio")
    return answers


def bench_phases(report: Report, answers: list[dict[str, Any]]) -> None:
    report.title("Time of an apply", "of the whole")
    whole = report.times(
        "the whole", Times(answer["took_ms"] for answer in answers), key="apply_ms"
    )
    rest = Times(answer["took_ms"] - sum(answer["phases_ms"].values()) for answer in answers)
    report.times("plan, start-up and end", rest, whole)
    for phase in answers[0]["phases_ms"]:
        times = Times(answer["phases_ms"][phase] for answer in answers)
        if any(times):
            report.times(phase, times, whole)
    restart = statistics.median(answer["phases_ms"]["restart"] for answer in answers)
    rehearsals = [answer["rehearsal"] for answer in answers]
    if any(rehearsal["state"] != "passed" for rehearsal in rehearsals):
        raise SystemExit(f"rehearsals: {rehearsals}")
    report.title("The rehearsal", "of the restart")
    report.times("all of it", Times(r["ms"] for r in rehearsals), restart, key="rehearsal_ms")
    report.times("  until its dockerd is ready", Times(r["start_ms"] for r in rehearsals), restart)
    report.times("  a canary in it", Times(r["canary"]["ms"] for r in rehearsals), restart)
    passed = [answer["canary"] for answer in answers if answer["canary"]["state"] == "passed"]
    if len(passed) != len(answers):
        raise SystemExit(f"canaries: {[answer['canary'] for answer in answers]}")
    report.title("The canary", "of the restart")
    report.times(
        "import, run, read, remove", Times(c["ms"] for c in passed), restart, key="canary_ms"
    )


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


def bench_images(harden: Path, report: Report) -> None:
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
    report.title(f"Time of each of {TREES} images")
    report.times("harden --root DIR plan", planned, key="image_plan_ms")
    report.times("harden --root DIR apply --yes", applied, key="image_apply_ms")


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


def bench_published_port(host: Host, report: Report) -> None:
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
    report.title("A published port's gap", "of the restart")
    base = report.times("systemctl restart docker", bare)
    report.times("harden apply --yes", applied, base)
    pair_by_pair(report, bare, applied, "port_gap_ratio")
    print("\nConnections lost to the container's own address")
    for name, words in (("bare", "systemctl restart docker"), ("applied", "harden apply --yes")):
        report.line(words, f"{lost[name]:8} of {tried[name]}")
    report.values.update(connections_lost=lost["applied"], connections=tried["applied"])
    if lost["applied"]:
        raise SystemExit("apply: connections to the container's own address were lost")


# What a plan asks for; dockerd takes longer over it than anybody else.
LIST = "/containers/json?all=1"


def bench_containers(host: Host, report: Report) -> None:
    """A plan has dockerd list the containers, and reads what each was created with."""
    host.reset_docker()
    host.import_image()
    report.title("A plan with containers", "of the floor")
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
        base = report.times(f"floor, {count} containers", floor)
        medians = [
            report.times("  the same, and lists them", listing, base),
            report.times(f"harden --dry-run, {count} containers", plan, base),
        ]
        first = first or medians
        if count:
            each = [(now - then) / count for now, then in zip(medians, first)]
            report.line(
                "per container",
                f"{each[1]:8.3f}{'':8}(of it in the list {each[0]:.3f})",
                per_container_ms=round(each[1], 3),
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default="trixie")
    parser.add_argument("--build", default="build", type=Path)
    parser.add_argument("--docker-bench", type=Path, help="a checkout of docker-bench-security")
    parser.add_argument("--ansible", action="store_true", help="on a host that has Ansible")
    arguments = parser.parse_args()
    with Host.boot(("fleet-" if arguments.ansible else "") + arguments.suite) as host:
        host.install(arguments.build)
        for name in ("floor", "timer"):
            shutil.copy(arguments.build / name, host.path(f"/usr/sbin/{name}"))
        time.sleep(2)
        report = Report({"suite": arguments.suite, "dockerd": host.version, "cores": str(os.cpu_count())})
        print(f"{arguments.suite}, dockerd {host.version}, on {report.values['on']}")
        bench_time(host, report)
        bench_memory(host, report)
        bench_others(host, report, arguments.docker_bench, arguments.ansible)
        bench_growth(host, report)
        bench_phases(report, bench_downtime(host, report))
        bench_published_port(host, report)
        bench_containers(host, report)
    bench_images(arguments.build.resolve() / "harden", report)
    report.write(arguments.build / "bench.json")


if __name__ == "__main__":
    main()
