"""The process that owns one running host: it copies the base, runs nspawn, and cleans up.

    keeper.py run SUITE RUN_FOLDER HOSTNAME [COMMAND...]
    keeper.py sweep RUN_FOLDER
    keeper.py probe

The COMMAND is run before the first boot; {} in its words stands for the host's tree. `run` speaks to the process that started it over two pipes: it writes "leader PID" (the PID, seen
from outside, of the host's systemd) or "error TEXT" to its standard output. On its standard input
a line "off" kills all that runs on the host and leaves its disk ("off" is the answer), "on" boots
that disk again and is answered as the first boot was, and when the input ends it takes the host
away. That end comes by itself when the owner dies, even by SIGKILL, so a host never outlives the
test run that booted it. Only a keeper killed by SIGKILL leaves its host behind: its owner's stop(),
or the next boot of any host, then sweeps that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import basetree
import sandbox

LEADER_TIMEOUT = 20.0
SPOILED = 3  # exit status

# The name that tests/coverage/counters.c knows.
COUNTERS = "/run/harden-counters"


def cgroup_of(folder: Path) -> Path:
    return sandbox.CGROUP_ROOT / f"harden-host-{folder.name}"


def make_tree(suite: str, tree: Path, hostname: str) -> None:
    basetree.copy(suite, tree)
    (tree / "etc/hostname").write_text(f"{hostname}\n", encoding="utf-8")
    (tree / "etc/hosts").write_text(f"127.0.0.1 localhost {hostname}\n", encoding="utf-8")
    # A known ID: without one systemd takes this for a first boot and resets all unit presets.
    (tree / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n", encoding="utf-8")
    for stamp in ("etc/.updated", "var/.updated"):
        # Newer than /usr, or systemd reruns the jobs of a freshly updated system.
        (tree / stamp).touch()


def counters() -> list[str]:
    """Where a harden that counts its lines does so: a folder of this machine, on no host's disk."""
    build = os.environ.get("HARDEN_COUNTED")
    return [f"--bind={Path(build).resolve() / 'counters'}:{COUNTERS}"] if build else []


def start_nspawn(folder: Path, hostname: str) -> subprocess.Popen[bytes]:
    group = cgroup_of(folder)
    group.mkdir()
    keeper = os.getpid()

    def in_child() -> None:
        sandbox.die_with_parent(keeper)
        (group / "cgroup.procs").write_text("0", encoding="utf-8")

    command = [
        "systemd-nspawn",
        "--quiet",
        f"--directory={folder / 'tree'}",
        f"--machine={hostname}",
        "--register=no",
        "--keep-unit",
        "--boot",
        "--private-network",
        "--settings=no",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        "--capability=all",
        # Docker sets up keyrings and loads BPF programs for its containers' devices.
        "--system-call-filter=@mount @keyring bpf add_key keyctl",
        "--console=passive",
        *counters(),
    ]
    with (folder / "console.log").open("ab") as console:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            preexec_fn=in_child,  # noqa: PLW1509 - this process has no threads
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
        )


def _is_leader(pid: str, parent: int) -> bool:
    try:
        status = (Path("/proc") / pid / "status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    inside = fields.get("NSpid", "").split()
    return fields.get("PPid") == str(parent) and len(inside) > 1 and inside[-1] == "1"


def wait_for_leader(nspawn: subprocess.Popen[bytes]) -> int:
    """nspawn's child that is process 1 of the host."""
    deadline = time.monotonic() + LEADER_TIMEOUT
    while nspawn.poll() is None and time.monotonic() < deadline:
        for pid in os.listdir("/proc"):
            if pid.isdigit() and _is_leader(pid, nspawn.pid):
                return int(pid)
        time.sleep(0.01)
    raise RuntimeError(f"systemd-nspawn started no host (exit status {nspawn.returncode})")


def remove(folder: Path) -> None:
    sandbox.cgroup_remove(cgroup_of(folder))
    sandbox.remove_tree(folder)


def power_off(folder: Path, nspawn: subprocess.Popen[bytes]) -> None:
    """Everything on the host dies at once; only its disk stays."""
    # nspawn last: it waits for the host's process 1, so that not even a zombie stays.
    sandbox.cgroup_kill(cgroup_of(folder) / "payload")
    with contextlib.suppress(subprocess.TimeoutExpired):
        nspawn.wait(5)
    sandbox.cgroup_remove(cgroup_of(folder))
    nspawn.wait()


def prepare(tree: Path, command: list[str]) -> None:
    if command:
        words = [word.replace("{}", str(tree)) for word in command]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}")


def run(suite: str, folder: Path, hostname: str, command: list[str]) -> int:
    """The exit status: 0, or SPOILED."""
    nspawn: subprocess.Popen[bytes] | None = None
    try:
        make_tree(suite, folder / "tree", hostname)
        prepare(folder / "tree", command)
        nspawn = start_nspawn(folder, hostname)
        print(f"leader {wait_for_leader(nspawn)}", flush=True)
        while order := sys.stdin.readline().strip():
            if nspawn is not None:
                power_off(folder, nspawn)
                nspawn = None
            if order == "off":
                print("off", flush=True)
                continue
            nspawn = start_nspawn(folder, hostname)
            print(f"leader {wait_for_leader(nspawn)}", flush=True)
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        console = folder / "console.log"
        said = console.read_text(errors="replace")[-2000:] if console.exists() else ""
        print("error " + f"{error} {said}".replace("\n", " | "), flush=True)
    finally:
        if nspawn is not None:
            power_off(folder, nspawn)
        remove(folder)
    if basetree.spoiled(suite):
        basetree.discard(suite)
        return SPOILED
    return 0


def main() -> None:
    # Ctrl-C goes to the whole terminal's process group; the owner decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    verb = sys.argv[1]
    folder = Path(sys.argv[3] if verb == "run" else sys.argv[2])
    leave = sandbox.private_mounts()
    sandbox.nspawn_mounts()
    status = 0
    if verb == "run":
        status = run(sys.argv[2], folder, sys.argv[4], sys.argv[5:])
    elif verb == "sweep":
        remove(folder)
    elif verb == "probe":
        group = cgroup_of(folder)
        group.mkdir()
        group.rmdir()
    leave()
    sys.exit(status)


if __name__ == "__main__":
    main()
