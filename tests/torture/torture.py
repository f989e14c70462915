#!/usr/bin/python3
"""Interrupt `harden apply` and `harden rollback` at every step, on real hosts.

Five ways of being interrupted:

  kill    SIGKILL at each system call; then `harden recover`, or for some the host is rebooted
  twice   the same, and `harden recover` is killed as well
  fault   each system call fails once: no space, broken disk, read-only, not permitted, no memory
  memory  an allocation fails once; 300 of them are drawn
  power   the power goes after each system call that changes something, synced or not

However it ends, the host has to be exactly as before or exactly as it was to be, with docker
running and saying the same; and nothing may be left over.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import os
import random
import re
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "host")]

import hosts  # noqa: E402
import memory  # noqa: E402
import power  # noqa: E402
import sweeps  # noqa: E402
from basetree import SUITES  # noqa: E402
from hosts import Host, HostError  # noqa: E402
from sweeps import Point, Result, Tally, Twice  # noqa: E402
from victim import SCENARIOS, Victim  # noqa: E402

MODES = ("kill", "twice", "fault", "memory", "power")
COMMANDS = ("apply", "rollback")

# Every so manieth point.
REBOOT = 8
THOROUGH = 5

# An apply allocates fourteen thousand times, most of them alike: so many are drawn for a full sweep.
MANY = 300

# A sweep that goes wrong all the time has said what it has to say.
ENOUGH = 25


@dataclasses.dataclass(frozen=True)
class Sweep:
    """One command interrupted in one way from one starting point; or the nth part of it."""

    suite: str
    scenario: str
    command: str
    mode: str
    shard: int = 0
    shards: int = 1

    def __str__(self) -> str:
        part = f" {self.shard + 1}/{self.shards}" if self.shards > 1 else ""
        return f"{self.suite} {self.scenario} {self.command} {self.mode}{part}"


@dataclasses.dataclass(frozen=True)
class Settings:
    seed: int
    points: int | None = None  # None: all
    stepper: Path = Path("stepper")
    nomemory: Path = Path("nomemory.so")
    skip_sync: str | None = None
    first: bool = False  # stop at the first violation


Action = Callable[[], Result]


def _belongs(sweep: Sweep, point: object) -> bool:
    """To this part, wherever it is drawn: no two hosts list quite the same points."""
    return zlib.crc32(str(point).encode()) % sweep.shards == sweep.shard


def _kill_actions(victim: Victim, sweep: Sweep, settings: Settings) -> Iterator[Action]:
    run = sweeps.reference(victim, 2 if settings.points is None else 1)
    points = [point for point in sweeps.kill_points(run) if _belongs(sweep, point)]
    for index, point in enumerate(sweeps.draw(points, settings.points, settings.seed)):
        yield lambda point=point, index=index: sweeps.kill(
            victim,
            point,
            reboot=index % REBOOT == REBOOT - 1,
            thorough=index % THOROUGH == THOROUGH - 1,
        )


def _fault_actions(victim: Victim, sweep: Sweep, settings: Settings) -> Iterator[Action]:
    run = sweeps.reference(victim, 2 if settings.points is None else 1)
    points = [point for point in sweeps.fault_points(run) if _belongs(sweep, point)]
    for index, point in enumerate(sweeps.draw(points, settings.points, settings.seed)):
        yield lambda point=point, index=index: sweeps.fault(
            victim, point, thorough=index % THOROUGH == THOROUGH - 1
        )


def _first_points(calls: list[Point], lines: list[str]) -> list[Point]:
    """Those at which something is pending."""
    begin = next(i for i, line in enumerate(lines) if line.startswith("symlink"))
    end = max(i for i, line in enumerate(lines) if re.match(r'unlink.*"pending"', line))
    return calls[begin + 2 : end]


def _twice_actions(victim: Victim, sweep: Sweep, settings: Settings) -> Iterator[Action]:
    """A few first points, and for each of them points of the recover that follows."""
    generator = random.Random(settings.seed)
    run = sweeps.reference(victim, 1)
    firsts = _first_points(sweeps.kill_points(run), run.lines)
    wanted = 12 if settings.points is None else max(1, settings.points // 10)
    for first in generator.sample(firsts, min(wanted, len(firsts))):
        seconds = sweeps.recover_points(victim, first)
        each = 40 if settings.points is None else -(-settings.points // wanted)
        for second in generator.sample(seconds, min(each, len(seconds))):
            point = Twice(first, second)
            if _belongs(sweep, point):
                yield lambda point=point: sweeps.kill_twice(victim, point)


def _memory_actions(victim: Victim, sweep: Sweep, settings: Settings) -> Iterator[Action]:
    points = memory.allocations(victim, settings.nomemory)
    generator = random.Random(settings.seed)
    wanted = MANY if settings.points is None else settings.points
    for index, point in enumerate(generator.sample(points, min(wanted, len(points)))):
        if index % sweep.shards == sweep.shard:
            yield lambda point=point: memory.refuse(victim, point)


def _power_actions(victim: Victim, sweep: Sweep, settings: Settings) -> Iterator[Action]:
    disks, cuts, said = power.record_all(victim, settings.stepper, skip_sync=settings.skip_sync)
    generator = random.Random(settings.seed)
    ends = [cut for cut in cuts if cut.done]
    others = [cut for cut in cuts if not cut.done]
    if settings.points is not None:
        others = generator.sample(others, min(settings.points, len(others)))
    for cut in ends + others:
        if _belongs(sweep, cut):
            yield lambda cut=cut: power.cut(victim, disks, cut, said)


ACTIONS = {
    "kill": _kill_actions,
    "twice": _twice_actions,
    "fault": _fault_actions,
    "memory": _memory_actions,
    "power": _power_actions,
}


def run_sweep(
    victim: Victim, sweep: Sweep, settings: Settings, tell: Callable[[Result], None] | None = None
) -> Tally:
    """On a host that is prepared: all points of the sweep."""
    victim.turn(sweep.command)
    tally = Tally()
    for action in ACTIONS[sweep.mode](victim, sweep, settings):
        result = sweeps.timed(victim, action)
        tally.results.append(result)
        if tell is not None:
            tell(result)
        if tally.violations and settings.first or len(tally.violations) >= ENOUGH:
            break
    if sweep.mode == "power":
        victim.reset()
    return tally


def violation_text(sweep: Sweep, result: Result) -> str:
    lines = [f"VIOLATION: {sweep}: {result.point}", *(f"  {line}" for line in result.problems)]
    if result.hit:
        lines.append(f"  the call: {result.hit}")
    return "\n".join([*lines, result.details])


# --- the command line ---------------------------------------------------------------------------

_printing = threading.Lock()


def say(text: str) -> None:
    with _printing:
        print(text, flush=True)


def _run_alone(sweep: Sweep, settings: Settings, build: Path, verbose: bool) -> Tally:
    def tell(result: Result) -> None:
        if result.problems:
            say(violation_text(sweep, result))
        elif verbose:
            say(f"{sweep}: {result.point}: {result.outcome} ({result.seconds:.1f} s) {result.hit}")

    start = time.monotonic()
    with Host.boot(sweep.suite) as host:
        host.install(build)
        victim = Victim(host, sweep.scenario)
        victim.prepare()
        tally = run_sweep(victim, sweep, settings, tell)
    took = time.monotonic() - start
    say(f"{sweep}: {tally.summary()}; {took:.0f} s; slowest: {sweeps.slowest(tally.results)}")
    return tally


def _guarded(sweep: Sweep, settings: Settings, build: Path, verbose: bool) -> Tally:
    try:
        return _run_alone(sweep, settings, build, verbose)
    except (HostError, OSError) as error:
        say(f"VIOLATION: {sweep}: {error}")
        return Tally([Result(str(sweep), "broken off", [str(error)])])


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="torture.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def several(option: str, choices: list[str], text: str) -> None:
        parser.add_argument(
            option, action="append", choices=choices, help=f"{text} (repeatable; default: all)"
        )

    several("--suite", list(SUITES), "on this Debian suite")
    several("--scenario", list(SCENARIOS), "from this starting point")
    several("--command", list(COMMANDS), "interrupt this command")
    several("--mode", list(MODES), "in this way")
    parser.add_argument("--points", default="all", help="how many of each sweep (default: all)")
    parser.add_argument("--seed", type=int, help="draw the same points again")
    parser.add_argument("--jobs", type=int, default=1, help="hosts side by side (default: 1)")
    parser.add_argument("--shard", default="1/1", metavar="I/N", help="only this part of each")
    parser.add_argument("--build", default=os.environ.get("BUILD", "build"), metavar="DIR")
    parser.add_argument(
        "--without-fsync",
        nargs="?",
        const="all",
        metavar="N",
        help="power: leave out all syncs, or the Nth; the test has to fail then",
    )
    parser.add_argument("--first", action="store_true", help="stop a sweep at a violation")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each point")
    return parser.parse_args()


def main() -> int:
    args = _parse()
    suites = args.suite or list(SUITES)
    if (reason := hosts.why_not(suites)) is not None:
        print(f"torture: {reason}", file=sys.stderr)
        return 2
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10**6)
    build = hosts.REPO / args.build
    settings = Settings(
        seed,
        None if args.points == "all" else int(args.points),
        build / "stepper",
        build / "nomemory.so",
        args.without_fsync,
        args.first,
    )
    part, _, parts = args.shard.partition("/")
    tasks = [
        Sweep(suite, scenario, command, mode, int(part) - 1, int(parts))
        for mode in args.mode or MODES
        for scenario in args.scenario or SCENARIOS
        for command in args.command or COMMANDS
        for suite in suites
    ]
    print(f"seed {seed}, {len(tasks)} sweeps", flush=True)
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        tallies = list(
            pool.map(lambda task: _guarded(task, settings, build, args.verbose), tasks)
        )
    total = Tally([result for tally in tallies for result in tally.results])
    print(f"all: {total.summary()}; {time.monotonic() - start:.0f} s", flush=True)
    return 1 if total.violations else 0


if __name__ == "__main__":
    sys.exit(main())
