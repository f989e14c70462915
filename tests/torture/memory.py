"""Each allocation of a command fails once: what the exit status promises has to hold all the same."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from hosts import HostError
from sweeps import PUT_BACK, REFUSED, Result
from victim import APPLIED, TIMEOUT, Run, Victim

LIBRARY = "/run/nomemory.so"
COUNT = "/run/nomemory.count"


@dataclasses.dataclass(frozen=True)
class Allocation:
    """One allocation of the command that is refused."""

    number: int

    def __str__(self) -> str:
        return f"allocation #{self.number}"


def _run(victim: Victim, number: int) -> Run:
    env = {"LD_PRELOAD": LIBRARY, "NO_MEMORY_AT": str(number), "NO_MEMORY_COUNT": COUNT}
    words = ["harden", *victim.words()]
    done = victim.host.run(words, check=False, timeout=TIMEOUT, env=env)
    return Run(done.returncode, f"{done.stdout[-800:]}{done.stderr[-3000:]}", "")


def allocations(victim: Victim, library: Path) -> list[Allocation]:
    """All of them, counted in a run that nobody disturbs."""
    shutil.copy(library, victim.host.live_path(LIBRARY))
    run = _run(victim, 0)
    if run.status not in APPLIED:
        raise HostError(f"harden {victim.command}: exit {run.status}\n{run.said}")
    count = int(victim.host.live_path(COUNT).read_text(encoding="utf-8"))
    if problems := victim.settle(victim.target, thorough=False):
        raise HostError("\n".join(problems))
    return [Allocation(number) for number in range(1, count + 1)]


def refuse(victim: Victim, point: Allocation) -> Result:
    run = _run(victim, point.number)
    result = Result(point, f"exit {run.status}")
    state, problems = victim.verify()
    result.problems += problems
    if run.status == REFUSED and not victim.daemon_is_the_same():
        result.problems.append("exit 2, but the daemon was restarted")
    wanted = {**dict.fromkeys(APPLIED, victim.target), REFUSED: victim.base, PUT_BACK: victim.base}
    if state != wanted.get(run.status):
        result.problems.append(f"exit {run.status}, and the files are {state}")
    if result.problems:
        result.details = f"--- harden said\n{run.said}\n--- the host's journal\n{victim.journal()}"
        victim.reset()
    elif state is not None:
        result.problems += victim.settle(state, thorough=False)
    return result
