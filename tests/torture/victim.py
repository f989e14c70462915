"""A real host on which `harden apply` or `harden rollback` is interrupted, over and over.

The host has two known states, old and new, each with its files and with what its daemon says. A
command leads from one (the base) to the other (the target). Whatever happens to the command, the
host has to end in exactly one of the two.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "host"))

from applies import STATE, USERS, reported  # noqa: E402
from hosts import Host, HostError, Snapshot, differences  # noqa: E402

KILLED = 137
APPLIED = (0, 5)  # 5: something is held
TRACE = "/run/torture.trace"

# Longer than any deadline of harden's own.
TIMEOUT = 200.0

# The parts of the disk that harden may change, beside its own folder.
FOLDERS = ("/etc/docker", "/etc/default", "/etc/systemd/system")

# Beside a file that harden changes.
TEMPORARY = re.compile(r"/\.[^/]+\.harden-\w+$")

OPPOSITE = {"apply": "rollback", "rollback": "apply"}


# --- starting points ----------------------------------------------------------------------------


def _fresh(host: Host) -> None:
    """As Docker was installed, and where it can do without, not even its folder."""
    with contextlib.suppress(OSError):
        host.path("/etc/docker").rmdir()


def _edited(host: Host) -> None:
    """An admin's own daemon.json: behind a link, not world-readable, with an attribute."""
    folder = host.path("/etc/docker")
    (folder / "site").mkdir(parents=True, exist_ok=True)
    file = folder / "site/engine.json"
    file.write_bytes(b'{\r\n\t"debug": false,\r\n\t"max-concurrent-downloads": 4\r\n}')
    file.chmod(0o640)
    os.chown(file, 0, 4)
    os.setxattr(file, "user.origin", b"site")
    link = folder / "daemon.json"
    link.unlink(missing_ok=True)
    link.symlink_to("site/engine.json")


SCENARIOS: dict[str, Callable[[Host], None]] = {"fresh": _fresh, "edited": _edited}


# --- what happens -------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class State:
    name: str
    files: Snapshot
    settings: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of harden under strace."""

    status: int  # as a shell says it
    said: str
    trace: str

    @property
    def lines(self) -> list[str]:
        """Its system calls in turn; the other lines are about signals and its end."""
        return [line for line in self.trace.splitlines() if re.match(r"\w+\(", line)]

    def count(self, call: str) -> int:
        """How many calls of this kind it made."""
        return sum(line.startswith(f"{call}(") for line in self.lines)


class Victim:
    """A host between two states. prepare() first."""

    def __init__(self, host: Host, scenario: str) -> None:
        self.host = host
        self.scenario = scenario
        self.command = "apply"
        self.states: dict[str, State] = {}
        self.since = time.time()  # when the present point began
        self._daemon: tuple[int, str] = (0, "")

    @property
    def base(self) -> str:
        return "old" if self.command == "apply" else "new"

    @property
    def target(self) -> str:
        return "new" if self.command == "apply" else "old"

    def words(self, command: str | None = None) -> list[str]:
        """What is typed behind harden.

        Waiting for a canary is no two times the same calls. A rehearsal is interrupted by a test of
        its own (tests/host/test_rehearsal.py): here it would be one more start of a daemon each.
        """
        command = command or self.command
        more = ["--no-canary", "--no-rehearsal"] if command == "apply" else []
        return [command, "--yes", *more]

    # --- getting ready

    def prepare(self) -> None:
        """Learn the two states, and end in the base of apply."""
        host = self.host
        shutil.rmtree(host.folder / "saved", ignore_errors=True)
        host.reset_docker()
        SCENARIOS[self.scenario](host)
        host.run("systemctl restart docker.service")
        host.wait_for_docker()
        before = self._files()
        # The first one also has dockerd create its user, which stays.
        self._harden("apply", APPLIED)
        self.states["new"] = self._observe("new")
        self._save("new")
        self._harden("rollback", (0,))
        self.states["old"] = self._observe("old")
        if lines := differences(before, self.states["old"].files, times=False):
            raise HostError("rollback does not bring back the files:\n" + "\n".join(lines))
        if self.states["old"].settings == self.states["new"].settings:
            raise HostError("the daemon says the same in the old and the new state")
        # Without any record: the longest way.
        shutil.rmtree(host.path(STATE))
        self._save("old")
        self._remember_daemon()

    def turn(self, command: str) -> None:
        """Get ready for interrupting the other command."""
        if command != self.command:
            self.command = command
            self.reset()

    def _harden(self, command: str, fine: tuple[int, ...]) -> None:
        done = self.host.run(["harden", *self.words(command)], check=False, timeout=TIMEOUT)
        if done.returncode not in fine:
            raise HostError(
                f"harden {command} --yes: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
            )

    def _expect(self, name: str) -> None:
        state, problems = self.verify()
        if problems or state != name:
            raise HostError(f"the host is not {name} but {state}:\n" + "\n".join(problems))

    # --- the disk

    def _saved(self, name: str, inside: str) -> Path:
        return self.host.folder / "saved" / name / inside.lstrip("/")

    def _save(self, name: str) -> None:
        for inside in (*FOLDERS, STATE):
            source, target = self.host.path(inside), self._saved(name, inside)
            if source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                subprocess.run(["cp", "-a", "--", source, target], check=True)

    def put_folder(self, source: Path, inside: str) -> None:
        """Make a folder on the host's disk exactly what `source` is, or is not."""
        target = self.host.path(inside)
        if target.exists():
            shutil.rmtree(target)
        if source.exists():
            subprocess.run(["cp", "-a", "--", source, target], check=True)

    def restore_store(self) -> None:
        """harden's own folder as it was: each point starts with the same."""
        self.put_folder(self._saved(self.base, STATE), STATE)

    def restore_files(self) -> None:
        for inside in (*FOLDERS, STATE):
            self.put_folder(self._saved(self.base, inside), inside)

    def reset(self) -> None:
        """Back to the base by force, without harden."""
        host = self.host
        host.run(
            "systemctl kill --signal=KILL docker.service;"
            "systemctl stop docker.socket docker.service; rm -f /run/docker.pid",
            check=False,
        )
        self.restore_files()
        host.run("systemctl daemon-reload; systemctl reset-failed")
        host.run("systemctl start docker.socket docker.service", check=False)
        host.wait_for_docker()
        self._expect(self.base)
        self._remember_daemon()

    # --- looking

    def _files(self) -> Snapshot:
        exclude = [*USERS, "/etc/.updated"]
        return self.host.snapshot(under="/etc", exclude=exclude, dir_times=False)

    def _observe(self, name: str) -> State:
        return State(name, self._files(), reported(self.host))

    def _remember_daemon(self) -> None:
        pid = self.host.dockerd_pid(outside=True)
        self._daemon = (pid, _start_time(pid))

    def daemon_is_the_same(self) -> bool:
        """No restart since the base was reached. A look into /proc: costs nothing."""
        pid, started = self._daemon
        return pid != 0 and _start_time(pid) == started

    def which_files(self, *, swept: bool = True) -> str | None:
        """The state that the files are in; None if it is neither.

        Until the next harden has `swept` them, temporary files may lie beside.
        """
        files = self._files()
        if not swept:
            files = {path: entry for path, entry in files.items() if not TEMPORARY.search(path)}
        for state in self.states.values():
            if not differences(state.files, files, times=False):
                return state.name
        return None

    def only_more_than(self, name: str) -> bool:
        """All of that state is there, and something else besides."""
        lines = differences(self.states[name].files, self._files(), times=False)
        return all(line.endswith(": added") for line in lines)

    def is_pending(self) -> bool:
        return os.path.lexists(self.host.path(f"{STATE}/pending"))

    def _temporaries(self) -> list[str]:
        """What a killed harden may leave in its own folder, for the next one to sweep."""
        store = self.host.path(STATE)
        patterns = ("*.new", "applies/.new-*", "applies/*/*.new")
        return [str(path) for pattern in patterns for path in store.glob(pattern)]

    def untouched(self) -> bool:
        """Nothing at all has happened."""
        return (
            not self.is_pending()
            and self.daemon_is_the_same()
            and not self._temporaries()
            and self.which_files() == self.base
            and reported(self.host) == self.states[self.base].settings
        )

    def verify(self, *, swept: bool = True) -> tuple[str | None, list[str]]:
        """The state in which the host is, and everything that is wrong about that.

        Until the next harden has `swept` them, half-made records, temporary files and the mark of a
        transaction may lie about.
        """
        problems = []
        name = self.which_files(swept=swept)
        if name is None:
            files = self._files()
            for state in self.states.values():
                lines = differences(state.files, files, times=False)
                problems.append(f"the files are not {state.name}: " + "; ".join(lines))
        if swept:
            if self.is_pending():
                problems.append("left over: pending")
            if left := self._temporaries():
                problems.append(f"left over: {' '.join(left)}")
            problems += self._wrong_records()
        units = self.host.run(
            "systemctl is-active docker.service docker.socket", check=False
        ).stdout.split()
        if units != ["active", "active"]:
            problems.append(f"docker.service and docker.socket are {units}")
            return name, problems
        try:
            said = reported(self.host)
        except (OSError, HostError) as error:
            problems.append(f"the daemon does not answer: {error}")
            return name, problems
        if name is not None and said != (wanted := self.states[name].settings):
            wrong = {key: said[key] for key in said if said[key] != wanted[key]}
            problems.append(f"the files are {name}, but the daemon says {wrong}")
        return name, problems

    def _wrong_records(self) -> list[str]:
        problems = []
        for folder in self.host.path(STATE).glob("applies/*"):
            file = folder / "record.json"
            try:
                state = json.loads(file.read_text(encoding="utf-8"))["state"]
            except (OSError, ValueError, KeyError) as error:
                problems.append(f"{folder.name}: the record cannot be read: {error}")
                continue
            if state not in ("committed", "rolled-back"):
                problems.append(f"{folder.name}: the record says {state}")
        return problems

    def journal(self) -> str:
        """What the host had to say since the point began."""
        units = ("docker.service", "docker.socket", "harden-recover.service")
        matches = [f"{field}={unit}" for unit in units for field in ("_SYSTEMD_UNIT", "UNIT")]
        shown = self.host.run(
            "journalctl --sync; journalctl --no-pager --quiet --output=short-precise"
            f" --since=@{self.since:.3f} SYSLOG_IDENTIFIER=harden + {' + '.join(matches)} |"
            " grep -v 'WARNING: No ' | tail -n 50",
            check=False,
        )
        return shown.stdout

    # --- doing

    def strace(self, command: list[str], inject: str | None = None) -> Run:
        """Run harden under strace, which does something to one of its system calls."""
        words = ["strace", "-qq", "-s", "120", "-o", TRACE, "-e", "trace=all"]
        if inject is not None:
            words += ["-e", f"inject={inject}"]
        done = self.host.run([*words, "harden", *command], check=False, timeout=TIMEOUT)
        status = done.returncode if done.returncode >= 0 else 128 - done.returncode
        trace = self.host.live_path(TRACE)
        text = trace.read_text(encoding="utf-8", errors="replace") if trace.exists() else ""
        return Run(status, f"{done.stdout[-800:]}{done.stderr[-3000:]}", text)

    def recover(self) -> list[str]:
        """`harden recover`, after which nothing is left to recover; the problems."""
        done = self.host.run(["harden", "recover"], check=False, timeout=TIMEOUT)
        if done.returncode != 0:
            return [f"harden recover: exit {done.returncode}\n{done.stdout}{done.stderr}"]
        return self.has_recovered()

    def has_recovered(self) -> list[str]:
        """Nothing is left to recover; the problems."""
        done = self.host.run(["harden", "recover"], check=False, timeout=TIMEOUT)
        if done.returncode == 0 and "Nothing is pending" in done.stdout:
            return []
        return [f"one more harden recover: exit {done.returncode}\n{done.stdout}{done.stderr}"]

    def boot(self) -> list[str]:
        """Switch the host on: harden-recover.service has to do the rest. The problems."""
        try:
            self.host.power_on()
        except HostError as error:
            return [f"at boot: {error}"]
        _, problems = self.verify(swept=False)
        return problems + self.has_recovered()

    def go_back(self) -> list[str]:
        """From the target to the base by harden itself; the problems."""
        opposite = OPPOSITE[self.command]
        done = self.host.run(["harden", *self.words(opposite)], check=False, timeout=TIMEOUT)
        if done.returncode not in (APPLIED if opposite == "apply" else (0,)):
            return [
                f"harden {opposite} --yes, afterwards: exit {done.returncode}\n"
                f"{done.stdout[-1500:]}{done.stderr}"
            ]
        state, problems = self.verify()
        if state != self.base:
            problems.append(f"harden {opposite} --yes, afterwards, leads to {state}")
        return problems

    def go_there_and_back(self) -> list[str]:
        """What was interrupted works when it is done again; the problems."""
        fine = APPLIED if self.command == "apply" else (0,)
        done = self.host.run(["harden", *self.words()], check=False, timeout=TIMEOUT)
        if done.returncode not in fine:
            return [
                f"harden {self.command} --yes, once more: exit {done.returncode}\n"
                f"{done.stdout[-1500:]}{done.stderr}"
            ]
        state, problems = self.verify()
        if state != self.target:
            problems.append(f"harden {self.command} --yes, once more, leads to {state}")
        return problems or self.go_back()

    def settle(self, state: str, thorough: bool) -> list[str]:
        """Ready for the next point, if `thorough` by harden's own means; the problems."""
        problems = []
        if thorough and state == self.base:
            problems = self.go_there_and_back()
        elif thorough:
            problems = self.go_back()
        elif state == self.target:
            self.reset()
            return []
        if not problems:
            self.restore_store()
            self._remember_daemon()
        return problems


def _start_time(pid: int) -> str:
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return line.rpartition(")")[2].split()[19]


def numbered(lines: list[str]) -> Iterator[tuple[str, int, str]]:
    """Each system call with how manieth of its kind it is: strace counts them so."""
    seen: Counter[str] = Counter()
    for line in lines:
        call = line.partition("(")[0]
        seen[call] += 1
        yield call, seen[call], line
