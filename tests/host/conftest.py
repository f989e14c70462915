"""Fixtures: one real host for each test file and each suite.

    pytest tests/host                       all three suites
    pytest tests/host --suite trixie        one of them; may be given more than once
    HARDEN_EVERY_CASE=1 pytest tests/host   each case of the long tables on each suite
    HARDEN_COUNTED=DIR pytest tests/host    with the harden of this build, which counts its lines
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hosts
import pytest
from basetree import SUITES


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--suite",
        action="append",
        choices=list(SUITES),
        help="run on this Debian suite only (may be repeated; default: all)",
    )
    parser.addoption(
        "--build-dir",
        default=os.environ.get("BUILD", "build"),
        help="where the finished build of harden is (default: build)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "spread(name): the cases of this parameter are spread over the suites"
    )
    config.addinivalue_line(
        "markers", "along_with(suite): has hosts of its own, and is run once, along with this suite"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A long table is tried once over the three suites; each case on each of them takes too long.

    What has hosts of its own is not run three times.
    """
    left = []
    for item in items:
        alone = item.get_closest_marker("along_with")
        if alone is not None and alone.args[0] not in chosen_suites(config):
            left.append(item)
        mark = item.get_closest_marker("spread")
        if mark is None or not isinstance(item, pytest.Function):
            continue
        case, suite = item.callspec.params[mark.args[0]], item.callspec.params["bare_host"]
        if case not in hosts.share(mark.args[1], suite):
            left.append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def chosen_suites(config: pytest.Config) -> list[str]:
    return config.getoption("--suite") or list(SUITES)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # Module scope: pytest then runs a whole file on one suite before it turns to the next.
    if "bare_host" in metafunc.fixturenames:
        metafunc.parametrize(
            "bare_host", chosen_suites(metafunc.config), indirect=True, scope="module"
        )


@pytest.fixture(scope="session")
def machine(request: pytest.FixtureRequest) -> None:
    """Skips (in CI: fails) where the machine cannot run hosts."""
    hosts.require(chosen_suites(request.config))


@pytest.fixture(scope="module")
def bare_host(request: pytest.FixtureRequest, machine: None) -> Iterator[hosts.Host]:
    """A fresh host without harden, shared by the tests of one file."""
    with hosts.Host.boot(request.param) as host:
        yield host


@pytest.fixture(scope="module")
def host(request: pytest.FixtureRequest, bare_host: hosts.Host) -> hosts.Host:
    """A fresh host with harden installed from the build, shared by the tests of one file."""
    build = hosts.REPO / request.config.getoption("--build-dir")
    # The torture goes by the number of a system call.
    if request.path.name != "test_torture.py":
        build = hosts.counted(build)
    if not (build / "harden").exists():
        pytest.fail(f"there is no {build}/harden: run make first", pytrace=False)
    bare_host.install(build)
    return bare_host
