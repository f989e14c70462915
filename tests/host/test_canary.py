"""What an apply has to pass before it stays: the canary, --verify-cmd and --confirm."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from applies import (
    CONFIG,
    SMALL,
    UNDONE,
    Terminal,
    apply,
    assert_docker_works,
    config,
    dropin,
    finish,
    harden,
    leftovers,
    pending,
    plain,
    row,
    signal_harden,
    start_harden,
    wait_until,
)
from hosts import Host, HostError

LABEL = "org.harden.canary"
# What takes no restart of dockerd, and so costs the least.
RELOADED = ("--only", "live-restore")


def canaries(host: Host) -> list[str]:
    """Containers and images of harden's own."""
    containers = host.run(
        ["docker", "ps", "-a", "--filter", f"label={LABEL}", "--format", "{{.Names}}"]
    )
    images = host.run(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"])
    return containers.stdout.split() + [
        name for name in images.stdout.split() if name.startswith("harden-canary")
    ]


def assert_nothing_left(host: Host) -> None:
    assert_docker_works(host)
    assert canaries(host) == []
    assert pending(host) is None
    assert leftovers(host) == []


def put_back(host: Host, before: bytes | None) -> None:
    """The host is as it was, and harden knows nothing of anything unfinished."""
    assert config(host) == before
    assert_nothing_left(host)


def write_config(host: Host, document: dict[str, Any]) -> bytes:
    text = json.dumps(document, indent=2).encode() + b"\n"
    host.live_path("/etc/docker").mkdir(exist_ok=True)
    host.live_path(CONFIG).write_bytes(text)
    return text


@pytest.fixture
def clean(host: Host) -> Iterator[Host]:
    """A dockerd that nobody has configured, before and after."""
    yield host
    if config(host) is not None or host.run("docker ps -aq").stdout or pending(host):
        host.reset_docker()


# --- the canary


def test_it_tells_what_containers_get_and_is_gone(clean: Host) -> None:
    host = clean
    web = host.run_container("sleep", "1000")
    answer = apply(host, "--skip", "userns-remap", status=5)
    canary = answer["canary"]
    assert (canary["state"], canary["reason"], canary["key"]) == ("passed", None, None)
    assert 0 < canary["ms"] < 30000
    saw = canary["saw"]
    assert saw["no_new_privileges"] is True
    assert saw["seccomp"] is True
    assert saw["uid_map"].startswith("0:0:")
    # What it got is what is in force, also where /info of an old dockerd says nothing.
    assert row(answer, "no-new-privileges")["in_force"] is True
    assert row(answer, "default-ulimits")["in_force"] == saw["limits"]
    assert row(answer, "default-ulimits")["wanted"]["nofile"] == saw["limits"]["nofile"]
    # It is nobody's container.
    assert answer["containers"]["before"] == answer["containers"]["kept"] == 1
    assert host.api(f"/containers/{web}/json")["State"]["Running"] is True
    assert_nothing_left(host)
    # Its line is where containers log to.
    host.run("journalctl --sync", check=False)
    assert "no_new_privs=1" in host.run("journalctl --no-pager | grep harden-canary").stdout


def test_user_namespaces(clean: Host) -> None:
    if not clean.can_userns():
        pytest.skip("this machine lets nobody make user namespaces")
    answer = apply(clean, "--only", "userns-remap")
    assert re.fullmatch(r"0:\d{3,}:\d+", answer["canary"]["saw"]["uid_map"])
    assert_nothing_left(clean)


def test_without_it(clean: Host) -> None:
    host = clean
    answer = apply(host, "--no-canary", *SMALL)
    assert answer["canary"]["state"] == "skipped"
    assert "--no-canary" in answer["canary"]["reason"]
    assert answer["canary"]["ms"] is None
    assert "run a canary" not in answer["_stderr"]
    # Nothing to do, nothing to start.
    assert apply(host, *SMALL)["canary"]["state"] == "skipped"
    # The way back is not held up by one.
    host.run("harden apply --yes --no-canary --only live-restore")
    harden(host, "rollback", "--yes")
    created = host.run("docker events --since 1m --until 0s --filter event=create")
    assert created.stdout == ""
    assert_nothing_left(host)


def fails(host: Host, *words: str, before: bytes | None, said: str, key: str | None) -> None:
    """The canary fails the apply, and the host is put back. The rehearsal's would, too."""
    answer = apply(host, "--no-rehearsal", *words, status=3)
    assert answer["result"] == UNDONE
    assert answer["canary"]["state"] == "failed"
    assert re.search(said, answer["canary"]["reason"]), answer["canary"]["reason"]
    assert answer["canary"]["key"] == key
    assert re.search(said, answer["error"]), answer["error"]
    assert "--no-canary" in "".join(answer["advice"])
    put_back(host, before)


@contextlib.contextmanager
def lowered(host: Host) -> Iterator[None]:
    """containerd, which is what starts containers, may give less than dockerd could."""
    folder = "/run/systemd/system/containerd.service.d"
    host.run(["mkdir", "-p", folder])
    host.live_path(f"{folder}/test.conf").write_text(
        "[Service]\nLimitNOFILE=5000\nCapabilityBoundingSet=~CAP_SYS_RESOURCE\n",
        encoding="utf-8",
    )
    restart = "systemctl daemon-reload && systemctl restart containerd docker"
    host.run(restart)
    try:
        yield
    finally:
        host.run(f"rm -r {folder} && systemctl reset-failed docker && {restart}")


def test_more_open_files_than_containers_may_have(clean: Host) -> None:
    """The plan goes by what dockerd may give, and is wrong."""
    with lowered(clean):
        fails(
            clean,
            *("--only", "default-ulimits"),
            before=None,
            said=r"setting rlimit.*operation not permitted",
            key="default-ulimits",
        )


def test_a_log_that_nobody_listens_at(clean: Host) -> None:
    """Somebody does until dockerd restarts."""
    host = clean
    host.run(
        "systemd-run --quiet --unit=listener systemd-socket-activate -a -l 127.0.0.1:5514 /bin/cat"
    )
    wait_until("somebody listens", lambda: ":5514" in host.run("ss -ltn").stdout)
    with dropin(host, "[Service]\nExecStartPre=-/bin/systemctl stop listener\n"):
        fails(
            host,
            *("--only", "log-driver", "--only", "log-opts.syslog-address"),
            *("--set", "log-opts.syslog-address=tcp://127.0.0.1:5514"),
            before=None,
            said="logging driver.*connection refused",
            key="log-driver",
        )


def test_a_runtime_that_is_gone(clean: Host) -> None:
    host = clean
    host.run("cp /usr/sbin/runc /usr/local/bin/mine")
    before = write_config(
        host, {"runtimes": {"mine": {"path": "/usr/local/bin/mine"}}, "default-runtime": "mine"}
    )
    host.run("systemctl restart docker")
    with dropin(host, "[Service]\nExecStartPost=/bin/rm -f /usr/local/bin/mine\n"):
        fails(host, *SMALL, before=before, said="mine", key="default-runtime")


def test_what_says_nothing_fails_nothing(clean: Host) -> None:
    """No address is left on the bridge: that is not the configuration's fault."""
    host = clean
    before = write_config(host, {"bip": "192.168.99.1/30"})
    host.run("systemctl restart docker")
    host.run_container("sleep", "1000")
    answer = apply(host, *RELOADED)
    assert answer["canary"]["state"] == "skipped"
    assert "no available" in answer["canary"]["reason"]
    assert any("No canary could be run" in note for note in answer["notes"])
    assert config(host) != before
    assert_nothing_left(host)


SLOW = """#!/bin/sh
case " $* " in *" create "*) touch /run/slow; sleep 1.5;; esac
exec runc "$@"
"""


def in_the_middle(host: Host) -> tuple[subprocess.Popen[str], bytes]:
    """harden while its canary is being started, and daemon.json as it was before."""
    host.live_path("/usr/local/bin/slow").write_text(SLOW, encoding="utf-8")
    host.run("chmod 755 /usr/local/bin/slow")
    before = write_config(
        host, {"runtimes": {"slow": {"path": "/usr/local/bin/slow"}}, "default-runtime": "slow"}
    )
    host.run("systemctl restart docker; rm -f /run/slow")
    process = start_harden(host, "apply", "--yes", "--no-rehearsal", *SMALL)
    wait_until("it is being started", lambda: host.live_path("/run/slow").exists())
    return process, before


def test_killed_in_the_middle(clean: Host) -> None:
    host = clean
    process, before = in_the_middle(host)
    signal_harden(host, "KILL")
    finish(process)
    assert len(canaries(host)) == 2
    harden(host, "recover")
    put_back(host, before)


def test_a_power_cut_in_the_middle(clean: Host) -> None:
    """At boot one unit puts the files back before dockerd starts, the other follows it."""
    host = clean
    process, before = in_the_middle(host)
    host.power_off()
    finish(process)
    host.power_on()
    wait_until("nothing is pending", lambda: pending(host) is None)
    put_back(host, before)
    # The daemon has read the old files already: it is not started twice.
    starts = host.run("journalctl -b -u docker.service | grep -c 'Started docker.service'")
    assert starts.stdout.strip() == "1"


def test_what_was_left_is_nobodys_and_goes_with_the_next(clean: Host) -> None:
    """As after a power cut, where the record is settled before dockerd runs."""
    host = clean
    host.import_image("harden-canary:OLD")
    made = host.run(
        ["docker", "create", "--name", "harden-canary-OLD", "--label", f"{LABEL}=OLD"]
        + ["harden-canary:OLD", "true"]
    )
    assert made.stdout.strip()
    host.import_image("harden-canary:OLDER")
    answer = apply(host, *RELOADED, "--no-canary")
    assert answer["containers"]["before"] in (0, None)
    for setting in answer["settings"]:
        assert setting.get("uncovered", []) == [], setting["key"]
    assert len(canaries(host)) == 3
    apply(host, *SMALL)
    assert canaries(host) == []


# --- --verify-cmd


def test_a_command_that_agrees(clean: Host) -> None:
    host = clean
    host.run("rm -f /run/seen")
    command = (
        "docker info --format '{{.LiveRestoreEnabled}}' >/run/seen && env >>/run/seen && ! read line"
    )
    answer = apply(host, *RELOADED, "--verify-cmd", command)
    seen = host.live_path("/run/seen").read_text(encoding="utf-8").splitlines()
    assert seen[0] == "true"
    assert f"HARDEN_ID={answer['id']}" in seen
    assert "HARDEN_UNIT=docker.service" in seen
    assert answer["verify_output"] == []
    assert answer["result"] == "applied"
    assert_nothing_left(host)


def test_a_command_that_objects_or_hangs(clean: Host) -> None:
    host = clean
    command = "seq 100; echo no good >&2; exit 7"
    answer = apply(host, *RELOADED, "--verify-cmd", command, status=3)
    assert answer["verify_output"][-2:] == ["100", "no good"]
    assert len(answer["verify_output"]) == 20
    assert "status 7" in answer["error"]
    assert answer["canary"]["state"] == "passed"
    put_back(host, None)

    done = harden(host, "apply", "-y", *RELOADED, "--verify-cmd", "echo why; kill $$", status=3)
    shown = plain(done.stdout + done.stderr)
    assert "ended by signal 15" in shown
    assert "The command said: why" in shown
    put_back(host, None)

    # It is killed with all that it has started.
    command = "sleep 4711 & sleep 4711; echo survived >/run/survived"
    answer = apply(host, *RELOADED, "--timeout", "2", "--verify-cmd", command, status=3)
    assert "within 2 seconds" in answer["error"]
    assert host.run("pgrep -f '[s]leep 4711'", check=False).stdout == ""
    put_back(host, None)


# --- --confirm


def confirmed(host: Host) -> bool:
    return host.api("/info")["LiveRestoreEnabled"] is True


PROMPT = r"kill -USR1 (\d+) says yes"


def ask(host: Host, seconds: int) -> Terminal:
    """harden on a terminal, where it waits for its yes."""
    terminal = Terminal(host, "harden", "apply", "-y", *RELOADED, "--confirm", str(seconds))
    # Typed before the question: that is no yes.
    terminal.send(b"\n")
    terminal.read_until(PROMPT)
    assert confirmed(host)
    return terminal


def test_enter_is_a_yes(clean: Host) -> None:
    terminal = ask(clean, 60)
    terminal.send(b"\n")
    assert terminal.finish() == 0
    assert confirmed(clean)
    assert_nothing_left(clean)


def test_a_signal_is_a_yes(clean: Host) -> None:
    host = clean
    terminal = ask(host, 60)
    found = re.search(PROMPT, terminal.text)
    assert found
    host.run(["kill", "-USR1", found.group(1)])
    assert terminal.finish() == 0
    assert confirmed(host)
    assert_nothing_left(host)


def test_a_no_and_a_signal_put_it_back(clean: Host) -> None:
    terminal = ask(clean, 60)
    # Ctrl-D and another word are neither.
    terminal.send(b"\x04what\nno\n")
    assert terminal.finish() == 3
    assert "the answer was no" in plain(terminal.text)
    put_back(clean, None)
    terminal = ask(clean, 60)
    terminal.send(b"\x03")
    assert terminal.finish() == 3
    put_back(clean, None)


def ended(host: Host) -> bool:
    return host.run("pgrep -x harden", check=False).stdout == ""


def test_a_lost_terminal_is_no_yes(clean: Host) -> None:
    host = clean
    terminal = ask(host, 5)
    host.run("kill -KILL $(pgrep -x script)")
    terminal.process.communicate(timeout=10)
    # It outlives its session ...
    assert not ended(host)
    assert confirmed(host)
    # ... and puts the host back.
    wait_until("harden has ended", lambda: ended(host))
    put_back(host, None)


def test_nobody_at_all(clean: Host) -> None:
    """No terminal, closed pipes."""
    host = clean
    process = start_harden(host, "apply", "-y", "--json", *RELOADED, "--confirm", "2")
    assert process.stdout and process.stderr
    wait_until("it is in force", lambda: confirmed(host))
    process.stderr.close()
    out = process.stdout.read()
    assert process.wait(30) == 3
    answer = json.loads(out)
    assert answer["result"] == UNDONE
    assert "within 2 seconds" in answer["error"]
    assert answer["phases_ms"]["confirm"] >= 2000
    put_back(host, None)


def test_killed_while_it_waits(clean: Host) -> None:
    host = clean
    terminal = ask(host, 60)
    signal_harden(host, "KILL")
    terminal.finish()
    assert pending(host) is not None
    assert confirmed(host)
    shown = harden(host, "recover").stdout
    assert "It is undone" in shown
    put_back(host, None)


def test_options_of_apply_alone(host: Host) -> None:
    for words in (["--no-canary"], ["--verify-cmd", "true"], ["--confirm", "5"]):
        done = harden(host, "rollback", *words, status=2)
        assert "is for apply" in done.stderr
    for seconds in ("0", "-1", "x", "1.5", ""):
        done = harden(host, "apply", "--confirm", seconds, status=2)
        assert "seconds" in done.stderr
    with pytest.raises(HostError):
        host.run("harden apply --verify-cmd ''")
