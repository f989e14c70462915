"""The Debian package: installs, upgrades, goes, and takes neither the way back nor Docker with it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from applies import (
    SMALL,
    STATE,
    USERS,
    assert_docker_works,
    config,
    harden,
    history,
    kill_in_mid_restart,
    leftovers,
    pending,
    rollback,
    slow_start,
)
from hosts import BOOT_UNITS, REPO, Host, Snapshot, differences

# What dpkg and apt write down for themselves.
BOOKKEEPING = ("/var/lib/dpkg", "/var/lib/apt", "/var/cache/apt", "/var/cache/debconf")

# Where deb-systemd-helper keeps which units were enabled.
UNIT_STATE = "/var/lib/systemd/deb-systemd-helper-"

PROFILE = "/etc/harden/profiles/site.json"


@pytest.fixture(scope="session")
def package(request: pytest.FixtureRequest) -> Path:
    build = REPO / request.config.getoption("--build-dir")
    found = list((build / "deb").glob("harden_*.deb"))
    if len(found) != 1:
        pytest.fail(f"there is no package in {build}/deb: run make deb first", pytrace=False)
    return found[0]


@pytest.fixture(scope="session")
def older(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of an older version, with another unit."""
    folder = tmp_path_factory.mktemp("older")
    tree, target = folder / "tree", folder / "harden_0.0.9.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", str(package), str(tree)], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub("(?m)^Version: .*", "Version: 0.0.9", control.read_text()))
    unit = tree / "usr/lib/systemd/system" / BOOT_UNITS[0]
    unit.write_text(unit.read_text().replace("TimeoutStartSec=5min", "TimeoutStartSec=4min"))
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(target)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return target


def packaging(host: Host, *words: str, status: int = 0) -> str:
    """What apt or dpkg says; whatever becomes of the package, Docker goes on undisturbed."""
    command = "systemctl show --property=InvocationID,MainPID docker.service docker.socket"
    before = host.run(command).stdout
    env = {"DEBIAN_FRONTEND": "noninteractive", "DPKG_FORCE": "unsafe-io"}
    done = host.run(list(words), check=False, env=env)
    assert done.returncode == status, done.stdout + done.stderr
    assert host.run(command).stdout == before
    return done.stdout + done.stderr


def put(host: Host, package: Path) -> str:
    target = f"/root/{package.name}"
    shutil.copyfile(package, host.path(target))
    return target


def install(host: Host, package: Path) -> str:
    return packaging(host, "dpkg", "--install", put(host, package))


def version(host: Host) -> str:
    """What dpkg has; nothing where it has not even configuration files."""
    return host.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}${Version}", "harden"], check=False
    ).stdout


def enabled(host: Host) -> list[str]:
    return host.run(["systemctl", "is-enabled", *BOOT_UNITS], check=False).stdout.split()


def everything(host: Host) -> Snapshot:
    """Without what other programs change by themselves."""
    found = host.snapshot(
        include=["/var/lib/systemd"], exclude=[*BOOKKEEPING, *USERS, "/root"], dir_times=False
    )
    folder = "/var/lib/systemd/"
    return {p: e for p, e in found.items() if not p.startswith(folder) or p.startswith(UNIT_STATE)}


def kept(host: Host) -> Snapshot:
    return host.snapshot(under=STATE)


def left_of_it(host: Host) -> list[str]:
    """Every path that has its name, but for the file that it was installed from."""
    found = host.run("find / -xdev -name '*harden*' ! -path '/root/*' ! -path '/tmp/*'").stdout
    return found.split()


def test_it_comes_works_and_goes(bare_host: Host, package: Path) -> None:
    host = bare_host
    before, named = everything(host), left_of_it(host)
    file = put(host, package)
    packaging(host, "apt-get", "--yes", "install", file)
    assert version(host) == f"ii {package.name.split('_')[1]}"
    assert enabled(host) == ["enabled", "enabled"]
    for unit in BOOT_UNITS:
        # systemd has it in memory, from the file, and has not started it.
        shown = host.run(
            ["systemctl", "show", "--property=LoadState,NeedDaemonReload,InvocationID", unit]
        ).stdout
        assert "LoadState=loaded" in shown and "NeedDaemonReload=no" in shown
        assert "InvocationID=\n" in shown
    assert host.run("harden --version").stdout.split()[-1] == package.name.split("_")[1]
    # As people type it.
    for words in (("--dry-run",), ("apply", "--yes"), ("rollback", "--yes")):
        harden(host, *words)
    assert_docker_works(host)
    packaging(host, "apt-get", "--yes", "purge", "harden")
    assert version(host) == ""
    assert differences(before, everything(host), times=False) == []
    assert left_of_it(host) == named


def test_the_way_back_outlives_everything(bare_host: Host, package: Path, older: Path) -> None:
    host = bare_host
    install(host, older)
    assert version(host) == "ii 0.0.9"
    host.run(["systemctl", "--quiet", "disable", BOOT_UNITS[1]])
    before = config(host)
    harden(host, "apply", "--yes", *SMALL)
    hardened, state, done = config(host), kept(host), history(host)
    assert hardened != before

    packaging(host, "apt-get", "--yes", "install", put(host, package))
    assert (kept(host), config(host), history(host)) == (state, hardened, done)
    # Another unit is what systemd has now; what the admin has switched off stays off.
    shown = host.run(["systemctl", "show", "--property=TimeoutStartUSec", BOOT_UNITS[0]]).stdout
    assert shown == "TimeoutStartUSec=5min\n"
    assert enabled(host) == ["enabled", "disabled"]

    # Removed and purged with nothing rolled back: the host stays hardened, and has its way back.
    host.path(PROFILE).write_text('{"schema": 1, "name": "site"}\n', encoding="utf-8")
    packaging(host, "dpkg", "--remove", "harden")
    assert (kept(host), config(host)) == (state, hardened)
    assert f"{STATE} is the" in packaging(host, "dpkg", "--purge", "harden").replace("\n", " ")
    assert (kept(host), config(host), version(host)) == (state, hardened, "")
    assert host.path(PROFILE).exists()
    shutil.rmtree(host.path("/etc/harden"))

    install(host, package)
    assert enabled(host) == ["enabled", "enabled"]
    assert history(host) == done
    rollback(host)
    assert config(host) == before
    packaging(host, "dpkg", "--purge", "harden")
    assert not host.path(STATE).exists()
    assert_docker_works(host)


def test_what_was_interrupted_is_left_to_be_settled(bare_host: Host, package: Path, older: Path) -> None:
    host = bare_host
    install(host, older)
    before = config(host)
    with slow_start(host, 1):
        kill_in_mid_restart(host, "apply", "--yes", *SMALL)
        host.wait_for_docker()
        left, state, between = pending(host), kept(host), config(host)
        assert left and between != before

        install(host, package)
        assert (pending(host), kept(host), config(host)) == (left, state, between)

        # Gone, it would leave nobody to settle this at the next boot.
        said = packaging(host, "apt-get", "--yes", "purge", "harden", status=100)
        assert "harden recover" in said
        assert version(host).startswith("ii ") and enabled(host) == ["enabled", "enabled"]
        assert (pending(host), kept(host), config(host)) == (left, state, between)
    harden(host, "recover")
    assert (pending(host), leftovers(host), config(host)) == (None, [], before)
    packaging(host, "dpkg", "--purge", "harden")
    assert not host.path(STATE).exists()
    assert_docker_works(host)


def test_without_systemd(bare_host: Host, package: Path) -> None:
    """As in an image that is being built: nobody to talk to, and enabled all the same."""
    host = bare_host
    named = left_of_it(host)
    wants = host.path("/etc/systemd/system/multi-user.target.wants")
    offline = ["unshare", "--mount", "sh", "-ec", 'mount -t tmpfs none /run; exec "$@"', "sh"]
    packaging(host, *offline, "dpkg", "--install", put(host, package))
    for unit in BOOT_UNITS:
        assert (wants / unit).is_symlink()
        host.run(["test", "-f", f"/etc/systemd/system/multi-user.target.wants/{unit}"])
    host.run([*offline, "harden", "plan", "--quiet"])
    packaging(host, *offline, "dpkg", "--purge", "harden")
    assert left_of_it(host) == named


def test_without_docker(bare_host: Host, package: Path) -> None:
    """The last one: this host has none afterwards."""
    host = bare_host
    host.run("systemctl stop docker.socket docker.service; dpkg --purge --force-depends docker.io")
    host.run("rm -rf /etc/docker; systemctl daemon-reload")
    named = left_of_it(host)
    install(host, package)
    assert enabled(host) == ["enabled", "enabled"]
    said = harden(host, "plan", "--docker-version", "28.5")
    assert "icc" in said.stdout
    packaging(host, "dpkg", "--purge", "harden")
    assert left_of_it(host) == named
