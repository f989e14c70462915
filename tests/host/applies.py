"""What the tests of apply, rollback and recover share: running harden, and telling states apart."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import diffs
from hosts import Host, HostError, Snapshot

CONFIG = "/etc/docker/daemon.json"
STATE = "/var/lib/harden"

# dockerd makes the user dockremap the first time that userns-remap is "default"; it stays.
USERS = [
    f"/etc/{name}{suffix}"
    for name in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")
    for suffix in ("", "-")
]

# Drop-ins in /run are on no disk, so no snapshot shows them.
DROPIN = "/run/systemd/system/docker.service.d/test.conf"

# The result of a rollback that worked, and of an apply that failed and was put back.
UNDONE = "rolled-back"

# A plan that costs one restart and nothing else.
SMALL = ("--only", "no-new-privileges", "--only", "userland-proxy")


def harden(
    host: Host, *words: str, status: int = 0, timeout: float = 60, user: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs it, and fails with all that it said where it ends with another status."""
    done = host.run(["harden", *words], check=False, timeout=timeout, user=user)
    assert done.returncode == status, (
        f"harden {' '.join(words)}: exit {done.returncode}, not {status}\n"
        f"--- stdout\n{shortened(done.stdout)}\n--- stderr\n{shortened(done.stderr)}"
    )
    return done


def shortened(text: str) -> str:
    """Of a document only what became of the host: the settings fill the screen."""
    try:
        answer = json.loads(text)
    except ValueError:
        return text
    for long in ("settings", "host", "files", "phases_ms"):
        answer.pop(long, None)
    return json.dumps(answer, indent=2)


def document(host: Host, *words: str, status: int = 0, timeout: float = 60) -> dict[str, Any]:
    """The one JSON document that a command prints, whatever becomes of it."""
    done = harden(host, *words, "--json", status=status, timeout=timeout)
    answer = json.loads(done.stdout)
    assert answer["schema"] == 1
    assert answer["command"] == words[0]
    # The words for people are beside it, for messages of failed tests.
    answer["_stderr"] = done.stderr
    return answer


def apply(
    host: Host, *words: str, status: int = 0, timeout: float = 60, rehearse: bool = False
) -> dict[str, Any]:
    """Without the rehearsal, unless it is what the test is about: each takes a second or two."""
    if not rehearse and "--no-rehearsal" not in words:
        words = (*words, "--no-rehearsal")
    return document(host, "apply", "--yes", *words, status=status, timeout=timeout)


def rollback(host: Host, *words: str, status: int = 0, timeout: float = 60) -> dict[str, Any]:
    return document(host, "rollback", "--yes", *words, status=status, timeout=timeout)


def plan(host: Host, *words: str, status: int = 0) -> dict[str, Any]:
    return document(host, "plan", *words, status=status)


def history(host: Host) -> list[dict[str, Any]]:
    return list(document(host, "history")["applies"])


def latest(host: Host) -> dict[str, Any]:
    """The newest entry of the history: ids sort by time."""
    return max(history(host), key=lambda entry: str(entry["id"]))


def states(answer: dict[str, Any]) -> dict[str, str]:
    return {row["key"]: row["state"] for row in answer["settings"]}


def row(answer: dict[str, Any], key: str) -> dict[str, Any]:
    return next(row for row in answer["settings"] if row["key"] == key)


def planned(answer: dict[str, Any], before: str = "") -> str:
    """daemon.json as the plan would leave it."""
    texts = [f["diff"] for f in answer["files"] if f["path"] == CONFIG and f["action"] != "mode"]
    return diffs.apply(before, texts[0]) if texts else before


def config(host: Host) -> bytes | None:
    """daemon.json through the host's own mounts."""
    path = host.live_path(CONFIG)
    return path.read_bytes() if path.exists() else None


def saved(host: Host, *, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> Snapshot:
    """All files that an apply could change and a rollback must bring back."""
    left_out = [STATE, *USERS, *exclude]
    return host.snapshot(exclude=[p for p in left_out if p not in include], dir_times=False)


def leftovers(host: Host) -> list[str]:
    """Temporary files of harden's that should be gone by now."""
    found = host.run(
        f"find /etc {STATE} /usr/lib/systemd -xdev \\( -name '*.harden-*' -o"
        f" -name '.new-*' -o -path '{STATE}/*.new' \\) 2>/dev/null",
        check=False,
    )
    return found.stdout.split()


def pending(host: Host) -> str | None:
    """The mark of a transaction that is neither finished nor undone."""
    done = host.run(["readlink", f"{STATE}/pending"], check=False)
    return done.stdout.strip() or None


def reported(host: Host) -> dict[str, Any]:
    """What the running daemon says of itself."""
    info = host.api("/info")
    return {
        "live-restore": info["LiveRestoreEnabled"],
        "log-driver": info["LoggingDriver"],
        "security": sorted(info["SecurityOptions"]),
        "root": info["DockerRootDir"],
        "driver": info["Driver"],
        "bridge": host.api("/networks/bridge")["Options"],
    }


def units(host: Host) -> tuple[str, str]:
    """docker.service and docker.socket, as systemd sees them."""
    words = host.run("systemctl is-active docker.service docker.socket", check=False)
    service, socket = words.stdout.split()
    return service, socket


def assert_docker_works(host: Host) -> None:
    # A start limit or an automatic restart that is still to come would show a moment later.
    assert units(host) == ("active", "active")
    host.wait_for_docker(5)


def entries(host: Host, transaction: str) -> list[dict[str, str]]:
    """harden's own entries in the journal for one transaction."""
    host.run("journalctl --sync", check=False)
    lines = host.run(["journalctl", "--output=json", "--no-pager", f"HARDEN_ID={transaction}"])
    return [json.loads(line) for line in lines.stdout.splitlines()]


# --- making things difficult


@contextlib.contextmanager
def dropin(host: Host, text: str) -> Iterator[None]:
    """docker.service with these lines, until the end of the block."""
    path = host.live_path(DROPIN)
    host.run(["mkdir", "-p", DROPIN.rpartition("/")[0]])
    path.write_text(text, encoding="utf-8")
    host.run("systemctl daemon-reload")
    try:
        yield
    finally:
        host.run(f"rm -rf {DROPIN.rpartition('/')[0]}; systemctl daemon-reload", check=False)


def slow_start(host: Host, seconds: float) -> contextlib.AbstractContextManager[None]:
    """Each start of docker takes longer, so that there is time to do something to it."""
    return dropin(host, f"[Service]\nExecStartPre=/bin/sleep {seconds}\n")


def wait_until(what: str, test: Any, timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while not test():
        if time.monotonic() > deadline:
            raise HostError(f"waited {timeout} s in vain until {what}")
        time.sleep(0.02)


def start_pre_runs(host: Host) -> bool:
    shown = host.run("systemctl show --property=SubState --value docker.service", check=False)
    return shown.stdout.strip() == "start-pre"


def start_harden(host: Host, *words: str) -> subprocess.Popen[str]:
    """harden in the background, with its output in pipes."""
    return host.popen(
        ["harden", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C at the terminal of whoever runs the tests is not for it.
        start_new_session=True,
    )


def signal_harden(host: Host, name: str) -> None:
    """To the harden inside, not to nsenter."""
    host.run(f"kill -{name} $(pgrep -x harden)")


def finish(process: subprocess.Popen[str], timeout: float = 60) -> tuple[int, str, str]:
    """Exit status, stdout, stderr; what takes longer is killed, which is a failure."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise HostError(f"took over {timeout} s\n{out}\n{err}") from None
    return process.returncode, out, err


def kill_in_mid_restart(host: Host, *words: str) -> None:
    """Of a host with slow_start()."""
    process = start_harden(host, *words)
    wait_until("docker is being restarted", lambda: start_pre_runs(host))
    signal_harden(host, "KILL")
    status, out, err = finish(process)
    assert status in (-signal.SIGKILL, 128 + signal.SIGKILL), out + err


# What harden ends a question with.
QUESTION = r"\[y/N\] $"


class Terminal:
    """harden on a terminal inside the host, which script(1) makes."""

    def __init__(self, host: Host, *words: str) -> None:
        self.text = ""
        self.process: subprocess.Popen[bytes] = host.popen(
            ["script", "-q", "-f", "-e", "-c", f"exec {' '.join(words)}", "/dev/null"],
            env={"TERM": "xterm", "NO_COLOR": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def read_until(self, pattern: str, timeout: float = 30) -> None:
        assert self.process.stdout is not None
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self.text):
            ready, _, _ = select.select([self.process.stdout], [], [], 0.1)
            data = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            self.text += data.decode(errors="replace")
            if (ready and not data) or time.monotonic() > deadline:
                self.process.kill()
                raise HostError(f"no {pattern!r} in what it showed:\n{self.text}")

    def send(self, keys: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(keys)
        self.process.stdin.flush()

    def finish(self, timeout: float = 30) -> int:
        out, _ = self.process.communicate(timeout=timeout)
        self.text += out.decode(errors="replace")
        return self.process.returncode


def seconds_taken(since: float) -> float:
    return time.monotonic() - since


# user::rw-, user:1:r--, group::---, mask::r--, other::---
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *entry)
    for entry in (
        (0x01, 6, 0xFFFFFFFF),
        (0x02, 4, 1),
        (0x04, 0, 0xFFFFFFFF),
        (0x10, 4, 0xFFFFFFFF),
        (0x20, 0, 0xFFFFFFFF),
    )
)


def plain(text: str) -> str:
    """Without line breaks and indentation: sentences are wrapped to the terminal."""
    return re.sub(r"\s+", " ", text)
