"""Power cuts: what would be on the disk if the power went at this instant.

/etc and harden's own folder are put on two small ext4 file systems of their own, on loop devices,
mounted so that nothing reaches the device unless it is synced. The command is stopped after each
system call that changes something, and the devices are copied: what only the page cache knows is
lost in the copy, as it would be in a power cut. Later each copy is put in the place of the host's
disk, and the host is booted from it.

Two devices, because a sync of one file commits the journal for all files on the same device, and
would hide that another sync is missing. In every second round, somebody else on the host syncs a
file of his own at each stop: that commits all names and sizes, but nobody's data.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import random
import stat
import subprocess
import time
from pathlib import Path

from hosts import HostError
from sweeps import Result, explain
from victim import APPLIED, FOLDERS, STATE, TIMEOUT, Run, Victim

MKFS = (
    "mkfs.ext4", "-q", "-F", "-b", "1024", "-m", "0", "-J", "size=1", "-O", "^resize_inode",
    "-E", "lazy_itable_init=0,lazy_journal_init=0",
)  # fmt: skip
SIZE = "8M"

# No time passes in which the kernel writes by itself, and a rename does not bring the data along.
OPTIONS = "noauto_da_alloc,data=writeback,commit=600"

LOOP_MAJOR = 7
LOOP_CONTROL = (10, 237)
LOOP_CTL_GET_FREE = 0x4C82
ATTEMPTS = 30

MOUNTS = "/run/power"
STEPPER = "/usr/local/bin/stepper"
OUTPUT = "/run/power.output"

# The bystander's own files.
MARKS = ("/etc/.updated", f"{MOUNTS}/store/mark")


@dataclasses.dataclass(frozen=True)
class Cut:
    """A power cut: the stop at which it came, and the disks as they were then."""

    stop: str
    etc: Path
    store: Path
    done: bool  # the command had ended, and said so

    def __str__(self) -> str:
        return self.stop


class Disks:
    """The two devices, mounted on the running host; and copies of them."""

    def __init__(self, victim: Victim) -> None:
        self.victim = victim
        self.folder = victim.host.folder / "power"
        self.images = {name: self.folder / f"{name}.img" for name in ("etc", "store")}
        self._nodes = 0

    def __enter__(self) -> Disks:
        self.folder.mkdir(exist_ok=True)
        source = self.folder / "source"
        source.mkdir()
        subprocess.run(["touch", source / "mark"], check=True)
        store = self.victim.host.path(STATE)
        if store.exists():
            subprocess.run(["cp", "-a", "--", store, source / "harden"], check=True)
        else:
            (source / "harden").mkdir(mode=0o700)
        self._make(self.victim.host.path("/etc"), self.images["etc"])
        self._make(source, self.images["store"])
        subprocess.run(["rm", "-r", source], check=True)
        self.victim.host.run(["mkdir", "-p", f"{MOUNTS}/store", STATE])
        self._mount(self.images["store"], f"{MOUNTS}/store", OPTIONS)
        self.victim.host.run(["mount", "--bind", f"{MOUNTS}/store/harden", STATE])
        self._mount(self.images["etc"], "/etc", OPTIONS)
        return self

    def __exit__(self, *_: object) -> None:
        # A host that is off has no mounts any more, and the loop devices went with them.
        if self.victim.host.leader:
            self.victim.host.run(
                ["umount", "-l", "/etc", STATE, f"{MOUNTS}/store"], check=False
            )

    @staticmethod
    def _make(source: Path, image: Path) -> None:
        image.unlink(missing_ok=True)
        subprocess.run(
            [*MKFS, "-d", str(source), str(image), SIZE],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"},
        )

    def _mount(self, image: Path, where: str, options: str) -> None:
        """On the host; the loop device goes when it is unmounted, or when the host dies."""
        number, node = self._attach(image)
        try:
            self._nodes += 1
            inside = f"/dev/power{number}.{self._nodes}"
            self.victim.host.run(["mknod", inside, "b", str(LOOP_MAJOR), str(number)])
            self.victim.host.run(["mount", "-t", "ext4", "-o", options, inside, where])
        finally:
            subprocess.run(["losetup", "--detach", str(node)], check=False)
            node.unlink()

    def _attach(self, image: Path) -> tuple[int, Path]:
        """A free loop device on which the image is, by a node of our own: /dev may have none."""
        control = self.folder / "loop-control"
        if not control.exists():
            os.mknod(control, stat.S_IFCHR | 0o600, os.makedev(*LOOP_CONTROL))
        for _ in range(ATTEMPTS):
            handle = os.open(control, os.O_RDWR | os.O_CLOEXEC)
            try:
                number = fcntl.ioctl(handle, LOOP_CTL_GET_FREE)
            finally:
                os.close(handle)
            node = self.folder / f"loop{number}"
            node.unlink(missing_ok=True)
            os.mknod(node, stat.S_IFBLK | 0o600, os.makedev(LOOP_MAJOR, number))
            done = subprocess.run(
                ["losetup", str(node), str(image)], check=False, capture_output=True, text=True
            )
            if done.returncode == 0:
                return number, node
            node.unlink()
            # Somebody else was faster.
            time.sleep(random.uniform(0.01, 0.1))
        raise HostError(f"no loop device for the power cuts: {done.stderr.strip()}")

    def copy(self) -> tuple[Path, Path]:
        """What is on the two devices now. Equal contents are kept once."""
        etc, store = (self._keep(name) for name in ("etc", "store"))
        return etc, store

    def _keep(self, name: str) -> Path:
        data = self.images[name].read_bytes()
        digest = hashlib.blake2b(data, digest_size=8).hexdigest()
        kept = self.folder / f"{name}.{digest}.copy"
        if not kept.exists():
            kept.write_bytes(data)
        return kept

    def unpack(self, cut: Cut, folder: Path) -> None:
        """What a booting kernel finds on the devices: it replays their journals first."""
        host = self.victim.host
        for name, image in (("etc", cut.etc), ("store", cut.store)):
            # Mounting writes, and another cut may share the copy.
            scratch = self.folder / f"{name}.scratch"
            subprocess.run(["cp", "--sparse=always", "--", image, scratch], check=True)
            where = f"{MOUNTS}/copy"
            host.run(["mkdir", "-p", where])
            self._mount(scratch, where, "ro")
            try:
                (folder / name).mkdir(parents=True)
                inside = host.live_path(where)
                subprocess.run(["cp", "-a", f"{inside}/.", str(folder / name)], check=True)
            finally:
                host.run(["umount", where])


def _foreign_sync(victim: Victim) -> None:
    """A bystander changes a file of his own and syncs it."""
    for mark in MARKS:
        path = victim.host.live_path(mark)
        os.utime(path)
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def record(
    victim: Victim, disks: Disks, *, bystander: bool, skip_sync: str | None = None
) -> tuple[list[Cut], str]:
    """Run the command, and copy the disks at each stop. All cuts that differ, and what it said."""
    host = victim.host
    words = [STEPPER, *(["--skip-sync", skip_sync] if skip_sync else []), OUTPUT]
    stepper = host.popen(
        [*words, "harden", *victim.words()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert stepper.stdin is not None and stepper.stdout is not None
    cuts: dict[tuple[Path, Path], Cut] = {}
    deadline = time.monotonic() + TIMEOUT
    status = None
    with contextlib.ExitStack() as stack:
        stack.callback(stepper.wait)
        stack.callback(stepper.kill)
        for line in stepper.stdout:
            if time.monotonic() > deadline:
                raise HostError(f"harden {victim.command} takes too long between its stops")
            word, _, rest = line.strip().partition(" ")
            if word == "exit":
                status = int(rest)
                break
            if bystander:
                _foreign_sync(victim)
            etc, store = disks.copy()
            stop = f"after {rest}, stop {word}{', with a bystander' if bystander else ''}"
            cuts.setdefault((etc, store), Cut(stop, etc, store, done=False))
            stepper.stdin.write("\n")
            stepper.stdin.flush()
    output = host.live_path(OUTPUT)
    said = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
    if status not in APPLIED:
        raise HostError(f"harden {victim.command} under the stepper: exit {status}\n{said[-3000:]}")
    # What it claims to have done must be on the disk: nothing is synced for it here.
    etc, store = disks.copy()
    end = f"after its end{', with a bystander' if bystander else ''}"
    cuts.pop((etc, store), None)
    return [*cuts.values(), Cut(end, etc, store, done=True)], said


def cut(victim: Victim, disks: Disks, point: Cut, said: str) -> Result:
    """Boot the host from the disks of that instant."""
    result = Result(point, "neither")
    host = victim.host
    folder = disks.folder / "unpacked"
    try:
        disks.unpack(point, folder)
        host.power_off()
        for inside in FOLDERS:
            victim.put_folder(folder / inside.lstrip("/"), inside)
        victim.put_folder(folder / "store/harden", STATE)
        result.problems += victim.boot()
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)
    state, problems = victim.verify()
    result.problems += problems
    if state is not None:
        result.outcome = state
    if point.done and state != victim.target:
        result.problems.append(f"it had ended well, and yet the host is {state}")
    if result.problems:
        explain(victim, Run(0, said[-1500:], ""), result)
    return result


def record_all(
    victim: Victim, stepper: Path, *, skip_sync: str | None = None
) -> tuple[Disks, list[Cut], str]:
    """Every power cut of the command, alone and with a bystander; and what the command said."""
    target = victim.host.path(STEPPER)
    target.unlink(missing_ok=True)
    subprocess.run(["install", "-m", "0755", str(stepper), str(target)], check=True)
    disks = Disks(victim)
    cuts: list[Cut] = []
    said = ""
    for bystander in (False, True):
        with disks:
            found, said = record(victim, disks, bystander=bystander, skip_sync=skip_sync)
            cuts += found
        # Programs of the host may still have files open on the devices.
        victim.host.reboot()
        victim.reset()
    return disks, cuts, said
