"""Everything goes wrong, and the host is as it was: in bounded time, with the right exit status."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from applies import (
    CONFIG,
    QUESTION,
    SMALL,
    STATE,
    Terminal,
    apply,
    assert_docker_works,
    config,
    document,
    dropin,
    entries,
    finish,
    harden,
    history,
    kill_in_mid_restart,
    latest,
    leftovers,
    pending,
    plain,
    plan,
    reported,
    rollback,
    saved,
    seconds_taken,
    signal_harden,
    slow_start,
    start_harden,
    start_pre_runs,
    states,
    units,
    wait_until,
)
from hosts import Host, HostError, differences

# What the rehearsal would have caught goes as far as the live daemon.
LIVE = ("--no-rehearsal",)
BAD_BIP = "bip=10.999.0.1/24"

# --- dockerd does not start with it

# What neither the planner nor `dockerd --validate` notices, and what dockerd says of it. The same
# plan three times over is more starts in 60 seconds than Docker's unit allows.
REFUSED_BY_DOCKERD = [
    ("seccomp-profile=/etc/nothing.json", "/etc/nothing.json: no such file"),
    ("data-root=/etc/hostname", "points to a file '/etc/hostname'"),
    ("storage-driver=btrfs", "prerequisites for driver not satisfied"),
    *[("bip=10.999.0.1/24", "invalid CIDR address: 10.999.0.1/24")] * 3,
]


def test_a_plan_that_dockerd_refuses_is_taken_back(host: Host) -> None:
    # Named, so that another driver is a change like any other.
    host.reset_docker(b'{"storage-driver": "overlay2"}')
    before, said = saved(host), reported(host)
    began = time.monotonic()
    for index, (wanted, reason) in enumerate(REFUSED_BY_DOCKERD):
        assert plan(host, "--set", wanted)["obstacles"] == []
        if index % 2:
            done = harden(host, "apply", "--yes", *LIVE, "--set", wanted, status=3)
            assert plain(reason) in plain(done.stdout + done.stderr), done.stdout + done.stderr
            assert len((done.stdout or done.stderr).splitlines()) > 1
        else:
            answer = apply(host, *LIVE, "--set", wanted, status=3)
            assert answer["result"] == "rolled-back"
            assert answer["error"]
            assert plain(reason) in plain(answer["error"] + answer["_stderr"] + json.dumps(answer))
            assert "applied" not in states(answer).values()
            assert answer["phases_ms"]["undo"] > 0
        assert units(host) == ("active", "active")
        assert differences(before, saved(host), times=False) == []
        assert reported(host) == said
        assert (pending(host), leftovers(host)) == (None, [])
    assert seconds_taken(began) < 60
    assert {(e["state"], e["result"]) for e in history(host)} == {("rolled-back", "rolled-back")}
    assert all(entry["error"] for entry in history(host))
    assert len(history(host)) == len(REFUSED_BY_DOCKERD)
    in_journal = entries(host, latest(host)["id"])
    assert in_journal[-1]["HARDEN_RESULT"] == "rolled-back"
    # There is nothing to roll back after that, and a good plan works at once.
    assert rollback(host)["result"] == "unchanged"
    assert apply(host)["result"] == "applied"


def test_a_rollback_that_dockerd_refuses_is_taken_back(host: Host) -> None:
    """What the old daemon.json named is gone by now: the host stays hardened, and runs."""
    host.path("/etc/empty-seccomp.json").write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    host.reset_docker({"seccomp-profile": "/etc/empty-seccomp.json"})
    apply(host, "--set", "seccomp-profile=null", *SMALL, "--only", "seccomp-profile")
    host.path("/etc/empty-seccomp.json").unlink()
    before = saved(host)
    answer = rollback(host, status=3)
    assert answer["result"] == "unchanged"
    assert answer["error"]
    assert "/etc/empty-seccomp.json" in json.dumps(answer)
    assert differences(before, saved(host), times=False) == []
    assert_docker_works(host)


WRAPPER = "/usr/local/sbin/dockerd-wrapper"


@contextlib.contextmanager
def wrapped(host: Host, when_hardened: str, more: str = "") -> Iterator[None]:
    """dockerd behind a script that does something else once daemon.json is hardened."""
    path = host.path(WRAPPER)
    path.write_text(
        f"#!/bin/sh\nif grep -q no-new-privileges {CONFIG} 2>/dev/null; then\n"
        f'{when_hardened}\nfi\nexec /usr/sbin/dockerd "$@"\n',
        encoding="utf-8",
    )
    path.chmod(0o755)
    shown = host.run("systemctl show --property=ExecStart --value docker.service").stdout
    argv = shown.partition("argv[]=")[2].partition(" ;")[0].split()
    command = " ".join([WRAPPER, *argv[1:]])
    try:
        with dropin(host, f"[Service]\nExecStart=\nExecStart={command}\n{more}"):
            host.run("systemctl restart docker.service")
            host.wait_for_docker()
            yield
    finally:
        path.unlink()


NEVER_READY = {
    "exec sleep 600": ("", "the job was cancelled"),
    # systemd takes it for started, and nobody takes what comes to the socket.
    "systemd-notify --ready; exec sleep 600": ("NotifyAccess=all\n", "its API did not answer"),
}


@pytest.mark.parametrize("script", NEVER_READY, ids=["no-notification", "no-answer"])
def test_a_daemon_that_never_gets_ready(host: Host, script: str) -> None:
    host.reset_docker()
    more, reason = NEVER_READY[script]
    with wrapped(host, script, more):
        before = saved(host)
        began = time.monotonic()
        answer = apply(host, "--timeout", "2", *SMALL, status=3)
        assert 2 < seconds_taken(began) < 15
        assert answer["result"] == "rolled-back"
        assert reason in plain(answer["error"])
        assert differences(before, saved(host), times=False) == []
        assert_docker_works(host)
        assert "docker.service" not in host.run("systemctl list-jobs --no-legend").stdout
    host.reset_docker()


def test_when_putting_back_fails_too(host: Host) -> None:
    """dockerd is gone for good in the middle: exit 4, and the way out is printed and works."""
    host.reset_docker()
    with dropin(
        host,
        f"[Service]\nRestart=no\nExecStartPre=/bin/sh -c 'if grep -q no-new-privileges {CONFIG};"
        " then touch /run/broken; fi; test ! -e /run/broken'\n",
    ):
        before = saved(host)
        answer = apply(host, "--timeout", "10", *SMALL, status=4)
        assert answer["result"] == "rollback-failed"
        # The files are back: only the daemon is not.
        assert differences(before, saved(host), times=False) == []
        assert units(host)[0] in ("failed", "inactive")
        text = plain(answer["_stderr"] + json.dumps(answer))
        assert "systemctl" in text or "harden recover" in text
        assert latest(host)["result"] == "rollback-failed"
        assert any("recover" in warning for warning in plan(host)["warnings"])

        host.run("rm /run/broken")
        done = document(host, "recover")
        assert done["result"] in ("rolled-back", "unchanged"), done
        assert pending(host) is None
        assert_docker_works(host)
        assert differences(before, saved(host), times=False) == []
    host.reset_docker()


# --- files that cannot be written


@contextlib.contextmanager
def mounted(host: Host, options: str, source: str, at: str) -> Iterator[None]:
    host.run(["mkdir", "-p", at] if not host.live_path(at).exists() else ["true"])
    host.run(f"mount {options} {source} {at}")
    try:
        if "bind" in options:
            host.run(f"mount -o remount,bind,ro {at}")
        yield
    finally:
        host.run(f"umount {at}")


@contextlib.contextmanager
def flagged(host: Host, flag: str, path: str) -> Iterator[None]:
    """With a flag of chattr(1), which only two of the three suites have inside."""
    outside = str(host.path(path))
    subprocess.run(["chattr", f"+{flag}", outside], check=True)
    try:
        yield
    finally:
        subprocess.run(["chattr", f"-{flag}", outside], check=True)


def assert_refused(host: Host, path: str, *words: str) -> str:
    """Exit 2 with an error that names path; nothing has changed. Returns the error."""
    before = saved(host)
    old, pid, ids = config(host), host.dockerd_pid(), history(host)
    answer = apply(host, *words, status=2)
    assert answer["result"] == "refused"
    assert path in answer["error"]
    assert path in harden(host, "apply", "--yes", *words, status=2).stderr
    assert (config(host), host.dockerd_pid()) == (old, pid)
    assert differences(before, saved(host), times=False) == []
    assert leftovers(host) == []
    assert history(host) == ids
    assert not plan(host, *words)["warnings"]
    return str(answer["error"])


def test_files_that_cannot_be_written(host: Host) -> None:
    host.reset_docker({"debug": False})
    for flag in ("i", "a"):
        with flagged(host, flag, CONFIG):
            assert "chattr" in assert_refused(host, CONFIG, *SMALL)
    with flagged(host, "i", "/etc/docker"):
        assert "chattr" in assert_refused(host, "/etc/docker", *SMALL)
    with mounted(host, "--bind", CONFIG, CONFIG):
        assert "mount" in assert_refused(host, CONFIG, *SMALL)
    # Also a mount that could be written: it cannot be replaced by a rename.
    host.run(f"mount --bind {CONFIG} {CONFIG}")
    try:
        assert "mount" in assert_refused(host, CONFIG, *SMALL)
    finally:
        host.run(f"umount {CONFIG}")
    with mounted(host, "--bind", "/etc/docker", "/etc/docker"):
        assert "read-only" in assert_refused(host, "/etc/docker", *SMALL).lower()
    # The folder of harden itself.
    host.run(f"mkdir -p {STATE}")
    with mounted(host, "--bind", STATE, STATE):
        assert_refused(host, STATE, *SMALL)
    assert apply(host, *SMALL)["result"] == "applied"


@contextlib.contextmanager
def full_disk(host: Host, at: str, free_kib: int = 0) -> Iterator[None]:
    """A file system of its own at `at`, with what was there, and without room."""
    host.run(f"mkdir -p {at} /run/kept && cp -a {at}/. /run/kept/")
    host.run(f"mount -t tmpfs -o size=256k,mode=0755 tmpfs {at} && cp -a /run/kept/. {at}/")
    host.run(f"dd if=/dev/zero of={at}/ballast bs=4k 2>/dev/null", check=False)
    if free_kib:
        host.run(f"truncate -s -{free_kib}k {at}/ballast")
    try:
        yield
    finally:
        host.run(f"umount {at}; rm -rf /run/kept")


def test_full_file_systems(host: Host) -> None:
    host.reset_docker({"labels": [f"key{i}=value" for i in range(400)]})
    # At 4 KiB the record fits and the bytes of the files do not, or only one of them does.
    for free_kib in (0, 4, 8, 12):
        with full_disk(host, STATE, free_kib):
            error = assert_refused(host, STATE, *SMALL)
            assert "no space" in error.lower() or "full" in error.lower()
    for free_kib in (0, 4):
        with full_disk(host, "/etc/docker", free_kib):
            error = assert_refused(host, "/etc/docker", *SMALL)
            assert "no space" in error.lower() or "full" in error.lower()
            listed = host.run("ls -A /etc/docker").stdout.split()
            assert set(listed) <= {"ballast", "daemon.json", "key.json"}
    assert apply(host, *SMALL)["result"] == "applied"


def test_a_file_changed_in_the_meantime(host: Host) -> None:
    """Between the plan that was shown and the yes, somebody edits daemon.json."""
    host.reset_docker({"debug": False})
    terminal = Terminal(host, "harden", "apply", *SMALL)
    terminal.read_until(QUESTION)
    host.path(CONFIG).write_text('{"debug": true}\n', encoding="utf-8")
    terminal.send(b"y\n")
    assert terminal.finish() == 2, terminal.text
    assert CONFIG in terminal.text
    assert config(host) == b'{"debug": true}\n'
    assert history(host) == []


# --- what it talks to goes away


def test_the_bus_dies_in_mid_restart(host: Host) -> None:
    """It comes back by itself, and systemd has gone on: the apply does, too."""
    host.reset_docker()
    with slow_start(host, 1):
        began = time.monotonic()
        process = start_harden(host, "apply", "--yes", "--json", *SMALL)
        wait_until("docker is being restarted", lambda: start_pre_runs(host))
        host.run("systemctl kill --signal=KILL dbus.service")
        status, out, err = finish(process)
        assert seconds_taken(began) < 20
        assert status == 0, out + err
        assert json.loads(out)["result"] == "applied"
        assert b"no-new-privileges" in (config(host) or b"")
        assert (pending(host), leftovers(host)) == (None, [])
        assert_docker_works(host)
        assert apply(host, *SMALL)["result"] == "unchanged"
    host.run("systemctl start dbus.socket dbus.service")


def test_the_bus_is_gone_for_good(host: Host) -> None:
    host.reset_docker()
    before = saved(host)
    with slow_start(host, 1):
        began = time.monotonic()
        process = start_harden(host, "apply", "--yes", "--json", "--timeout", "5", *SMALL)
        wait_until("docker is being restarted", lambda: start_pre_runs(host))
        host.run("systemctl stop dbus.socket dbus.service")
        try:
            status, out, err = finish(process)
            assert seconds_taken(began) < 40
        finally:
            host.run("systemctl start dbus.socket dbus.service")
        assert status in (0, 3, 4), out + err
        answer = json.loads(out)
        new = b"no-new-privileges" in (config(host) or b"")
        assert new is (status == 0), out + err
        if status == 4:
            assert "systemctl" in answer["error"] + err + out
        else:
            assert pending(host) is None
        document(host, "recover")
        if status != 0:
            assert differences(before, saved(host), times=False) == []
        assert pending(host) is None
        assert_docker_works(host)
    host.reset_docker()


class Killer(threading.Thread):
    """Kills the next dockerd, while it starts or when it has begun to answer."""

    def __init__(self, host: Host, when: str) -> None:
        super().__init__(daemon=True)
        self.host, self.when = host, when
        self.old = host.dockerd_pid(outside=True)
        self.killed = False
        self.start()

    def run(self) -> None:
        wait_until("there is another dockerd", self.finds_another)
        if self.when == "proved":
            wait_until("it answers", self.answers)
            # The one that dies before harden has its own first answer is started again by systemd,
            # for docker.socket still listens, and that one stays.
            time.sleep(0.15)
        os.kill(self.pid, signal.SIGKILL)
        self.killed = True

    def finds_another(self) -> bool:
        with contextlib.suppress(HostError):
            self.pid = self.host.dockerd_pid(outside=True)
            return self.pid not in (0, self.old)
        return False

    def answers(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException, HostError):
            return bool(self.host.request("/_ping", timeout=1))
        return False


@pytest.mark.parametrize(
    ("when", "restart"),
    [("starting", "no"), ("proved", "no"), ("proved", "as installed")],
    ids=["starting", "proved", "proved-and-started-again"],
)
def test_dockerd_dies(host: Host, when: str, restart: str) -> None:
    host.reset_docker()
    before, said = saved(host), reported(host)
    with dropin(host, "[Service]\n" + ("Restart=no\n" if restart == "no" else "")):
        killer = Killer(host, when)
        began = time.monotonic()
        answer = apply(host, "--timeout", "15", *SMALL, status=3)
        assert seconds_taken(began) < 30
        killer.join(1)
        assert killer.killed
        assert answer["result"] == "rolled-back"
        assert answer["error"]
        assert differences(before, saved(host), times=False) == []
        assert_docker_works(host)
        assert reported(host) == said
        assert (pending(host), leftovers(host)) == (None, [])


# --- no journal


def fill_journal(host: Host) -> None:
    """Until its socket takes nothing more: whoever sends to it now would wait."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        sender.connect(str(host.live_path("/run/systemd/journal/socket")))
        for _ in range(100_000):
            try:
                sender.send(b"MESSAGE=filling\n")
            except BlockingIOError:
                return
    raise HostError("the journal's socket never fills")


def test_a_journal_that_hangs(host: Host) -> None:
    host.reset_docker(b'{"storage-driver": "overlay2"}')
    before = saved(host)
    host.run("systemctl kill --signal=STOP systemd-journald.service")
    try:
        fill_journal(host)
        began = time.monotonic()
        answer = apply(host, *SMALL, *LIVE, "--only", "bip", "--set", BAD_BIP, status=3)
        assert answer["result"] == "rolled-back"
        assert differences(before, saved(host), times=False) == []
        good = apply(host, *SMALL)
        assert good["result"] == "applied"
        rollback(host)
        assert seconds_taken(began) < 40
    finally:
        host.run("systemctl kill --signal=CONT systemd-journald.service")
    assert differences(before, saved(host), times=False) == []
    assert_docker_works(host)


JOURNAL = (
    "systemd-journald.socket systemd-journald-dev-log.socket systemd-journald-audit.socket"
    " systemd-journald-varlink@.socket systemd-journald.service"
)


def test_no_journal_at_all(host: Host) -> None:
    host.reset_docker(b'{"storage-driver": "overlay2"}')
    host.run(f"systemctl stop {JOURNAL}", check=False)
    try:
        host.run("! systemctl is-active --quiet systemd-journald.service")
        began = time.monotonic()
        apply(host, *SMALL, *LIVE, "--only", "bip", "--set", BAD_BIP, status=3)
        assert apply(host, *SMALL)["result"] == "applied"
        assert seconds_taken(began) < 30
    finally:
        host.run("systemctl start systemd-journald.socket systemd-journald-dev-log.socket")
        host.run("systemctl start systemd-journald.service")
    assert_docker_works(host)


# --- Ctrl-C, and worse


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_interrupted_while_docker_restarts(host: Host, name: str) -> None:
    host.reset_docker()
    before, said = saved(host), reported(host)
    with slow_start(host, 1):
        process = start_harden(host, "apply", "--yes", "--json", *SMALL)
        wait_until("docker is being restarted", lambda: start_pre_runs(host))
        signal_harden(host, name)
        time.sleep(0.3)
        # An impatient second one does not stop it from putting the host back.
        signal_harden(host, name)
        status, out, err = finish(process)
    assert status == 3, out + err
    answer = json.loads(out)
    assert answer["result"] == "rolled-back"
    assert "interrupt" in answer["error"].lower()
    assert differences(before, saved(host), times=False) == []
    assert_docker_works(host)
    assert reported(host) == said
    assert (pending(host), leftovers(host)) == (None, [])


def test_killed_in_mid_restart_and_recovered(host: Host) -> None:
    host.reset_docker()
    before, said = saved(host), reported(host)
    with slow_start(host, 1):
        kill_in_mid_restart(host, "apply", "--yes", *SMALL)
        left = pending(host)
        assert left
        identifier = left.rpartition("/")[2]
        # It is said wherever somebody looks, and looking changes nothing.
        warnings = plain(" ".join(plan(host)["warnings"]))
        assert identifier in warnings and "harden recover" in warnings
        assert identifier in plain(harden(host, "plan").stdout)
        assert latest(host)["state"] in ("prepared", "switched", "restarted")
        assert pending(host) == left

        answer = document(host, "recover")
        assert answer["id"] == identifier
        assert answer["result"] == "rolled-back"
        assert differences(before, saved(host), times=False) == []
        assert_docker_works(host)
        assert reported(host) == said
        assert (pending(host), leftovers(host)) == (None, [])
        last = entries(host, identifier)[-1]
        assert (last["HARDEN_RESULT"], last["HARDEN_USER"]) == ("rolled-back", "root")
        assert document(host, "recover")["result"] == "unchanged"
        assert not any("recover" in text for text in plan(host)["warnings"])


def test_killed_and_the_next_apply_goes_on(host: Host) -> None:
    host.reset_docker()
    with slow_start(host, 1):
        kill_in_mid_restart(host, "apply", "--yes", *SMALL)
        left = pending(host)
        assert left
        done = harden(host, "apply", "--yes", "--only", "live-restore")
        assert left.rpartition("/")[2] in done.stdout + done.stderr
        # The interrupted one is undone, and only the new one is in force.
        assert json.loads(config(host) or b"") == {"live-restore": True}
        assert reported(host)["live-restore"] is True
        assert pending(host) is None
        first, second = sorted(history(host), key=lambda entry: str(entry["id"]))
        assert (first["state"], second["state"]) == ("rolled-back", "committed")
        assert_docker_works(host)


def test_a_killed_rollback_is_recovered(host: Host) -> None:
    host.reset_docker()
    fresh = saved(host)
    apply(host, *SMALL)
    hardened = saved(host)
    with slow_start(host, 1):
        kill_in_mid_restart(host, "rollback", "--yes")
        assert pending(host)
        document(host, "recover")
        assert pending(host) is None
        now = saved(host)
        assert [] in (
            differences(fresh, now, times=False),
            differences(hardened, now, times=False),
        )
        assert_docker_works(host)
        rollback(host)
    assert differences(fresh, saved(host), times=False) == []


def test_recover_does_not_overwrite_what_was_edited_since(host: Host) -> None:
    host.reset_docker()
    with slow_start(host, 1):
        kill_in_mid_restart(host, "apply", "--yes", *SMALL)
        edited = (config(host) or b"").replace(b"{", b'{\n  "debug": true,', 1)
        host.path(CONFIG).write_bytes(edited)
        done = harden(host, "recover", status=4)
        assert CONFIG in done.stdout + done.stderr
        assert "--force" in done.stdout + done.stderr
        assert config(host) == edited
        assert pending(host)
        # Nothing new is begun on top of it.
        done = host.run(["harden", "apply", "--yes", *SMALL], check=False)
        assert done.returncode in (2, 4), done.stderr
        assert CONFIG in done.stderr and "--force" in done.stderr
        assert config(host) == edited
        document(host, "recover", "--force")
        assert config(host) is None
        assert pending(host) is None
        assert_docker_works(host)


def test_output_that_nobody_reads(host: Host) -> None:
    """A closed pipe or a full disk behind stdout: all is done, or nothing; never the half of it."""
    host.reset_docker()
    for command in ("apply", "rollback"):
        for words in ("--yes", "--yes --json", "--yes --quiet"):
            for out in ("| true", ">/dev/full", ">&-"):
                before, ids = config(host), len(history(host))
                host.run(f"harden {command} {words} {' '.join(SMALL)} {out}", check=False)
                changed = config(host) != before
                assert changed is (len(history(host)) > ids)
                assert pending(host) is None
    assert_docker_works(host)
