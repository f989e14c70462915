"""Base trees: a Debian with systemd and an untouched docker.io for each suite, built once.

A base is never run. Every host is a copy of it. Bases live under `cache_dir()`, keyed by a hash of
all that decides what is in them, so a changed recipe builds a new one. A base has two parts: `tree`
is copied; the few big programs that make up four fifths of the bytes are in `shared` and get hard
links, which makes a copy take a tenth of the time and lets all hosts run from the same memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import time
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox import remove_tree

HERE = Path(__file__).resolve().parent

# To be raised whenever prepare() below changes what ends up in a base.
RECIPE_VERSION = 3

# The same for extend(), which makes a base from another one.
EXTENSION_VERSION = 1

COMMON_PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "docker.io",
    "iptables",
    "iproute2",
    "procps",
    "busybox-static",
    "strace",
    "kmod",
    "adduser",
    # for logs over TCP; installed, and left off
    "rsyslog",
    # what harden links
    "libjansson4",
    "libsystemd0",
)

BB_TAR = "usr/local/share/bb.tar"


def _digest(*what: object) -> str:
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Recipe:
    """One Debian suite and the Docker it is here for."""

    suite: str
    docker: str  # how dockerd's version starts
    packages: tuple[str, ...]

    @property
    def key(self) -> str:
        return _digest(RECIPE_VERSION, self.suite, self.packages)


@dataclass(frozen=True)
class Extension:
    """A suite's base with more packages in it, under a name of its own.

    The name must not begin with that of a suite and a dash: building a suite clears those away.
    """

    suite: str  # that name: what is booted is called a suite everywhere
    base: Recipe
    packages: tuple[str, ...]

    @property
    def docker(self) -> str:
        return self.base.docker

    @property
    def key(self) -> str:
        return _digest(EXTENSION_VERSION, self.base.key, self.packages)


SUITES: dict[str, Recipe] = {
    recipe.suite: recipe
    for recipe in (
        Recipe("bookworm", "20.10", COMMON_PACKAGES),
        Recipe("trixie", "26.1", (*COMMON_PACKAGES, "docker-cli")),
        Recipe("sid", "28.5", (*COMMON_PACKAGES, "docker-cli")),
    )
}

# What Ansible needs where it works, and itself on the one that plays the controller: the one of
# Debian 12 is too old for the Python of sid.
TARGET_PACKAGES = ("openssh-server", "sudo", "python3-apt")

FLEET: dict[str, Extension] = {
    extension.suite: extension
    for extension in (
        Extension("fleet-bookworm", SUITES["bookworm"], TARGET_PACKAGES),
        Extension("fleet-trixie", SUITES["trixie"], (*TARGET_PACKAGES, "ansible-core")),
        Extension("fleet-sid", SUITES["sid"], TARGET_PACKAGES),
    )
}

# Everything that can be booted.
BASES: dict[str, Recipe | Extension] = {**SUITES, **FLEET}


def cache_dir() -> Path:
    return Path(os.environ.get("HARDEN_HOST_CACHE", "/var/cache/harden-hosts"))


def run_dir() -> Path:
    """Where the trees of running hosts are: beside the bases, so that copies stay on one disk."""
    return cache_dir() / "run"


def base_dir(suite: str) -> Path:
    return cache_dir() / f"{suite}-{BASES[suite].key}"


def base_tree(suite: str) -> Path:
    return base_dir(suite) / "tree"


@contextlib.contextmanager
def locked(name: str, *, shared: bool = False) -> Iterator[None]:
    """Hold the cache's lock of that name; the kernel lets go of it if this process dies."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    handle = os.open(cache_dir() / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


# --- where packages come from -------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    uri: str
    suites: tuple[str, ...]
    trusted: bool  # the admin told apt to skip signatures for it


def _one_line_sources(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        found = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)", line)
        if found:
            options = found.group(1) or ""
            yield Source(found.group(2), (found.group(3),), "trusted=yes" in options)


def _deb822_sources(text: str) -> Iterator[Source]:
    without_comments = re.sub(r"(?m)^#.*\n?", "", text)
    for stanza in re.split(r"\n\s*\n", without_comments):
        # A continued line starts with a blank and belongs to the field above it.
        joined = re.sub(r"\n[ \t]+", " ", stanza)
        fields = {
            name.strip().lower(): value.strip()
            for name, colon, value in (line.partition(":") for line in joined.splitlines())
            if colon
        }
        if "deb" not in fields.get("types", "").split() or fields.get("enabled") == "no":
            continue
        for uri in fields.get("uris", "").split():
            suites = tuple(fields.get("suites", "").split())
            yield Source(uri, suites, fields.get("trusted") == "yes")


def find_mirror(apt: Path = Path("/etc/apt")) -> Source | None:
    """The Debian mirror this machine's apt uses, or None to let debootstrap choose."""
    sources: list[Source] = []
    for file in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]:
        if not file.is_file():
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        if file.suffix == ".sources":
            sources.extend(_deb822_sources(text))
        elif file.suffix == ".list":
            sources.extend(_one_line_sources(text))
    for source in sources:
        is_debian = source.uri.rstrip("/").endswith("/debian")
        whole = any("-" not in suite and "/" not in suite for suite in source.suites)
        if is_debian and whole and re.match(r"(https?|file|copy):", source.uri):
            return source
    return None


def _apt_proxy() -> dict[str, str]:
    """debootstrap downloads with wget, which knows nothing of apt's proxy setting."""
    if shutil.which("apt-config") is None:
        return {}
    shown = subprocess.run(
        ["apt-config", "dump", "--format=%v%n", "Acquire::http::Proxy"],
        check=False,
        capture_output=True,
        text=True,
    ).stdout.split()
    return {"http_proxy": shown[0]} if shown and "http_proxy" not in os.environ else {}


# --- building -----------------------------------------------------------------------------------


def _debootstrap_command(recipe: Recipe, tree: Path) -> list[str]:
    command = [
        "debootstrap",
        "--variant=minbase",
        f"--include={','.join(recipe.packages)}",
    ]
    mirror = find_mirror()
    for keyring in ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg"):
        if (Path("/usr/share/keyrings") / keyring).exists():
            command.append(f"--keyring=/usr/share/keyrings/{keyring}")
            break
    if mirror is not None and mirror.trusted:
        command.append("--no-check-gpg")
    command += [recipe.suite, str(tree)]
    scripts = Path(os.environ.get("DEBOOTSTRAP_DIR", "/usr/share/debootstrap")) / "scripts"
    known = (scripts / recipe.suite).exists()
    if mirror is not None:
        command.append(mirror.uri)
    elif not known:
        command.append("")  # the script is the fourth word; an empty mirror means the default
    if not known:
        # An older debootstrap does not know a newer suite by name, but all use sid's script.
        command.append(str(scripts / "sid"))
    return command


def _write_image(tree: Path) -> None:
    """A root file system of one static busybox, for `docker import`."""
    busybox = tree / "usr/bin/busybox"
    if not busybox.exists():
        busybox = tree / "bin/busybox"
    applets = subprocess.run(
        [str(busybox), "--list"], check=True, capture_output=True, text=True
    ).stdout.split()
    target = tree / BB_TAR
    target.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:

        def add(name: str, kind: bytes, mode: int, data: bytes = b"", link: str = "") -> None:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode, entry.linkname, entry.size = kind, mode, link, len(data)
            tar.addfile(entry, io.BytesIO(data))

        for folder, mode in (("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777)):
            add(folder, tarfile.DIRTYPE, mode)
        add("etc/passwd", tarfile.REGTYPE, 0o644, b"root:x:0:0:root:/root:/bin/sh\n")
        add("etc/group", tarfile.REGTYPE, 0o644, b"root:x:0:\n")
        add("bin/busybox", tarfile.REGTYPE, 0o755, busybox.read_bytes())
        for applet in applets:
            if applet != "busybox":
                add(f"bin/{applet}", tarfile.SYMTYPE, 0o777, link="busybox")


# They would change files while a test compares the tree before and after, or only cost time.
MASKED_UNITS = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "systemd-tmpfiles-clean.timer",
    "console-getty.service",
    "ldconfig.service",
    "systemd-journal-catalog-update.service",
)


def prepare(tree: Path) -> None:
    """Turn debootstrap's result into a base: quick to copy, quiet when it runs.

    Docker stays as its package leaves it: enabled, no daemon.json.
    """
    for bulk in ("var/cache/apt", "var/lib/apt/lists", "usr/share/locale", "usr/share/man"):
        shutil.rmtree(tree / bulk, ignore_errors=True)
    for needed in ("var/cache/apt/archives/partial", "var/lib/apt/lists/partial"):
        (tree / needed).mkdir(parents=True)
    shutil.rmtree(tree / "usr/share/doc", ignore_errors=True)
    for unit in MASKED_UNITS:
        link = tree / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    # A package's own services would be found by each test that looks at the whole host.
    for link in ("multi-user.target.wants/rsyslog.service", "syslog.service"):
        (tree / "etc/systemd/system" / link).unlink(missing_ok=True)
    # debootstrap copies these two from the machine it runs on.
    (tree / "etc/hostname").unlink(missing_ok=True)
    resolv = tree / "etc/resolv.conf"
    resolv.unlink(missing_ok=True)
    resolv.write_text("nameserver 192.0.2.1\n", encoding="utf-8")  # documentation range: no one
    _write_image(tree)


SHARED_FROM_BYTES = 1 << 20


# What a suite's base shares; all hosts made from it may then do what they like to the rest.
PROGRAMS = ("usr/bin", "usr/sbin", "usr/lib")


def split(
    base: Path,
    folders: Iterable[str] = PROGRAMS,
    from_bytes: int = SHARED_FROM_BYTES,
    linked: Container[str] = (),
) -> None:
    """Move the big programs from the base's tree to its shared part, and note what they are.

    `linked` are those that this base has in common with the one it was made from.
    """
    tree, shared = base / "tree", base / "shared"
    shared.mkdir()
    for folder in folders:
        for file in sorted((tree / folder).rglob("*")):
            info = file.lstat()
            if not stat.S_ISREG(info.st_mode):
                continue
            if info.st_nlink > 1 and str(file.relative_to(tree)) not in linked:
                continue
            if info.st_size >= from_bytes:
                target = shared / file.relative_to(tree)
                target.parent.mkdir(parents=True, exist_ok=True)
                file.rename(target)
    (base / "shared.json").write_text(json.dumps(shared_state(base)), encoding="utf-8")


def shared_state(base: Path) -> dict[str, list[int]]:
    state = {}
    for file in sorted((base / "shared").rglob("*")):
        if file.is_file():
            info = file.stat()
            state[str(file.relative_to(base / "shared"))] = [
                info.st_mode,
                info.st_uid,
                info.st_gid,
                info.st_size,
                info.st_mtime_ns,
            ]
    return state


def spoiled(suite: str) -> list[str]:
    """The shared files that a host has written to in place, which it must not."""
    base = base_dir(suite)
    if not base.is_dir():
        return []
    noted = json.loads((base / "shared.json").read_text(encoding="utf-8"))
    now = shared_state(base)
    return [f"/{path}" for path in noted if noted[path] != now.get(path)]


def discard(suite: str) -> None:
    with locked(suite):
        if base_dir(suite).is_dir():
            remove_tree(base_dir(suite))


def copy(suite: str, target: Path) -> list[str]:
    """A tree of its own for a host; returns which of its files are shared."""
    base = base_dir(suite)
    with locked(suite, shared=True):
        subprocess.run(
            ["cp", "-a", "--reflink=auto", "--", str(base / "tree"), str(target)],
            check=True,
            stderr=subprocess.PIPE,
        )
        paths = list(json.loads((base / "shared.json").read_text(encoding="utf-8")))
        for path in paths:
            os.link(base / "shared" / path, target / path)
    return paths


def _run_logged(suite: str, command: list[str]) -> None:
    """Runs it with mounts of its own: a build that is killed leaves no /proc mounted in its tree."""
    log = cache_dir() / f"{suite}.log"
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, str(HERE / "sandbox.py"), *command],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # dpkg need not sync each file: the finished tree is synced once, in build().
            env={
                **os.environ,
                **_apt_proxy(),
                "LC_ALL": "C.UTF-8",
                "DEBIAN_FRONTEND": "noninteractive",
                "DPKG_FORCE": "unsafe-io",
            },
        )
    if done.returncode != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise RuntimeError(f"{command[0]} for {suite} failed; the end of {log}:\n{tail}")


def bootstrap(recipe: Recipe, building: Path) -> None:
    """A base from nothing."""
    tree = building / "tree"
    _run_logged(recipe.suite, _debootstrap_command(recipe, tree))
    prepare(tree)
    split(building)


# This machine's apt: it knows the way to the mirror (proxies, certificates), the tree need not.
EXTEND = """
tree=$1; shift
mount -t proc proc "$tree/proc"
apt() {
    apt-get -q -y -o Dir="$tree" -o Dir::Etc="$tree/etc/apt" -o Dir::Bin::dpkg=/usr/bin/dpkg \
        -o Dir::State::status="$tree/var/lib/dpkg/status" -o DPkg::Chroot-Directory="$tree" \
        -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Acquire::Languages=none "$@"
}
apt update
apt install "$@"
"""


def extend(extension: Extension, building: Path) -> None:
    """A base from another one. The services of its packages are started when it boots, no earlier."""
    tree = building / "tree"
    build(extension.base.suite)
    linked = copy(extension.base.suite, tree)
    sources = tree / "etc/apt/sources.list"
    mirror = find_mirror()
    if mirror is not None and mirror.trusted:
        sources.write_text(sources.read_text().replace("deb ", "deb [trusted=yes] ", 1))
    _run_logged(extension.suite, ["sh", "-euc", EXTEND, "extend", str(tree), *extension.packages])
    prepare(tree)
    # Thousands of small files come with Python, and no test of these hosts writes to them.
    split(building, ("usr",), 0, linked)


def build(suite: str, *, fresh: bool = False) -> Path:
    """The suite's base, built first if it is missing (or `fresh` is asked for)."""
    recipe = BASES[suite]
    target = base_dir(suite)
    if target.is_dir() and not fresh:
        return target
    with locked(suite):
        if target.is_dir() and not fresh:
            return target  # another process built it while this one waited for the lock
        start = time.monotonic()
        print(f"building the {suite} base in {target}", file=sys.stderr, flush=True)
        for leftover in cache_dir().glob(f"{suite}-*"):
            # Older recipes, and what a killed build left. Hosts are copies: none needs them.
            if leftover != target:
                remove_tree(leftover)
        building = cache_dir() / f"{suite}-{recipe.key}.building"
        building.mkdir()
        if isinstance(recipe, Extension):
            extend(recipe, building)
        else:
            bootstrap(recipe, building)
        if target.is_dir():
            remove_tree(target)
        subprocess.run(["sync", "--file-system", str(building)], check=True)
        building.rename(target)
        took = time.monotonic() - start
        print(f"built the {suite} base in {took:.1f} s", file=sys.stderr, flush=True)
    return target
