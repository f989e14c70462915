"""Private mounts and cgroups for the test hosts: the few system calls Python 3.11 does not wrap.

Run as a program (``sandbox.py CMD...``) it starts CMD with mounts of its own, so that whatever
CMD mounts is gone when it ends, however it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

CLONE_NEWNS = 0x00020000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_SLAVE = 0x80000
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1

FOOTHOLD = "/mnt"
CGROUP_ROOT = Path("/sys/fs/cgroup")

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def _mount(source: str | None, target: str, kind: str | None, flags: int) -> None:
    def encode(text: str | None) -> bytes | None:
        return None if text is None else os.fsencode(text)

    _check(
        _libc.mount(encode(source), encode(target), encode(kind), ctypes.c_ulong(flags), None),
        f"mount {kind or source or 'propagation'} on {target}",
    )


def _root_is_a_mount() -> bool:
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return any(line.split(" ")[4] == "/" for line in lines)


def private_mounts() -> Callable[[], None]:
    """Give this process (single-threaded, root) mounts that nobody outside sees.

    In a plain chroot "/" is no mount, and neither the kernel's propagation settings nor
    systemd-nspawn can work on it. There the whole tree is bound to FOOTHOLD and this process moves
    in. That one mount shows outside if the disk under the chroot is mounted shared: the function
    returned takes it away again.
    """
    _check(_libc.unshare(CLONE_NEWNS), "unshare mounts")
    if _root_is_a_mount():
        _mount(None, "/", None, MS_REC | MS_SLAVE)
        return lambda: None
    here = os.getcwd()
    _mount("/", FOOTHOLD, None, MS_BIND | MS_REC)
    _mount(None, FOOTHOLD, None, MS_REC | MS_SLAVE)
    os.chroot(FOOTHOLD)
    os.chdir(here)
    return lambda: _check(_libc.umount2(b"/", MNT_DETACH), "unmount the foothold")


def nspawn_mounts() -> None:
    """What systemd-nspawn wants to see, whatever the machine mounts: call private_mounts() first.

    A cgroup2 tree at the usual place makes cgroup v1, hybrid and bare machines look alike. A /run
    of its own takes nspawn's lock and propagation files along when it goes.
    """
    _mount("cgroup2", str(CGROUP_ROOT), "cgroup2", 0)
    _mount("tmpfs", "/run", "tmpfs", 0)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; for use between fork and exec."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def cgroup_empty(group: Path) -> bool:
    try:
        return "populated 0" in (group / "cgroup.events").read_text(encoding="utf-8")
    except FileNotFoundError:
        return True


def cgroup_kill(group: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        (group / "cgroup.kill").write_text("1", encoding="utf-8")


def cgroup_remove(group: Path, timeout: float = 10.0) -> None:
    """Kill everything in the cgroup, wait until it is gone, and remove the folders."""
    if not group.is_dir():
        return
    cgroup_kill(group)
    deadline = time.monotonic() + timeout
    while not cgroup_empty(group):
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes in {group} do not die")
        time.sleep(0.005)
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            pass  # another sweep of the same leftovers was faster


def remove_tree(tree: Path) -> None:
    """rm -rf that never leaves the file system and copes with files a test made immutable."""
    command = ["rm", "-rf", "--one-file-system", "--", str(tree)]
    for attempt in range(3):
        if attempt > 0:
            subprocess.run(
                ["chattr", "-R", "-f", "-i", "-a", str(tree)],
                check=False,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if not os.path.lexists(tree):
            return
    raise OSError(f"cannot remove {tree}: {done.stderr.strip()[:500]}")


def main() -> None:
    leave = private_mounts()
    status = subprocess.run(sys.argv[1:], check=False).returncode
    leave()
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
