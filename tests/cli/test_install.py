"""`make install` and `make uninstall`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

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
