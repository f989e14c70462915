"""--root: an OS image is hardened as files alone, and nothing outside of it is read, written or asked.

The number of trees in the last test comes from $HARDEN_ROOT_TREES; `make bench` takes a thousand.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from test_cli import HARDEN, harden

TREES = int(os.environ.get("HARDEN_ROOT_TREES", "25"))
CONFIG = "etc/docker/daemon.json"
DPKG = "Package: docker.io\nStatus: install ok installed\nVersion: 28.5.2+dfsg4-1\n\n"


def make_image(folder: Path, status: str = DPKG) -> Path:
    """As little of a Debian as it takes."""
    for name in ("etc/docker", "etc/default", "var/lib/dpkg", "usr/sbin", "srv", "dev"):
        (folder / name).mkdir(parents=True)
    (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (folder / "etc/group").write_text("root:x:0:\ndocker:x:101:\n")
    (folder / "var/lib/dpkg/status").write_text(status)
    for name in ("dockerd", "adduser"):
        # Whoever ran it would see it fail.
        (folder / "usr/sbin" / name).write_text("#!/bin/false\n")
        (folder / "usr/sbin" / name).chmod(0o755)
    (folder / CONFIG).write_text('{\n\t"debug": false\n}\n')
    return folder


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return make_image(tmp_path / "image")


def state(folder: Path) -> dict[str, Any]:
    """All that is in a tree but harden's own records."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        info = path.lstat()
        if name == "var/lib/harden" or name.startswith("var/lib/harden/"):
            continue
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[name] = (stat.filemode(info.st_mode), info.st_uid, info.st_gid, content)
    return found


def run(image: Path, *words: str, status: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
    done = harden("--root", str(image), *words, host=None, **options)
    assert done.returncode == status, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def document(image: Path, *words: str, status: int = 0) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run(image, *words, "--json", status=status).stdout)
    return answer


def apply(image: Path, *words: str, status: int = 0) -> dict[str, Any]:
    return document(image, "apply", "--yes", *words, status=status)


def config(image: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((image / CONFIG).read_text())
    return value


# --- the ordinary way


def test_there_and_back(image: Path) -> None:
    before = state(image)
    plan = document(image, "plan")
    assert plan["host"]["docker_version"] == "28.5.2+dfsg4"
    assert plan["host"]["daemon"] == "stopped"
    assert any("image does not tell" in warning for warning in plan["warnings"])
    assert all(row["in_force"] is None for row in plan["settings"])
    assert state(image) == before and not (image / "var/lib/harden").exists()

    done = apply(image)
    assert (done["result"], done["action"]) == ("applied", "none")
    assert {row["state"] for row in done["settings"]} == {"applied", "ok", "manual"}
    assert config(image)["icc"] is False and config(image)["debug"] is False
    assert (image / CONFIG).read_text().startswith('{\n\t"debug": false,\n\t')
    assert apply(image)["result"] == "unchanged"

    # The record is one of the system that is started from it: no path leads back here.
    record = (image / "var/lib/harden/applies" / done["id"] / "record.json").read_text()
    assert str(image) not in record and '"/etc/docker/daemon.json"' in record
    assert [row["id"] for row in document(image, "history")["applies"]] == [done["id"]]
    assert stat.S_IMODE((image / "var/lib/harden").stat().st_mode) == 0o700

    undone = document(image, "rollback", "--yes")
    assert undone["result"] == "rolled-back"
    assert state(image) == before


def test_it_says_when_it_is_in_force(image: Path) -> None:
    text = " ".join(run(image, "plan").stdout.split())
    assert f"Plan for {image}: dockerd 28.5.2" in text
    assert "in force at the first start of dockerd" in text and "after a restart" not in text
    text = run(image, "apply", "--yes").stdout
    assert "from the first start of dockerd on" in text
    assert f"harden --root {image} rollback " in text


def test_what_is_held_here_is_held_there(image: Path) -> None:
    images = image / "var/lib/docker/image/overlay2/imagedb/content/sha256"
    images.mkdir(parents=True)
    (images / ("0" * 64)).write_text("{}")
    (image / "var/lib/docker/overlay2/x").mkdir(parents=True)
    answer = apply(image, status=5)
    assert {row["key"] for row in answer["settings"] if row["state"] == "held"} == {"userns-remap"}
    assert answer["result"] == "incomplete"


UNIT = "usr/lib/systemd/system/docker.service"
SOCKET = "usr/lib/systemd/system/docker.socket"
OPEN = "etc/systemd/system/docker.socket.d/open.conf"


def add_units(image: Path) -> None:
    for name, text in (
        (UNIT, "[Service]\nEnvironmentFile=-/etc/default/docker\n"
               "ExecStart=/usr/sbin/dockerd -H fd:// --live-restore $DOCKER_OPTS\n"),
        (SOCKET, "[Socket]\nListenStream=/var/run/docker.sock\nSocketMode=0660\nSocketGroup=docker\n"),
        ("etc/default/docker", 'DOCKER_OPTS="--no-new-privileges"\n'),
    ):
        (image / name).parent.mkdir(parents=True, exist_ok=True)
        (image / name).write_text(text)


def test_its_units_count(image: Path) -> None:
    """What the unit of the image gives as flags is not given a second time."""
    add_units(image)
    rows = {row["key"]: row for row in document(image, "plan")["settings"]}
    assert (rows["live-restore"]["state"], rows["live-restore"]["source"]) == ("ok", "flag")
    assert rows["no-new-privileges"]["source"] == "environment"
    assert rows["file.docker.sock"]["state"] == rows["file.docker.service"]["state"] == "ok"
    apply(image)
    assert not {"live-restore", "no-new-privileges"} & set(config(image))


def test_files_of_an_image(image: Path) -> None:
    """Owner and mode, and the socket that its unit will open."""
    add_units(image)
    (image / OPEN).parent.mkdir(parents=True)
    (image / OPEN).write_text("[Socket]\nSocketMode=0666\nSocketGroup=\n")
    (image / UNIT).chmod(0o666)
    os.chown(image / "etc/default/docker", 65534, 0)
    before = state(image)
    done = apply(image)
    assert done["result"] == "applied"
    assert stat.S_IMODE((image / UNIT).stat().st_mode) == 0o644
    assert (image / "etc/default/docker").stat().st_uid == 0
    dropin = image / "etc/systemd/system/docker.socket.d/zz-harden.conf"
    assert {"SocketMode=0660", "SocketUser=root", "SocketGroup=docker"} < set(dropin.read_text().split("\n"))
    assert document(image, "plan")["files"] == []
    document(image, "rollback", "--yes")
    assert state(image) == before
    # A group that is not there could not be given anything.
    (image / "etc/group").write_text("root:x:0:\n")
    rows = {row["key"]: row for row in document(image, "plan")["settings"]}
    assert rows["file.docker.sock"]["state"] == "blocked"
    assert "groupadd --system docker" in rows["file.docker.sock"]["reason"]


@pytest.mark.parametrize(("module", "blocked"), [(None, False), (True, False), (False, True)])
def test_br_netfilter_is_that_of_its_own_kernels(image: Path, module: bool | None, blocked: bool) -> None:
    if module is not None:
        folder = image / "lib/modules/6.1.0-1"
        folder.mkdir(parents=True)
        name = "kernel/net/bridge/br_netfilter.ko.xz:" if module else "kernel/net/bridge/bridge.ko:"
        (folder / "modules.dep").write_text(f"{name}\n")
    rows = {row["key"]: row["state"] for row in document(image, "plan")["settings"]}
    assert (rows["icc"] == "blocked") is blocked


def test_nothing_is_run_or_asked(image: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-o", str(trace), "-e", "trace=connect,execve,fork,vfork,clone,kill,chroot",
               HARDEN, "--root", str(image), "apply", "--yes"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    text = trace.read_text()
    assert text.count("execve(") == 1 and text.count("chroot(") == 1
    inside = text.partition("chroot(")[2]
    # The journal's socket is looked for inside, where there is none.
    assert all("ENOENT" in line for line in inside.splitlines() if "connect(" in line), inside
    assert "fork(" not in inside and "clone(" not in inside


# --- names


def test_files_named_on_the_command_line(image: Path, tmp_path: Path) -> None:
    """A profile is one of this machine, daemon.json one of the image."""
    profile = tmp_path / "site.json"
    profile.write_text('{"schema": 1, "name": "site", "extends": "hardened", "omit": ["userns-remap"]}')
    (image / "srv/other.json").write_text("{}\n")
    apply(image, "--profile", str(profile), "--config-file", "/srv/other.json")
    other = json.loads((image / "srv/other.json").read_text())
    assert other["icc"] is False and "userns-remap" not in other
    assert "icc" not in config(image)


RPM = b"\0\0\0?C\0docker-ce\x0028.1.1\x001.fc42\x00The open-source\0docker-ce\0docker-ce-cli\0"


@pytest.mark.parametrize(
    ("status", "rpm", "words", "version"),
    [
        (DPKG, None, (), "28.5.2+dfsg4"),
        ("Package: docker-ce\nVersion: 5:26.1.4-1~debian.12~bookworm\nStatus: hold ok installed\n", None, (),
         "26.1.4"),
        (DPKG.replace("ok installed", "ok config-files"), None, (), None),
        ("Package: docker\nStatus: install ok installed\nVersion: 1.5-2\n", None, (), None),
        ("Package: a\nDescription: docker.io\n\n" + DPKG.rstrip("\n"), None, (), "28.5.2+dfsg4"),
        ("", "var/lib/rpm/rpmdb.sqlite", (), "28.1.1"),
        ("", "usr/lib/sysimage/rpm/Packages.db", ("--docker-version", "20.10.24"), "28.1.1"),
        ("", None, ("--docker-version", "20.10.24"), "20.10.24"),
    ],
)
def test_the_version(
    tmp_path: Path, status: str, rpm: str | None, words: tuple[str, ...], version: str | None
) -> None:
    image = make_image(tmp_path / "image", status)
    if rpm:
        (image / rpm).parent.mkdir(parents=True)
        (image / rpm).write_bytes(b"SQLite" + bytes(5000) + RPM + bytes(5000))
    plan = document(image, "plan", *words)
    assert plan["host"]["docker_version"] == version
    assert any("--docker-version" in warning for warning in plan["warnings"]) is (version is None)
    if rpm:
        # What a removed package left behind speaks against it.
        (image / rpm).write_bytes((image / rpm).read_bytes() + RPM.replace(b"28.1", b"27.0"))
        assert document(image, "plan")["host"]["docker_version"] is None


# --- links


INSIDE = {
    "an absolute folder": [("etc/docker", "/srv/docker")],
    "a relative folder": [("etc/docker", "../srv/docker")],
    "an absolute file": [(CONFIG, "/srv/docker/daemon.json")],
    "a way round": [("etc/docker", "../etc/../srv/./docker/")],
    "two": [("etc/docker", "/srv/one"), ("srv/one", "docker")],
    "a masked unit": [("etc/systemd/system/docker.socket", "/dev/null")],
}

OUTSIDE = {
    "a folder above": ("etc/docker", "../../outside"),
    "far above": ("etc/docker", "../../../../../../../../../../etc/docker"),
    "a file above": (CONFIG, "../../../outside/daemon.json"),
    "an absolute folder": ("etc/docker", "{outside}"),
    "an absolute file": (CONFIG, "{outside}/daemon.json"),
    "records": ("var/lib/harden", "../../../outside"),
    "records, absolute": ("var/lib/harden", "{outside}"),
    "all of /var": ("var", "../outside"),
    "by another link": ("etc/docker", "/srv/one"),
    "users": ("etc/passwd", "../../outside/daemon.json"),
    "a circle": ("etc/docker", "docker"),
    "an environment file": ("etc/default/docker", "../../../outside/daemon.json"),
    "drop-ins": ("etc/systemd/system/docker.service.d", "../../../../outside"),
    "all of /etc": ("etc", "../outside"),
}


def link(image: Path, name: str, target: str) -> None:
    path = image / name
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


@pytest.mark.parametrize("name", INSIDE)
def test_links_inside(image: Path, name: str) -> None:
    (image / "srv/docker").mkdir()
    for path, target in INSIDE[name]:
        link(image, path, target)
    before = state(image)
    assert apply(image)["result"] == "applied"
    for path, target in INSIDE[name]:
        assert os.readlink(image / path) == target
    place = image / ("srv/docker/daemon.json" if "docker" in INSIDE[name][0][0] and
                     "systemd" not in INSIDE[name][0][0] else CONFIG)
    assert json.loads(place.read_text())["icc"] is False
    assert not Path("/srv/docker").exists()
    document(image, "rollback", "--yes")
    left = {path for path in state(image).items() ^ before.items() if "srv/docker/" not in path[0]}
    assert left == set()


@pytest.mark.parametrize("name", OUTSIDE)
def test_links_that_lead_outside_are_refused(image: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "daemon.json").write_text("{}\n")
    path, target = OUTSIDE[name]
    link(image, path, target.format(outside=outside))
    if name == "by another link":
        link(image, "srv/one", "../../outside")
    before, untouched = state(image), state(outside)
    for words in (["plan"], ["apply", "--yes"], ["apply", "--yes", "--json"], ["rollback", "--yes"], ["history"]):
        done = run(image, *words, status=2)
        assert str(image) in done.stderr, done.stderr
        assert re.search(r"symbolic link|no folder /etc", done.stderr), done.stderr
        if "--json" in words:
            assert json.loads(done.stdout)["result"] == "refused"
    assert (state(image), state(outside)) == (before, untouched)
    assert path.startswith("var") or not (image / "var/lib/harden").exists()


def test_the_links_of_proc_are_refused(image: Path) -> None:
    """With /proc mounted in an image, /proc/1/root is a way out that no path shows."""
    (image / "proc").mkdir()
    link(image, "etc/docker", "/proc/1/root/etc")
    script = f'mount -t proc proc {image}/proc && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "sh", "-c", script, "-", HARDEN, "--root", str(image),
         "apply", "--yes"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and "/proc" in done.stderr, done.stderr


# --- what is no image


def test_no_images(tmp_path: Path, image: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for folder, says in (
        (tmp_path / "nothing", "No such file"),
        (tmp_path / "file", "no folder"),
        (tmp_path / "empty", "no folder /etc"),
        (Path("/"), "this is the host itself"),
    ):
        assert says in run(folder, "apply", "--yes", status=2).stderr
    assert list((tmp_path / "empty").iterdir()) == []
    assert "expected a value" in harden("--root", "", "plan", host=None).stderr
    # Also by another name.
    link(tmp_path, "host", "/")
    assert "the host itself" in run(tmp_path / "host", "plan", status=2).stderr
    # A mistake in a profile is said before anything else.
    assert "no such file" in run(image, "plan", "--profile", "/no/such.json", status=2).stderr


def test_without_root() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        image = make_image(folder / "image")
        shutil.copy(HARDEN, folder / "harden")
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(folder / "harden"),
                   "--root", str(image), "plan"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2 and "needs root" in done.stderr, done.stderr


# --- the same guarantees


def test_one_at_a_time(image: Path) -> None:
    apply(image)
    with (image / "var/lib/harden/lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid()} apply somebody 2026-01-01T00:00:00Z\n")
        lock.flush()
        assert "another harden is at work" in run(image, "apply", "--yes", status=2).stderr


def test_killed_at_every_rename(tmp_path: Path) -> None:
    """Nothing is ever half done, and `recover` settles it, on this machine or in the image itself."""
    for moment in range(1, 40):
        image = make_image(tmp_path / str(moment))
        before = state(image)
        command = ["strace", "-o", "/dev/null", "-e", "trace=renameat", "-e",
                   f"inject=renameat:signal=KILL:when={moment}", HARDEN, "--root", str(image), "apply", "--yes"]
        done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode == 0:
            break
        killed = state(image)
        assert killed[CONFIG][3] in (before[CONFIG][3], killed[CONFIG][3])
        json.loads(killed[CONFIG][3])
        result = document(image, "recover")["result"]
        after = state(image)
        assert result in ("rolled-back", "unchanged", "applied")
        if result == "applied":
            assert config(image)["icc"] is False
        else:
            assert after == before
        assert not [name for name in after if "harden-" in name]
        assert not (image / "var/lib/harden/pending").is_symlink()
        assert apply(image)["result"] in ("applied", "unchanged")
    assert 3 < moment < 39
    assert config(image)["icc"] is False


def test_many_trees(tmp_path: Path) -> None:
    seed = make_image(tmp_path / "seed")
    for number in range(TREES):
        shutil.copytree(seed, tmp_path / str(number), symlinks=True)
    began = time.monotonic()
    for number in range(TREES):
        done = subprocess.run([HARDEN, "--root", str(tmp_path / str(number)), "apply", "-y", "-q"],
                              capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    took = time.monotonic() - began
    print(f"\n{TREES} trees in {took:.2f} s: {took / TREES * 1e3:.1f} ms each")
    for number in range(TREES):
        assert config(tmp_path / str(number))["icc"] is False
        shutil.rmtree(tmp_path / str(number))
