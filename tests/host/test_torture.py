"""Interrupted at points drawn at random. All of them: `make torture`.

HARDEN_TORTURE_SEED=NUMBER draws the same points again.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosts import REPO, Host

sys.path.insert(0, str(REPO / "tests/torture"))

from torture import Settings, Sweep, run_sweep, violation_text  # noqa: E402
from victim import SCENARIOS, Victim  # noqa: E402

SEED = int(os.environ.get("HARDEN_TORTURE_SEED") or random.SystemRandom().randrange(10**6))

# Some take longer: not both commands from both starting points.
OTHER = {"fresh": "rollback", "edited": "apply"}


@pytest.fixture(scope="module", params=list(SCENARIOS))
def victim(request: pytest.FixtureRequest, host: Host) -> Iterator[Victim]:
    victim = Victim(host, request.param)
    victim.prepare()
    yield victim
    host.reset_docker()


@pytest.fixture(scope="module")
def stepper(request: pytest.FixtureRequest) -> Path:
    return REPO / request.config.getoption("--build-dir") / "stepper"


def test_a_reboot_keeps_the_disk_and_nothing_else(bare_host: Host) -> None:
    bare_host.run("touch /etc/kept /run/lost")
    leader, dockerd = bare_host.leader, bare_host.dockerd_pid(outside=True)
    bare_host.power_off()
    assert not any(Path(f"/proc/{pid}").exists() for pid in (leader, dockerd))
    assert bare_host.path("/etc/kept").exists()
    bare_host.power_on()
    assert bare_host.run("ls /etc/kept /run/lost", check=False).stdout == "/etc/kept\n"
    assert bare_host.api("/containers/json?all=1") == []
    bare_host.path("/etc/kept").unlink()


def torture(
    victim: Victim, capsys: pytest.CaptureFixture[str], command: str, mode: str, settings: Settings
) -> None:
    sweep = Sweep(victim.host.suite, victim.scenario, command, mode)
    tally = run_sweep(victim, sweep, settings)
    with capsys.disabled():
        print(f"\n{sweep}, seed {settings.seed}: {tally.summary()}", flush=True)
    assert tally.results
    assert not tally.violations, "\n\n".join(violation_text(sweep, r) for r in tally.violations)


@pytest.mark.parametrize("command", ["apply", "rollback"])
def test_killed(victim: Victim, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    torture(victim, capsys, command, "kill", Settings(SEED, points=6))


@pytest.mark.parametrize("command", ["apply", "rollback"])
def test_a_call_fails(victim: Victim, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    torture(victim, capsys, command, "fault", Settings(SEED, points=5))


def test_no_memory(
    victim: Victim, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    library = REPO / request.config.getoption("--build-dir") / "nomemory.so"
    settings = Settings(SEED, points=4, nomemory=library)
    torture(victim, capsys, OTHER[victim.scenario], "memory", settings)


def test_killed_while_recovering(victim: Victim, capsys: pytest.CaptureFixture[str]) -> None:
    torture(victim, capsys, OTHER[victim.scenario], "twice", Settings(SEED, points=3))


def test_the_power_goes(
    victim: Victim, stepper: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(SEED, points=4, stepper=stepper)
    torture(victim, capsys, OTHER[victim.scenario], "power", settings)


@pytest.mark.spread("victim", list(SCENARIOS))
def test_a_missing_sync_is_noticed(victim: Victim, stepper: Path) -> None:
    """The power cuts can tell: with a harden whose syncs do nothing, they find something."""
    sweep = Sweep(victim.host.suite, victim.scenario, OTHER[victim.scenario], "power")
    settings = Settings(SEED, points=0, stepper=stepper, skip_sync="all", first=True)
    assert run_sweep(victim, sweep, settings).violations
