"""An image that is hardened before its first boot comes up hardened, and can be taken back there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import hosts
import pytest
from applies import CONFIG, apply, assert_docker_works, history, plan, reported, rollback, states
from basetree import base_tree

# This machine withholds CAP_SYS_RESOURCE, which nobody can know of an image that runs elsewhere.
WORDS = ("--skip", "default-ulimits")


@pytest.fixture(scope="module")
def harden(request: pytest.FixtureRequest) -> str:
    build = hosts.REPO / request.config.getoption("--build-dir")
    return str(hosts.counted(build) / "harden")


@pytest.fixture(scope="module")
def born_hardened(request: pytest.FixtureRequest, machine: None, harden: str) -> Iterator[hosts.Host]:
    """A host whose tree was hardened from outside before systemd or dockerd ever ran in it."""
    command = [harden, "--root", "{}", "apply", "--yes", "--json", *WORDS]
    with hosts.Host.boot(request.param, prepare=command) as host:
        host.install(Path(harden).parent)
        yield host


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "born_hardened" in metafunc.fixturenames:
        suites = metafunc.config.getoption("--suite") or list(hosts.SUITES)
        metafunc.parametrize("born_hardened", suites, indirect=True, scope="module")


def test_the_first_start_is_hardened(born_hardened: hosts.Host) -> None:
    host = born_hardened
    said = reported(host)
    assert said["live-restore"] is True and said["log-driver"] == "syslog"
    assert said["bridge"]["com.docker.network.bridge.enable_icc"] == "false"
    assert any("name=userns" in option for option in said["security"])
    assert host.run("systemctl show --property=NRestarts --value docker.service").stdout == "0\n"
    # harden on the host itself finds nothing to do, and knows what was done before it.
    answer = apply(host, *WORDS)
    assert answer["result"] == "unchanged", answer
    assert {state for state in states(answer).values()} <= {"ok", "manual", "skipped"}
    assert [(entry["kind"], entry["result"]) for entry in history(host)] == [("apply", "applied")]
    host.import_image()
    if host.can_userns():
        assert host.run(["docker", "run", "--rm", "bb:1", "cat", "/proc/self/uid_map"]).stdout.split()[1] != "0"


def test_it_is_taken_back_on_the_running_host(born_hardened: hosts.Host) -> None:
    host = born_hardened
    assert host.path(CONFIG).exists()
    answer = rollback(host)
    assert answer["result"] == "rolled-back"
    assert not host.path(CONFIG).exists()
    assert reported(host)["log-driver"] == "json-file"
    assert_docker_works(host)
    assert plan(host)["files"] != []


def test_a_tree_with_a_link_that_leads_out(
    born_hardened: hosts.Host, harden: str, tmp_path: Path
) -> None:
    """A whole Debian, as it is built, but for one link."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("etc", "var/lib/dpkg", "usr/lib/systemd"):
        shutil.copytree(base_tree(born_hardened.suite) / name, tree / name, symlinks=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.rmtree(tree / "etc/docker", ignore_errors=True)
    (tree / "etc/docker").symlink_to("../../outside")
    done = subprocess.run(
        [harden, "--root", str(tree), "apply", "--yes", "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    answer = json.loads(done.stdout)
    assert answer["result"] == "refused"
    assert "symbolic link" in answer["error"] and "leads out of the image" in answer["error"]
    assert os.listdir(outside) == [] and not (tree / "var/lib/harden").exists()
