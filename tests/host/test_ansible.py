"""The role and the module of contrib/ansible, used by the real Ansible on three hosts at once.

One fleet for the whole file, and each test goes on from where the one before has left it. The first boot
of contrib/doc/FLEETS.md is here, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import hosts
import pytest
from applies import (
    assert_docker_works,
    config,
    dropin,
    finish,
    history,
    latest,
    pending,
    plain,
    reported,
    rollback,
    saved,
    slow_start,
    start_pre_runs,
    wait_until,
)
from basetree import FLEET
from fleet import PLAYBOOKS, Fleet, Recap
from hosts import REPO, Snapshot, differences

# It has hosts of all suites, so it is run along with one of them.
pytestmark = pytest.mark.along_with("bookworm")

MODULE = f"{PLAYBOOKS}/roles/harden/library"

# What Ansible and the package's installation write, beside what harden does.
NOT_HARDENS = ("/home", "/var/cache/harden", "/var/lib/apt", "/var/cache/apt", "/var/lib/dpkg")

# dockerd starts with this drop-in, until daemon.json is hardened. The rehearsal cannot see that, as a unit
# of its own does not have it.
TROUBLE = "[Service]\nExecStartPre=/bin/sh -c '! grep -q no-new-privileges /etc/docker/daemon.json'\n"

Play = Callable[..., Recap]


@pytest.fixture(scope="module")
def package(request: pytest.FixtureRequest) -> Path:
    found = list((REPO / request.config.getoption("--build-dir") / "deb").glob("harden_*.deb"))
    if len(found) != 1:
        pytest.fail("there is no package: run make deb first", pytrace=False)
    return found[0]


@pytest.fixture(scope="module")
def fleet(package: Path) -> Iterator[Fleet]:
    hosts.require(list(FLEET))
    with Fleet.boot() as fleet:
        # The first gets it from the role.
        for name in ("web2", "web3"):
            target = fleet.targets[name]
            target.path("/root/harden.deb").write_bytes(package.read_bytes())
            target.run("dpkg --install /root/harden.deb")
        yield fleet


@pytest.fixture
def installing(fleet: Fleet, package: Path) -> tuple[str, str]:
    """The words that have the role install harden."""
    return "-e", f"harden_package={fleet.put(package)}"


@pytest.fixture
def play(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> Play:
    """Plays it, and shows the recap."""

    def show(title: str, book: str, *words: str, status: int = 0) -> Recap:
        recap = fleet.play(book, *words)
        with capsys.disabled():
            print(f"\n{title}: {book} {' '.join(words)} ({recap.took:.1f} s)\n{recap.table()}")
        assert recap.status == status, recap.text
        return recap

    return show


State = dict[str, tuple[Snapshot, object]]


def state_of(fleet: Fleet) -> State:
    """All that harden could have written, and what the daemon says of itself, by host."""
    return {
        name: (saved(host, exclude=NOT_HARDENS), reported(host))
        for name, host in fleet.targets.items()
    }


def assert_untouched(before: State, fleet: Fleet, *names: str) -> None:
    """These hosts, or all."""
    now = state_of(fleet)
    for name in names or fleet.targets:
        assert differences(before[name][0], now[name][0], times=False) == []
        assert now[name][1] == before[name][1]
        assert_docker_works(fleet.targets[name])


def test_the_manuals_and_the_playbooks(fleet: Fleet) -> None:
    """Ansible renders the documentation, and knows every word of the playbooks."""
    shown = fleet.ansible_doc("module", "harden", "-M", MODULE)
    for option in ("profile_content", "verify_cmd", "exit_status", "EXAMPLES"):
        assert option in shown
    assert "harden_profile_src" in fleet.ansible_doc("role", "harden")
    for book in ("site.yml", "rollback.yml", "audit.yml"):
        done = fleet.ansible("ansible-playbook", "--syntax-check", book)
        assert done.returncode == 0, done.stderr


def test_check_mode_changes_nothing(
    fleet: Fleet, play: Play, installing: tuple[str, str]
) -> None:
    before = state_of(fleet)
    recap = play("check mode", "site.yml", "--check", "--diff", *installing)
    # The package would be copied everywhere; where harden is already, there is a plan.
    assert recap.of("changed") == {"web1": 1, "web2": 2, "web3": 2}
    assert recap.text.count('+  "no-new-privileges": true') == 2
    assert_untouched(before, fleet)
    assert not fleet.targets["web2"].path("/var/lib/harden/applies").exists()


def test_a_host_that_fails_is_put_back_and_the_play_stops(
    fleet: Fleet, play: Play, installing: tuple[str, str]
) -> None:
    web2 = fleet.targets["web2"]
    with dropin(web2, TROUBLE):
        before = state_of(fleet)
        recap = play("one host fails", "site.yml", *installing, status=2)
        assert_untouched(before, fleet, "web2", "web3")
    assert recap.of("failed") == {"web1": 0, "web2": 1}
    assert recap.of("changed")["web1"] == 3
    assert latest(fleet.targets["web1"])["result"] == "applied"
    assert latest(web2)["result"] == "rolled-back"
    said = plain(recap.text)
    assert "restart docker.service" in said and "This host is as it was before." in said
    assert not fleet.targets["web3"].path("/var/lib/harden/applies").exists()


def test_what_is_held_is_said_and_containers_run_on(
    fleet: Fleet, play: Play, installing: tuple[str, str]
) -> None:
    web3 = fleet.targets["web3"]
    container = web3.run_container()
    started = web3.api(f"/containers/{container}/json")["State"]
    recap = play("mended, and with a container on web3", "site.yml", *installing)
    # The copy of the package, where the play had not come to.
    assert recap.of("changed") == {"web1": 0, "web2": 1, "web3": 2}
    said = plain(recap.text)
    assert "userns-remap is held: It moves the data root" in said
    assert "icc is not in force yet" in said
    assert web3.api(f"/containers/{container}/json")["State"] == started
    assert latest(web3)["result"] == "incomplete"
    # By way of sudo, and known all the same.
    assert latest(web3)["user"] == "deploy"


def test_once_more_changes_nothing(fleet: Fleet, play: Play) -> None:
    before = state_of(fleet)
    recap = play("again", "site.yml", "-e", "batches=0")
    assert recap.of("changed") == {"web1": 0, "web2": 0, "web3": 0}
    assert_untouched(before, fleet)


def test_an_audit_fails_where_something_is_held(fleet: Fleet, play: Play) -> None:
    recap = play("audit", "audit.yml", status=2)
    assert recap.of("failed") == {"web1": 0, "web2": 0, "web3": 1}
    assert "Does not comply: icc, userns-remap" in plain(recap.text)


def test_a_check_of_ones_own_takes_back_this_apply_and_no_other(fleet: Fleet, play: Play) -> None:
    """On web1 something is applied, on web2 nothing: its apply of before is not this play's to undo."""
    before = state_of(fleet)
    more = {
        "harden_set": "{{ {'log-level': 'warn'} if inventory_hostname == 'web1' else {} }}",
        "site_check": "/bin/false",
        "batches": 0,
    }
    recap = play("a check fails", "site.yml", "--limit", "web1,web2", "-e", json.dumps(more), status=2)
    assert recap.of("changed") == {"web1": 2, "web2": 0}
    assert recap.of("failed") == recap.of("rescued") == {"web1": 1, "web2": 1}
    assert_untouched(before, fleet)
    assert [entry["kind"] for entry in history(fleet.targets["web1"])] == ["apply", "apply", "rollback"]


def test_rollback(fleet: Fleet, play: Play) -> None:
    before = state_of(fleet)
    recap = play("rollback, check mode", "rollback.yml", "--check", "--diff", "-e", "batches=0")
    assert recap.of("changed") == {"web1": 1, "web2": 1, "web3": 1}
    assert_untouched(before, fleet)
    recap = play("rollback", "rollback.yml", "-e", "batches=0")
    assert recap.of("changed") == {"web1": 1, "web2": 1, "web3": 1}
    assert [config(host) for host in fleet.targets.values()] == [None, None, None]


def test_an_apply_outlives_ansible(fleet: Fleet) -> None:
    """The module is killed as async does it when its time is over; harden goes on to the end."""
    web2 = fleet.targets["web2"]
    with slow_start(web2, 1.5):
        ansible = fleet.popen("ansible", "web2", "--become", "-M", MODULE, "-m", "harden")
        wait_until("docker is being restarted", lambda: start_pre_runs(web2))
        module = web2.run("ps -o ppid= $(pgrep -x harden)").stdout.strip()
        group = web2.run(["ps", "-o", "pgid=", module]).stdout.strip()
        web2.run(f"kill -KILL -{group}")
        status, out, _ = finish(ansible)
        assert status != 0 and pending(web2), out
        wait_until("harden has ended", lambda: not web2.run("pgrep -x harden", check=False).stdout)
    assert pending(web2) is None
    assert latest(web2)["result"] == "applied"
    rollback(web2)


# --- the module alone, on the controller, where harden is not installed

VERSION = '[ "$1" != --version ] || exec echo harden 0.1.0; '

# What is there in place of harden, and what the module says of it.
PROGRAMS = {
    "echo harden 0.0.9": "is harden 0.0.9; this module needs 0.1.0 or later",
    "echo hello": "does not say which harden that is: hello",
    f"{VERSION} echo '{{'; exit 2": "harden ended with status 2 and without a JSON document: {",
    f"{VERSION} echo trouble >&2; exit 2": "and without a JSON document: trouble",
    f"{VERSION} kill -KILL $$": "harden was killed by SIGKILL. What it has left is settled by",
    f"{VERSION} echo '{{\"schema\": 2}}'": "harden's JSON is of schema 2; this module reads 1",
}

# It refuses everything, and says how it was called.
ECHO = """#!/usr/bin/python3
import json, sys
if "--version" in sys.argv:
    print("harden 0.1.0")
    sys.exit()
said = " ".join(sys.argv[1:])
print(json.dumps({"schema": 1, "command": "apply", "result": "refused", "error": said}))
sys.exit(2)
"""

# Arguments of the module, and harden's.
CALLS: list[tuple[dict[str, object], str]] = [
    ({}, "apply --yes --containers=keep"),
    ({"profile": "level1", "strict": True}, "apply --yes --profile=level1 --containers=keep"),
    (
        {"set": {"icc": False, "log-driver": "none", "mtu": 9000}, "skip": {"ip": None, "bip": "later"}},
        'apply --yes --set=icc=false --set=log-driver="none" --set=mtu=9000 --skip=bip=later --skip=ip'
        " --containers=keep",
    ),
    (
        {"only": ["icc"], "accept": ["restart", "icc"], "containers": "restart", "restart": False},
        "apply --yes --only=icc --accept=restart --accept=icc --containers=restart --no-restart",
    ),
    (
        {"rehearsal": "skip", "canary": False, "verify_cmd": "true"},
        "apply --yes --containers=keep --no-rehearsal --no-canary --verify-cmd=true",
    ),
    (
        {"rehearsal": "require", "config_file": "/a", "unit": "b", "docker_version": "28.5", "root": "/c"},
        "apply --yes --config-file=/a --unit=b --docker-version=28.5 --containers=keep"
        " --rehearse=require --root=/c",
    ),
    ({"verify_cmd": "true", "_ansible_check_mode": True}, "plan --containers=keep"),
    ({"rehearsal": "require", "_ansible_check_mode": True}, "plan --containers=keep --rehearse=require"),
    (
        {"state": "rolled_back", "id": "2026", "force": True, "profile": "level1"},
        "rollback --yes --containers=keep --force 2026",
    ),
    ({"state": "rolled_back", "_ansible_check_mode": True}, "rollback --dry-run --containers=keep"),
    ({"state": "audited", "only": ["icc"], "verify_cmd": "true"}, "check --only=icc"),
]


def call(fleet: Fleet, program: str, **arguments: object) -> str:
    """The module's message, with a program of this text in the place of harden."""
    file = fleet.controller.path("/usr/local/bin/fake")
    file.write_text(program if program.startswith("#!") else f"#!/bin/sh\n{program}\n", encoding="utf-8")
    file.chmod(0o755)
    given = {"ANSIBLE_MODULE_ARGS": {"executable": "/usr/local/bin/fake", **arguments}}
    done = fleet.controller.run(["python3", f"{MODULE}/harden.py"], check=False, input=json.dumps(given))
    return str(json.loads(done.stdout)["msg"])


def test_a_program_that_is_not_what_it_should_be(fleet: Fleet) -> None:
    for program, sentence in PROGRAMS.items():
        assert sentence in call(fleet, program)
    assert "harden is not installed" in call(fleet, "true", executable=None)
    assert "cannot be run: No such file" in call(fleet, "true", executable="/nothing")


def test_every_option_reaches_harden(fleet: Fleet) -> None:
    for arguments, words in CALLS:
        said = call(fleet, ECHO, **arguments)
        assert said == f"{words} --timeout=90 --json --quiet. Nothing was changed."


def test_a_profile_in_yaml_is_a_file_for_root_alone(fleet: Fleet) -> None:
    profile = {"schema": 1, "name": "site", "extends": "hardened"}
    show = 'for word; do case $word in --profile=*) file=${word#*=}; esac; done; stat -c %a "$file"; cat "$file"'
    said = call(fleet, f"{VERSION} {show}", profile_content=profile)
    assert said.endswith(f"without a JSON document: 600\n{json.dumps(profile)}"), said
    assert fleet.controller.run("find / -xdev -name profile.json -newer /root/inventory").stdout == ""


# --- cloud-init

CLOUD_CONFIG = r"(?s)```yaml\n(#cloud-config\n.*?)```"

# As cloud-init does it: files first, and runcmd as one script.
FIRST_BOOT = """
import pathlib, sys, yaml
config = yaml.safe_load(sys.stdin)
for file in config["write_files"]:
    path = pathlib.Path(file["path"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(file["content"])
print("#!/bin/sh", *config["runcmd"], sep="\\n")
"""


def test_the_first_boot_of_the_manual(fleet: Fleet, package: Path) -> None:
    """On the controller, which has Docker as it was installed. The download is a copy."""
    host = fleet.controller
    found = re.search(CLOUD_CONFIG, (REPO / "contrib/doc/FLEETS.md").read_text(encoding="utf-8"))
    assert found is not None
    script = host.run(["python3", "-c", FIRST_BOOT], input=found.group(1)).stdout
    assert package.name.rpartition("_")[0] in script
    curl = host.path("/usr/local/bin/curl")
    curl.write_text(f'#!/bin/sh\ncp {fleet.put(package)} "$2"\n', encoding="utf-8")
    curl.chmod(0o755)
    done = host.run(["sh", "-c", script], check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no-new-privileges" in done.stdout.splitlines()[-1]
    assert latest(host)["result"] == "applied"
    assert (latest(host)["profile"], reported(host)["log-driver"]) == ("site", "journald")
