"""Whole Debian hosts with systemd and a real dockerd, for tests.

    with Host.boot("trixie") as host:
        host.install()
        host.run("harden --dry-run")

A host is a copy of a cached base tree (basetree.py), booted by systemd-nspawn with a network, a
process tree and a cgroup tree of its own. Any number of them run side by side.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import basetree
import keeper as keeper_module
from basetree import BASES, SUITES, base_dir, run_dir
from sandbox import CGROUP_ROOT

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]

BOOT_TIMEOUT = 60.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
IMAGE = "bb:1"
BOOT_UNITS = ("harden-recover.service", "harden-recover-containers.service")


class HostError(RuntimeError):
    """The host did not do what was asked of it; the text says what and why."""


class CommandFailed(HostError):
    """A command run in a host ended with another status than 0."""

    def __init__(self, command: object, done: subprocess.CompletedProcess[str]) -> None:
        super().__init__(
            f"{command!r} ended with status {done.returncode}\n"
            f"--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
        )
        self.done = done


# --- can this machine do it? --------------------------------------------------------------------

CAP_SYS_ADMIN = 21

TOOLS = {
    "systemd-nspawn": "systemd-container",
    "nsenter": "util-linux",
    "cp": "coreutils",
    "chattr": "e2fsprogs",
    "make": "make",
}
BUILD_TOOLS = {"debootstrap": "debootstrap", "wget": "wget"}


def _has_cap_sys_admin() -> bool:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
    return bool(int(effective, 16) >> CAP_SYS_ADMIN & 1)


def _missing_packages(suites: Iterable[str]) -> list[str]:
    path = f"{os.environ.get('PATH', '')}:{PATH}"
    tools = dict(TOOLS)
    to_build = any(not base_dir(suite).is_dir() for suite in suites)
    if to_build:
        tools.update(BUILD_TOOLS)
    missing = {package for tool, package in tools.items() if shutil.which(tool, path=path) is None}
    if to_build:
        if not any(shutil.which(tool, path=path) for tool in ("gpgv", "sqv")):
            missing.add("gpgv")
        if not any(Path("/usr/share/keyrings").glob("debian-archive-keyring.*")):
            missing.add("debian-archive-keyring")
    return sorted(missing)


def why_not(suites: Iterable[str] = SUITES) -> str | None:
    """One sentence that says why this machine cannot run the hosts; None if it can."""
    if os.geteuid() != 0:
        return "test hosts need root: run the tests as root (sudo)"
    if not _has_cap_sys_admin():
        return "test hosts need CAP_SYS_ADMIN, which this container or sandbox withholds"
    if "\tcgroup2\n" not in Path("/proc/filesystems").read_text(encoding="utf-8"):
        return "test hosts need cgroup v2, which this kernel does not have"
    if not Path("/sys/fs/cgroup").is_dir():
        return "test hosts need sysfs: mount -t sysfs sysfs /sys"
    missing = _missing_packages(suites)
    if missing:
        return f"test hosts need a package: apt-get install {' '.join(missing)}"
    probe = subprocess.run(
        _keeper_command("probe", f"probe-{os.getpid()}"),
        check=False,
        capture_output=True,
        text=True,
    )
    if probe.returncode != 0:
        reason = probe.stderr.strip().splitlines()[-1:] or ["no reason given"]
        return f"test hosts need mounts and cgroups of their own, and trying fails: {reason[0]}"
    return None


def require(suites: Iterable[str] = SUITES) -> None:
    """Skip the running test where the machine cannot run hosts; in CI, fail instead."""
    import pytest  # noqa: PLC0415 - the command line tool works without it

    reason = why_not(suites)
    if reason is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


# --- snapshots ----------------------------------------------------------------------------------


class Entry(NamedTuple):
    """What a snapshot keeps of one file."""

    type: str  # file, dir, link, socket, fifo, char, block
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    content: str  # sha256 of a file, target of a link, else empty
    xattrs: tuple[tuple[str, bytes], ...]


Snapshot = dict[str, Entry]

# What a running host changes by itself, or what is no file at all.
UNSTABLE = (
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/tmp",
    "/var/tmp",
    "/var/log",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/systemd",
)

_TYPES = (
    ("file", stat.S_ISREG),
    ("dir", stat.S_ISDIR),
    ("link", stat.S_ISLNK),
    ("socket", stat.S_ISSOCK),
    ("fifo", stat.S_ISFIFO),
    ("char", stat.S_ISCHR),
    ("block", stat.S_ISBLK),
)


def differences(before: Snapshot, after: Snapshot, *, times: bool = True) -> list[str]:
    """One line for each difference, sorted by path. Without `times`, mtimes may differ."""
    lines = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old is None or new is None:
            lines.append(f"{path}: {'added' if old is None else 'removed'}")
            continue
        for field, was, now in zip(Entry._fields, old, new):
            if was != now and (times or field != "mtime_ns"):
                lines.append(f"{path}: {field} {was!r} -> {now!r}")
    return lines


# --- the Docker API -----------------------------------------------------------------------------


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


# --- hosts --------------------------------------------------------------------------------------

_counter = itertools.count(1)
_running: weakref.WeakSet[Host] = weakref.WeakSet()
_swept = threading.Event()


def _keeper_command(*words: str) -> list[str]:
    return [sys.executable, str(HERE / "keeper.py"), *words]


def _start_time(pid: int) -> str | None:
    """Tells a process from a later one with the same PID."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return line.rpartition(")")[2].split()[19]


def _make_run_dir() -> None:
    run_dir().mkdir(parents=True, exist_ok=True)
    # ext4 then spreads the hosts' trees over the disk. Without a journal it must not reuse inodes
    # freed in the last minutes, and would search through them for each new file: a copy made where
    # another host was just removed takes ten times as long. Elsewhere this does no harm.
    subprocess.run(
        ["chattr", "+T", str(run_dir())],
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _sweep_folder(folder: Path) -> None:
    subprocess.run(_keeper_command("sweep", str(folder)), check=True)


def sweep() -> list[str]:
    """Remove what is left of hosts whose owner is gone; return their names."""
    swept = []
    for folder in run_dir().glob("*.*.*.*"):
        _, pid, started, _ = folder.name.split(".")
        if _start_time(int(pid)) == started:
            continue
        _sweep_folder(folder)
        swept.append(folder.name)
    return swept


def listing() -> list[tuple[str, int, Path]]:
    """The hosts there are: suite, PID of the owner, tree."""
    found = sorted(run_dir().glob("*.*.*.*"))
    return [(f.name.split(".")[0], int(f.name.split(".")[1]), f / "tree") for f in found]


def counted(build: Path) -> Path:
    """The build that counts its lines (tests/coverage) where HARDEN_COUNTED names one, else this."""
    return REPO / os.environ.get("HARDEN_COUNTED", build)


def share(cases: Sequence[str], suite: str) -> list[str]:
    """Those that are this suite's, so that each is tried on one of them; all of them where
    HARDEN_EVERY_CASE is set."""
    if os.environ.get("HARDEN_EVERY_CASE"):
        return list(cases)
    return list(cases)[list(SUITES).index(suite) :: len(SUITES)]



class Host:
    """One running host. Use Host.boot()."""

    def __init__(self, suite: str, name: str) -> None:
        self.suite = suite
        self.name = name
        pid = os.getpid()
        self.folder = run_dir() / f"{suite}.{pid}.{_start_time(pid)}.{next(_counter)}"
        self.tree = self.folder / "tree"
        self.leader = 0
        self._keeper: subprocess.Popen[str] | None = None
        self._hashes: dict[tuple[int, int, int, int], str] = {}

    # --- life

    @classmethod
    def boot(
        cls, suite: str, name: str | None = None, prepare: Sequence[str] = ()
    ) -> Host:
        """A fresh host, ready when systemd has settled and dockerd answers.

        `prepare` is a command that is run outside on the host's tree before its first boot; {} in
        its words stands for the tree.
        """
        if suite not in BASES:
            raise HostError(f"no suite {suite!r}; there are {', '.join(BASES)}")
        basetree.build(suite)
        if not _swept.is_set():
            _swept.set()
            _make_run_dir()
            sweep()
        host = cls(suite, name or f"{suite}-host")
        try:
            host._start(prepare)
            host._wait_until_ready()
        except BaseException:
            host.stop()
            raise
        return host

    def _start(self, prepare: Sequence[str]) -> None:
        self.folder.mkdir(parents=True)
        _running.add(self)
        # A session of its own: Ctrl-C at the terminal must not reach it before its owner decides.
        self._keeper = subprocess.Popen(
            _keeper_command("run", self.suite, str(self.folder), self.name, *prepare),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._read_leader()

    def _read_leader(self) -> None:
        assert self._keeper is not None and self._keeper.stdout is not None
        word, _, rest = self._keeper.stdout.readline().strip().partition(" ")
        if word != "leader":
            raise HostError(f"the {self.suite} host does not start: {rest or 'its keeper died'}")
        self.leader = int(rest)

    def _tell_keeper(self, order: str) -> None:
        assert self._keeper is not None and self._keeper.stdin is not None
        self._keeper.stdin.write(f"{order}\n")
        self._keeper.stdin.flush()

    def power_off(self) -> None:
        """Kill everything on the host at one instant. Its disk stays, /run and /tmp are lost."""
        self._tell_keeper("off")
        assert self._keeper is not None and self._keeper.stdout is not None
        said = self._keeper.stdout.readline().strip()
        if said != "off":
            raise HostError(f"the {self.suite} host does not stop: {said or 'its keeper died'}")
        self.leader = 0

    def power_on(self) -> None:
        """Boot the disk of a host that is off; ready as after boot()."""
        self._tell_keeper("on")
        self._read_leader()
        self._wait_until_ready()

    def reboot(self) -> None:
        """Pull the plug and boot again."""
        self.power_off()
        self.power_on()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + BOOT_TIMEOUT
        state = "no docker.sock yet"
        while time.monotonic() < deadline:
            if not Path(f"/proc/{self.leader}").exists():
                raise HostError(f"the {self.suite} host died while booting:\n{self.console()}")
            # Not earlier: connecting to the socket would start docker ahead of its turn.
            if os.path.exists(self.docker_socket):
                state = self.run("systemctl is-system-running", check=False).stdout.strip()
                if state in ("running", "degraded"):
                    break
            time.sleep(0.03)
        if state != "running":
            failed = ""
            if self.leader and os.path.exists(self.docker_socket):
                failed = self.run("systemctl --failed --no-legend", check=False).stdout
            raise HostError(f"the {self.suite} host did not come up: {state}\n{failed}")
        self.wait_for_docker()

    def wait_for_docker(self, timeout: float = 30.0) -> None:
        """Wait until docker.service is active and the API answers."""
        deadline = time.monotonic() + timeout
        while True:
            state = self.run("systemctl is-active docker.service", check=False).stdout.strip()
            if state == "active":
                with contextlib.suppress(OSError, http.client.HTTPException, HostError):
                    self.request("/_ping")
                    return
            if state == "failed" or time.monotonic() > deadline:
                raise HostError(f"docker.service is {state}:\n{self.journal('docker.service')}")
            time.sleep(0.03)

    def stop(self) -> None:
        """Take the host away, tree and all. Stopping twice is fine."""
        keeper, self._keeper = self._keeper, None
        _running.discard(self)
        if keeper is None:
            return
        assert keeper.stdin is not None and keeper.stdout is not None
        keeper.stdin.close()
        try:
            status = keeper.wait(30)
        finally:
            keeper.stdout.close()
        if status == keeper_module.SPOILED:
            raise HostError(
                f"a program that all {self.suite} hosts share was written to in place, so the base"
                " had to go: put a new file in its place instead (cp, then mv)"
            )
        if status != 0:
            _sweep_folder(self.folder)
            raise HostError(f"the keeper of {self.folder.name} ended with status {status}")

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Host {self.suite} leader={self.leader}>"

    def console(self) -> str:
        """What the host printed while it booted."""
        file = self.folder / "console.log"
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""

    # --- commands

    def command(
        self,
        cmd: str | Sequence[str],
        *,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> list[str]:
        """The words that, run outside, run `cmd` inside; a string goes through /bin/sh."""
        words = ["/bin/sh", "-c", cmd] if isinstance(cmd, str) else list(cmd)
        if user is not None:
            words = ["runuser", "-u", user, "--", *words]
        settings = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/root", **(env or {})}
        return [
            "nsenter",
            f"--target={self.leader}",
            *("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"),
            # In a chroot the root of the host is not the root of its mounts.
            "--root",
            "--wd",
            *("env", "-i", *(f"{name}={value}" for name, value in settings.items())),
            *words,
        ]

    def popen(
        self,
        cmd: str | Sequence[str],
        *,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
        **options: Any,
    ) -> subprocess.Popen[Any]:
        """Start `cmd` inside and return at once; `options` are subprocess.Popen's."""
        return subprocess.Popen(self.command(cmd, user=user, env=env), **options)

    def run(
        self,
        cmd: str | Sequence[str],
        check: bool = True,
        input: str | None = None,
        timeout: float = 60,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run `cmd` inside and wait; after `timeout` seconds kill it and all it started."""
        process = self.popen(
            cmd,
            user=user,
            env=env,
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            # nsenter forks to enter the PID namespace: only the whole group can be killed.
            start_new_session=True,
        )
        try:
            out, err = process.communicate(input, timeout)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise HostError(f"{cmd!r} took over {timeout} s\n{out}\n{err}") from None
            raise
        done = subprocess.CompletedProcess(process.args, process.returncode, out, err)
        if check and done.returncode != 0:
            raise CommandFailed(cmd, done)
        return done

    def shell(self) -> int:
        """An interactive shell inside, on this terminal."""
        env = {"TERM": os.environ.get("TERM", "dumb")}
        return subprocess.run(self.command(["/bin/bash", "-l"], env=env), check=False).returncode

    # --- files

    def path(self, inside: str) -> Path:
        """Where a file of the host's disk is, seen from outside. /run and /tmp are not on disk."""
        return self.tree / inside.lstrip("/")

    def live_path(self, inside: str) -> Path:
        """The same, through the host's own mounts: works for /run, /proc and /sys as well."""
        return Path(f"/proc/{self.leader}/root") / inside.lstrip("/")

    def install(self, build_dir: Path | str | None = None) -> None:
        """Install harden from a finished build, as a package would, and enable its boot units."""
        command = ["make", "-s", "-C", str(REPO), "install", f"DESTDIR={self.tree}", "prefix=/usr"]
        if build_dir is not None:
            command.append(f"BUILD={Path(build_dir).resolve()}")
            if counted(Path()) == Path(build_dir):
                # As it was built, should a source have changed since.
                command.append("COUNTED=1")
        # Under a calling make these would hand its options and job slots to an unrelated one.
        env = {name: v for name, v in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS")}
        with basetree.locked("install"):
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, env=env
            )
        if done.returncode != 0:
            raise CommandFailed(command, done)
        self.run(["systemctl", "--quiet", "enable", *BOOT_UNITS])

    def snapshot(
        self,
        include: Iterable[str] = (),
        exclude: Iterable[str] = (),
        dir_times: bool = True,
        under: str = "",
    ) -> Snapshot:
        """Every file, folder and link on the host's disk, outside what changes by itself.

        `include` brings back folders of UNSTABLE, `exclude` leaves out more. Without `dir_times`
        the mtimes of folders are 0: creating and removing a file in one changes them. `under` is
        the one folder to look into.
        """
        wanted = set(include)
        unwanted = {path for path in UNSTABLE if path not in wanted} | set(exclude)
        result: Snapshot = {}
        self._walk(str(self.path(under)), under, unwanted, dir_times, result)
        return result

    def _walk(
        self, outside: str, inside: str, unwanted: set[str], dir_times: bool, result: Snapshot
    ) -> None:
        with os.scandir(outside) as entries:
            for item in entries:
                path = f"{inside}/{item.name}"
                if path in unwanted:
                    continue
                try:
                    info = item.stat(follow_symlinks=False)
                    entry = self._entry(item.path, info)
                except FileNotFoundError:
                    continue  # a temporary file of the running host
                if entry.type == "dir":
                    self._walk(item.path, path, unwanted, dir_times, result)
                    # The size of a folder is the file system's business.
                    entry = entry._replace(size=0)
                    if not dir_times:
                        entry = entry._replace(mtime_ns=0)
                result[path] = entry

    def _entry(self, path: str, info: os.stat_result) -> Entry:
        kind = next((name for name, test in _TYPES if test(info.st_mode)), "unknown")
        content = ""
        if kind == "link":
            content = os.readlink(path)
        elif kind == "file":
            content = self._hash(path, info)
        names = os.listxattr(path, follow_symlinks=False)
        xattrs = ((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)
        return Entry(
            kind,
            stat.S_IMODE(info.st_mode),
            info.st_uid,
            info.st_gid,
            info.st_size,
            info.st_mtime_ns,
            content,
            tuple(sorted(xattrs)),
        )

    def _hash(self, path: str, info: os.stat_result) -> str:
        # Nothing can write to a file without changing its ctime, and nothing can set that.
        key = (info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        if key not in self._hashes:
            with open(path, "rb") as file:
                self._hashes[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._hashes[key]

    # --- docker

    @property
    def docker_socket(self) -> str:
        # /run is a tmpfs inside the host: the tree does not show it.
        return str(self.live_path("/run/docker.sock"))

    def request(
        self, path: str, method: str = "GET", body: object = None, timeout: float = 30
    ) -> bytes:
        """The body of dockerd's answer; an answer of 400 or above is a HostError."""
        connection = _UnixConnection(self.docker_socket, timeout)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise HostError(f"{method} {path}: {answer.status} {content.decode().strip()}")
        return content

    def api(self, path: str, method: str = "GET", body: object = None) -> Any:
        """dockerd's answer, decoded from JSON; None if it is empty."""
        content = self.request(path, method, body)
        return json.loads(content) if content.strip() else None

    @property
    def version(self) -> str:
        """dockerd's version, such as 26.1.5+dfsg1."""
        return str(self.api("/version")["Version"])

    def dockerd_pid(self, outside: bool = False) -> int:
        """dockerd's PID inside the host (0 if it does not run), or the one it has outside."""
        shown = self.run("systemctl show --property=MainPID --value docker.service").stdout
        inside = int(shown)
        return self._outside_pid(inside) if outside and inside else inside

    def _outside_pid(self, inside: int) -> int:
        space = os.readlink(f"/proc/{self.leader}/ns/pid")
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError, StopIteration):
                if os.readlink(f"/proc/{pid}/ns/pid") != space:
                    continue
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
                line = next(line for line in status.splitlines() if line.startswith("NSpid:"))
                if int(line.split()[-1]) == inside:
                    return int(pid)
        raise HostError(f"no process {inside} in {self}")

    def import_image(self, tag: str = IMAGE) -> str:
        """Import the busybox image under `tag`, unless it is there, and return the tag."""
        tags = [tag for image in self.api("/images/json") for tag in image["RepoTags"] or ()]
        if tag not in tags:
            self.run(["docker", "import", f"/{basetree.BB_TAR}", tag])
        return tag

    def run_container(self, *words: str, options: Sequence[str] = ()) -> str:
        """`docker run -d` of the busybox image (default: sleep for ever); return the full ID."""
        image = self.import_image()
        command = words or ("sleep", "2147483647")
        return self.run(["docker", "run", "-d", *options, image, *command]).stdout.strip()

    def journal(self, unit: str, since: float | None = None) -> str:
        """The unit's messages of this boot, without time stamps; `since` is a time.time()."""
        words = ["journalctl", "--boot", "--no-pager", "--output=cat", f"--unit={unit}"]
        if since is not None:
            words.append(f"--since=@{since:.6f}")
        self.run("journalctl --sync", check=False)
        return self.run(words).stdout

    def can_userns(self) -> bool:
        """Whether containers can have user namespaces: the kernel forbids them inside a chroot."""
        return self.run("unshare --user true", check=False).returncode == 0

    def reset_docker(
        self, daemon_json: object | bytes = None, *, start: bool = True, check: bool = True
    ) -> bool:
        """Docker as just installed, with this daemon.json (bytes as they are, else as JSON).

        Stops docker, kills the containers, wipes its data, network rules, drop-ins, environment
        file, harden's state and the users docker created. Returns whether dockerd runs
        afterwards; with `check`, a dockerd that does not start is a HostError.
        """
        # A polite stop gives each container 10 s to end, for data that is wiped anyway.
        self.run(
            "systemctl kill --signal=KILL docker.service;"
            "systemctl stop docker.socket docker.service",
            check=False,
        )
        self._kill_containers()
        self.run(_WIPE)
        self._restore_pristine()
        if daemon_json is not None:
            text = (
                daemon_json
                if isinstance(daemon_json, bytes)
                else json.dumps(daemon_json, indent=2).encode() + b"\n"
            )
            file = self.path("/etc/docker/daemon.json")
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(text)
        self.run("systemctl daemon-reload && systemctl reset-failed")
        if not start:
            return False
        started = self.run("systemctl start docker.socket docker.service", check=False)
        if started.returncode != 0:
            if check:
                said = self.journal("docker.service") + self.journal("docker.socket")
                raise HostError(f"dockerd does not start:\n{said}")
            return False
        self.wait_for_docker()
        return True

    def _kill_containers(self) -> None:
        """End the containers and their shims, which outlive dockerd under live-restore."""
        # Seen through the leader's own mounts, the host's cgroup tree is at the usual place.
        # Scopes go while this looks: os.walk passes over what it cannot list any more.
        for group, _, _ in os.walk(self.live_path(str(CGROUP_ROOT))):
            if Path(group).match("docker-*.scope"):
                with contextlib.suppress(OSError):
                    (Path(group) / "cgroup.kill").write_text("1", encoding="utf-8")
        self.run("for p in $(pgrep '^containerd-shim'); do kill -9 $p; done", check=False)

    def _restore_pristine(self) -> None:
        base = basetree.base_tree(self.suite)
        for inside in _PRISTINE:
            source, target = base / inside, self.tree / inside
            if source.exists():
                # In place, so that the inode, owner and mode a test may have left stay sane too.
                target.unlink(missing_ok=True)
                shutil.copy2(source, target)
                info = source.stat()
                os.chown(target, info.st_uid, info.st_gid)
            else:
                target.unlink(missing_ok=True)


_WIPE = """
systemctl stop containerd.service
awk '$2 ~ "^/(var/lib/(docker|containerd)|run/(docker|containerd))/" { print $2 }' /proc/mounts |
    sort -r | while read -r m; do umount -l "$m"; done
rm -rf /var/lib/docker /var/lib/containerd /var/lib/harden /run/docker /run/docker.pid
rm -rf /run/containerd
# 20.10 keeps the engine's identity here; a freshly installed and started docker has one.
find /etc/docker -mindepth 1 ! -name key.json -delete
rmdir --ignore-fail-on-non-empty /etc/docker
rm -rf /etc/systemd/system/docker.service.d /etc/systemd/system/docker.socket.d
rm -rf /run/systemd/system/docker.service.d /run/systemd/system/docker.socket.d
rm -f /etc/systemd/system/docker.service /etc/systemd/system/docker.socket
ip -o link show type bridge | cut -d: -f2 | while read -r l; do ip link delete "$l"; done
for t in iptables ip6tables; do
    for f in filter nat mangle; do $t -t $f -F 2>/dev/null; $t -t $f -X 2>/dev/null; done
    $t -P FORWARD ACCEPT 2>/dev/null
done
systemctl reset-failed
mkdir -p /run/containerd
systemctl daemon-reload
systemctl start containerd.service
true
"""

_PRISTINE = (
    "etc/default/docker",
    "etc/containerd/config.toml",
    "etc/passwd",
    "etc/passwd-",
    "etc/shadow",
    "etc/shadow-",
    "etc/group",
    "etc/group-",
    "etc/gshadow",
    "etc/gshadow-",
    "etc/subuid",
    "etc/subuid-",
    "etc/subgid",
    "etc/subgid-",
)


@atexit.register
def _stop_all() -> None:
    for host in list(_running):
        with contextlib.suppress(Exception):
            host.stop()
