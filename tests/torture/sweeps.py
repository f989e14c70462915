"""The points at which harden is interrupted, and what has to hold after each."""

from __future__ import annotations

import dataclasses
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable

from hosts import HostError
from victim import APPLIED, KILLED, Run, Victim, numbered

# Exit statuses of harden's …
REFUSED = 2
PUT_BACK = 3
# … and how it looks when the dynamic loader cannot go on; in Debian 12 it may well crash.
LOADER_FAILED = (127, 128 + signal.SIGSEGV)


@dataclasses.dataclass(frozen=True, order=True)
class Point:
    """One system call of the command, and what becomes of it."""

    call: str
    count: int  # how manieth of its kind
    error: str = ""  # what it fails with; "" kills harden as it enters the call

    def __str__(self) -> str:
        return f"{self.call} #{self.count}" + (f" {self.error}" if self.error else "")

    @property
    def injection(self) -> str:
        what = f"error={self.error}" if self.error else "signal=SIGKILL"
        return f"{self.call}:{what}:when={self.count}"


@dataclasses.dataclass
class Result:
    """What became of one point."""

    point: object
    outcome: str  # untouched, old, new, …
    problems: list[str] = dataclasses.field(default_factory=list)
    hit: str = ""  # the call as strace wrote it down
    details: str = ""  # for people, when there are problems
    seconds: float = 0.0


@dataclasses.dataclass
class Tally:
    """What became of many."""

    results: list[Result] = dataclasses.field(default_factory=list)

    @property
    def violations(self) -> list[Result]:
        return [result for result in self.results if result.problems]

    def summary(self) -> str:
        outcomes = Counter(result.outcome for result in self.results)
        words = ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items()))
        return f"{len(self.results)} points tried ({words}); {len(self.violations)} violations"


# --- which points there are ---------------------------------------------------------------------

WRITING_ERRORS = ("ENOSPC", "EIO", "EROFS", "EPERM", "ENOMEM")
READING_ERRORS = ("EIO", "ENOMEM", "EPERM")

WRITING = {
    "write", "pwrite64", "writev", "fsync", "fdatasync", "syncfs", "ftruncate", "fallocate",
    "rename", "renameat", "renameat2", "mkdir", "mkdirat", "symlink", "symlinkat", "link",
    "linkat", "unlink", "unlinkat", "rmdir", "chmod", "fchmod", "fchmodat", "fchmodat2", "chown",
    "fchown", "fchownat", "setxattr", "fsetxattr", "removexattr", "fremovexattr", "utimensat",
    "flock",
}  # fmt: skip
READING = {
    "open", "openat", "read", "pread64", "statx", "newfstatat", "fstat", "stat", "lstat",
    "fstatfs", "statfs", "getdents64", "readlink", "readlinkat", "lseek", "access", "faccessat",
    "faccessat2", "getxattr", "fgetxattr", "listxattr", "flistxattr", "ioctl", "fcntl", "socket",
    "connect", "bind", "sendmsg", "sendto", "recvmsg", "recvfrom", "ppoll", "poll", "getsockopt",
    "setsockopt", "signalfd4", "timerfd_create", "epoll_create1", "epoll_wait",
}  # fmt: skip
# Not brk: the kernel answers with the old break where it fails, which strace cannot make it do.
MEMORY = {"mmap", "mremap"}

# An openat that makes or changes a file.
FOR_WRITING = re.compile(r"O_CREAT|O_WRONLY|O_RDWR")


def errors_of(call: str, count: int, line: str) -> tuple[str, ...]:
    """With which errors it is to fail: each that fits where it changes something, else one."""
    if call in WRITING or (call in ("open", "openat") and FOR_WRITING.search(line)):
        return WRITING_ERRORS
    if call in READING:
        return (READING_ERRORS[count % len(READING_ERRORS)],)
    return ("ENOMEM",) if call in MEMORY else ()


def kill_points(run: Run) -> list[Point]:
    return [Point(call, count) for call, count, _ in numbered(run.lines) if call != "execve"]


def fault_points(run: Run) -> list[Point]:
    return [
        Point(call, count, error)
        for call, count, line in numbered(run.lines)
        for error in errors_of(call, count, line)
    ]


def reference(victim: Victim, runs: int = 2) -> Run:
    """The command when nobody interrupts it.

    How often it has to ask while it waits differs from run to run: of several runs, the one that
    makes more calls of a kind says how many there are.
    """
    merged: list[str] = []
    run = Run(0, "", "")
    for _ in range(runs):
        run = victim.strace(victim.words())
        if run.status not in APPLIED:
            raise HostError(f"harden {victim.command} under strace: exit {run.status}\n{run.said}")
        if problems := victim.settle(victim.target, thorough=False):
            raise HostError("\n".join(problems))
        known = Counter(line.partition("(")[0] for line in merged)
        merged += [line for call, count, line in numbered(run.lines) if count > known[call]]
    return Run(run.status, run.said, "\n".join(merged))


def draw(points: list[Point], wanted: int | None, seed: int) -> list[Point]:
    """Those to try, in an order that spreads the slow ones; all of them if `wanted` is None."""
    generator = random.Random(seed)
    if wanted is None or wanted >= len(points):
        return generator.sample(points, len(points))
    return generator.sample(points, wanted)


# --- killed -------------------------------------------------------------------------------------


def _missed(point: Point, run: Run) -> bool:
    """The command ended by itself before it came to the point."""
    return run.count(point.call) < point.count


def kill(victim: Victim, point: Point, *, reboot: bool = False, thorough: bool = False) -> Result:
    """SIGKILL as the command enters the call; then recover, or pull the plug and boot."""
    run = victim.strace(victim.words(), point.injection)
    result = Result(point, "neither")
    missed = _missed(point, run)
    if missed:
        if run.status not in APPLIED:
            result.problems.append(f"not interrupted, and yet exit {run.status}")
    elif run.status != KILLED or run.count(point.call) != point.count:
        result.problems.append(f"strace did not do what it was asked: exit {run.status}")
    elif not reboot and victim.untouched():
        result.outcome = "untouched"
        victim.restore_store()
        return result
    elif reboot:
        victim.host.power_off()
        result.problems += victim.boot()
    else:
        result.problems += victim.recover()
    state, problems = victim.verify()
    result.problems += problems
    if missed and state != victim.target:
        result.problems.append(f"not interrupted, and yet {state}")
    if state is not None:
        result.outcome = f"missed, {state}" if missed else state
        result.outcome += ", rebooted" if reboot and not missed else ""
    _finish(victim, run, result, state, thorough)
    return result


def _finish(victim: Victim, run: Run, result: Result, state: str | None, thorough: bool) -> None:
    """Ready for the next point."""
    if not result.problems and state is not None:
        result.problems += victim.settle(state, thorough)
    if result.problems:
        explain(victim, run, result)
        victim.reset()


def explain(victim: Victim, run: Run, result: Result) -> None:
    tail = "\n".join(run.trace.splitlines()[-12:])
    result.details = (
        f"--- harden said (exit {run.status})\n{run.said}\n"
        f"--- the end of its trace\n{tail}\n"
        f"--- the host's journal\n{victim.journal()}"
    )


# --- a call fails -------------------------------------------------------------------------------


def fault(victim: Victim, point: Point, *, thorough: bool = False) -> Result:
    """The call fails with the point's error; the rest of the run is left alone.

    What the exit status promises has to hold right then, before anything is recovered.
    """
    run = victim.strace(victim.words(), point.injection)
    result = Result(point, f"exit {run.status}")
    result.hit = next((line for line in run.trace.splitlines() if "(INJECTED)" in line), "")
    state: str | None = victim.base
    if run.status in APPLIED:
        state = _judge_applied(victim, point, run, result)
    elif run.status == PUT_BACK:
        state = _judge_state(victim, point, run, result, victim.base)
    elif run.status == REFUSED or _in_loader(run):
        _judge_refused(victim, run, result)
    else:
        result.problems.append(f"exit {run.status}")
    if not result.hit:
        result.outcome += ", missed"
    if result.problems:
        state = None
    elif state is not None and not victim.untouched():
        result.problems += victim.recover()
        recovered, problems = victim.verify()
        result.problems += problems
        if recovered != state:
            result.problems.append(f"it was {state}, but recover makes it {recovered}")
    _finish(victim, run, result, state, thorough)
    return result


def _judge_state(
    victim: Victim, point: Point, run: Run, result: Result, wanted: str
) -> str | None:
    # What could not be taken away because just that failed, the next harden takes away.
    swept = point.call not in ("unlink", "unlinkat", "rmdir", "openat", "fsync")
    state, problems = victim.verify(swept=swept)
    if state is None and not swept and victim.only_more_than(wanted):
        result.outcome += ", something left over"
        result.problems += victim.recover()
        state, problems = victim.verify()
    if state != wanted:
        result.problems.append(f"exit {run.status}, but the files are {state}")
    result.problems += problems
    return state


def _judge_applied(victim: Victim, point: Point, run: Run, result: Result) -> str | None:
    if victim.which_files() is None and not _changed_before(run):
        # It could not find out something, and so it made another plan, which it has shown and
        # carried out as a whole: that has to lead back.
        result.outcome += ", another plan"
        result.problems += victim.go_back()
        return victim.base
    return _judge_state(victim, point, run, result, victim.target)


def _in_loader(run: Run) -> bool:
    """harden itself had not begun: the last that the dynamic loader does is to drop its cache."""
    return run.status in LOADER_FAILED and run.count("munmap") == 0


def _changed_before(run: Run) -> bool:
    """Whether the call that failed came after the first change."""
    before, _, _ = run.trace.partition("(INJECTED)")
    return "/applies/.new-" in before


def _judge_refused(victim: Victim, run: Run, result: Result) -> None:
    if run.status != REFUSED:
        result.outcome = "loader"
    state = victim.which_files()
    if state != victim.base:
        result.problems.append(f"exit {run.status}, but the files are {state}")
    if not victim.daemon_is_the_same():
        result.problems.append(f"exit {run.status}, but the daemon was restarted")


# --- killed again while recovering --------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Twice:
    """The command is killed at one point, and then `harden recover` at another."""

    first: Point
    second: Point

    def __str__(self) -> str:
        return f"{self.first}, then recover at {self.second}"


def recover_points(victim: Victim, first: Point) -> list[Point]:
    """The system calls of `harden recover` after the command was killed at `first`."""
    victim.strace(victim.words(), first.injection)
    run = victim.strace(["recover"])
    state, problems = victim.verify()
    if state is None or problems or (problems := victim.settle(state, thorough=False)):
        raise HostError("\n".join(problems))
    return kill_points(run)


def kill_twice(victim: Victim, point: Twice) -> Result:
    run = victim.strace(victim.words(), point.first.injection)
    result = Result(point, "neither")
    pending = victim.is_pending()
    second = victim.strace(["recover"], point.second.injection)
    if second.status not in (0, KILLED):
        result.problems.append(f"harden recover: exit {second.status}\n{second.said}")
    result.problems += victim.recover()
    state, problems = victim.verify()
    result.problems += problems
    if state is not None:
        result.outcome = f"{state}{'' if pending else ', nothing was pending'}"
    _finish(victim, second if pending else run, result, state, thorough=False)
    return result


# --- many of them -------------------------------------------------------------------------------


def timed(victim: Victim, action: Callable[[], Result]) -> Result:
    victim.since = time.time()
    start = time.monotonic()
    result = action()
    result.seconds = time.monotonic() - start
    return result


def slowest(results: Iterable[Result], count: int = 3) -> str:
    worst = sorted(results, key=lambda result: -result.seconds)[:count]
    return ", ".join(f"{result.point} {result.seconds:.1f} s" for result in worst)
