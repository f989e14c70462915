"""`make install` and `make uninstall`, and what the package's purge takes away."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("HARDEN", "build/harden")).resolve().parent
UNITS = ("harden-recover-containers.service", "harden-recover.service")

# --- make install


def make(target: str, *variables: str, path: Path | None = None, umask: int = 0o022) -> None:
    found = os.environ["PATH"]
    command = ["make", "-s", "-C", str(REPO), target, f"BUILD={BUILD}", *variables]
    subprocess.run(
        command, check=True, umask=umask, env={"PATH": f"{path}:{found}" if path else found}
    )


def files(root: Path) -> dict[str, int]:
    """Every file and folder below root, with its mode."""
    return {str(p.relative_to(root)): p.lstat().st_mode & 0o7777 for p in root.rglob("*")}


def plain_files(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir())


def test_staged(tmp_path: Path) -> None:
    make("install", f"DESTDIR={tmp_path}", "prefix=/usr", umask=0o077)
    installed = files(tmp_path)
    wanted = {
        "usr/sbin/harden",
        "usr/share/harden/profiles/hardened.json",
        "usr/share/harden/rsyslog/listener.conf",
        "usr/share/harden/units/dropin.conf",
        "usr/share/man/man8/harden.8",
        "usr/share/man/man5/harden-json.5",
        "usr/share/man/man5/harden-profile.5",
        "etc/harden/profiles",
        *(f"usr/lib/systemd/system/{unit}" for unit in UNITS),
    }
    assert wanted <= installed.keys()
    for name, mode in installed.items():
        is_program = (tmp_path / name).is_dir() or name == "usr/sbin/harden"
        assert mode == (0o755 if is_program else 0o644), name
    for unit in UNITS:
        text = (tmp_path / "usr/lib/systemd/system" / unit).read_text()
        assert "\nExecStart=/usr/sbin/harden recover" in text
    # Enabling is for whoever unpacks it.
    assert not list(tmp_path.glob("**/*.wants"))

    # Twice is fine, and nothing stays but folders that others use, too.
    make("install", f"DESTDIR={tmp_path}", "prefix=/usr")
    assert files(tmp_path) == installed
    make("uninstall", f"DESTDIR={tmp_path}", "prefix=/usr")
    assert sorted(files(tmp_path)) == ["etc", "usr", "usr/lib", "usr/sbin", "usr/share", "usr/share/man"]
    make("uninstall", f"DESTDIR={tmp_path}", "prefix=/usr")


def test_what_the_admin_wrote_stays(tmp_path: Path) -> None:
    make("install", f"DESTDIR={tmp_path}", "prefix=/usr")
    own = ("etc/harden/profiles/site.json", "var/lib/harden/applies/1/record.json")
    for name in own:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    make("uninstall", f"DESTDIR={tmp_path}", "prefix=/usr")
    assert plain_files(tmp_path) == sorted(own)


def test_enabled_on_this_system(tmp_path: Path) -> None:
    """Without DESTDIR, systemctl is asked; here another one is first in the PATH."""
    said = tmp_path / "said"
    systemctl = tmp_path / "bin/systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text(f'#!/bin/sh\necho "$@" >>{said}\n')
    systemctl.chmod(0o755)
    prefix = tmp_path / "usr"
    words = (f"prefix={prefix}", f"sysconfdir={tmp_path}/etc")
    make("install", *words, path=systemctl.parent)
    unitdir = prefix / "lib/systemd/system"
    reload = ["daemon-reload"] if Path("/run/systemd/system").is_dir() else []
    enable = " ".join(["enable", *(str(unitdir / unit) for unit in UNITS)])
    assert said.read_text().splitlines() == [enable, *reload]
    assert f"ExecStart={prefix}/sbin/harden recover" in (unitdir / UNITS[1]).read_text()
    said.unlink()
    make("uninstall", *words, path=systemctl.parent)
    assert said.read_text().splitlines() == [" ".join(["disable", *UNITS]), *reload]
    assert not prefix.exists()


# --- the package


def test_its_version_is_the_programs(tmp_path: Path) -> None:
    """The changelog has to be written before a release can be packaged."""
    done = subprocess.run(
        [str(REPO / "contrib/make-deb"), str(tmp_path), "9.9.9"],
        check=False, capture_output=True, text=True,
    )
    assert done.returncode == 2
    assert "changelog" in done.stderr and "9.9.9" in done.stderr
    assert list(tmp_path.iterdir()) == []


APPLIED = {"kind": "apply", "state": "committed", "of": None}
PUT_BACK = {"kind": "apply", "state": "rolled-back", "of": None}


def undoes(number: int, state: str = "committed") -> dict[str, str | None]:
    return {"kind": "rollback", "state": state, "of": f"2026112{number}T000000Z"}


@pytest.mark.parametrize(
    ("records", "stays"),
    [
        ([], False),
        ([PUT_BACK], False),
        ([APPLIED], True),
        ([APPLIED, undoes(0)], False),
        ([APPLIED, undoes(0, "rolled-back")], True),
        ([APPLIED, undoes(0), undoes(1)], True),
        ([APPLIED, undoes(0), undoes(1), undoes(2)], False),
        ([APPLIED, APPLIED, undoes(1)], True),
        ([APPLIED, APPLIED, undoes(1), undoes(0)], False),
        ([APPLIED, undoes(0), PUT_BACK], False),
        # not finished, not readable
        ([{**APPLIED, "state": "switched"}], True),
        ([APPLIED, undoes(0, "undoing")], True),
        ([{}], True),
        ([None], True),
    ],
)
def test_purge_keeps_what_is_the_way_back(
    tmp_path: Path, records: list[dict[str, str | None] | None], stays: bool
) -> None:
    store = tmp_path / "var/lib/harden"
    for number, record in enumerate(records):
        folder = store / f"applies/2026112{number}T000000Z"
        folder.mkdir(parents=True)
        if record is not None:
            # Deeper members of the same names, as the containers in a record have them.
            text = {**record, "folders": [], "running": [{"state": "x", "of": "x", "kind": "x"}]}
            (folder / "record.json").write_text(json.dumps(text, indent=2) + "\n")
    store.mkdir(parents=True, exist_ok=True)
    (store / "lock").touch()
    for step in ("remove", "purge"):
        assert store.exists()
        done = subprocess.run(
            ["sh", str(REPO / "contrib/debian/harden.postrm"), step],
            check=True,
            env={"PATH": "/usr/bin:/bin", "DPKG_ROOT": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        said = "install harden again" in done.stderr
        assert (done.stdout, said) == ("", stays and step == "purge"), done.stderr
    assert store.exists() == stays
