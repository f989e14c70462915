"""Logs over the network: the address is tried before anything is written, and rsyslog is told to
listen where it can be."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

import pytest
from applies import (
    apply,
    assert_docker_works,
    harden,
    leftovers,
    pending,
    plan,
    rollback,
    row,
    saved,
    slow_start,
    start_harden,
    start_pre_runs,
    states,
    wait_until,
)
from hosts import Host, differences

ADDRESS = "tcp://127.0.0.1:514"
ONLY = ("--only", "log-driver", "--only", "log-opts.syslog-address")
WORDS = ("--set", f"log-opts.syslog-address={ADDRESS}", *ONLY)
INPUT = "/etc/rsyslog.d/zz-harden.conf"
TEMPLATE = "/etc/harden/rsyslog/listener.conf"
BOTH = {"log-driver", "log-opts.syslog-address"}


def listens(host: Host, port: int = 514, at: str = "127.0.0.1") -> bool:
    shown = host.run(["ss", "-Hltn", f"sport = :{port}"]).stdout
    return any(line.split()[3] == f"{at}:{port}" for line in shown.splitlines())


def both(answer: dict[str, object]) -> set[str]:
    """The states of the two rows."""
    return {state for key, state in states(answer).items() if key in BOTH}


@contextlib.contextmanager
def rsyslog(host: Host, **files: str) -> Iterator[None]:
    """rsyslog that runs, with these files in its folder."""
    folder = host.path("/etc/rsyslog.d")
    for name, text in files.items():
        (folder / f"{name}.conf").write_text(text, encoding="utf-8")
    host.run("systemctl reset-failed rsyslog.service; systemctl restart rsyslog.service")
    try:
        yield
    finally:
        host.run(
            f"systemctl stop rsyslog.service syslog.socket; rm -rf {INPUT} /etc/harden"
            f" {' '.join(f'/etc/rsyslog.d/{name}.conf' for name in files)}"
        )


def rsyslog_start(host: Host) -> str:
    return host.run("systemctl show --property=InvocationID --value rsyslog.service").stdout


def test_without_a_listener_it_is_blocked(host: Host) -> None:
    host.reset_docker()
    before = saved(host)
    host.run("mv /usr/sbin/rsyslogd /root/")
    try:
        answer = apply(host, *WORDS, status=5)
    finally:
        host.run("mv /root/rsyslogd /usr/sbin/")
    assert both(answer) == {"blocked"}
    for key in BOTH:
        reason = row(answer, key)["reason"]
        assert ADDRESS in reason and "refused" in reason
        assert "install rsyslog" in reason and "another address" in reason
    assert answer["listener"] is None

    answer = apply(host, *WORDS, status=5)
    assert both(answer) == {"blocked"}
    assert "enable --now rsyslog" in row(answer, "log-driver")["reason"]

    # From afar nobody answers, and no listener of this host would help.
    elsewhere = apply(host, "--set", "log-opts.syslog-address=tcp://192.0.2.1:514", *ONLY, status=5)
    assert both(elsewhere) == {"blocked"}
    assert "rsyslog" not in row(elsewhere, "log-driver")["reason"]
    assert differences(before, saved(host), times=False) == []

    for address, state in (("unixgram:///dev/log", "change"), ("unix:///run/nobody", "blocked")):
        answer = plan(host, "--set", f"log-opts.syslog-address={address}", *ONLY)
        assert both(answer) == {state}

    # What the admin has is tried, too.
    host.reset_docker({"log-driver": "syslog", "log-opts": {"syslog-address": ADDRESS}})
    answer = apply(host, "--only", "log-driver", status=5)
    assert states(answer)["log-driver"] == "blocked"
    assert "It is configured" in row(answer, "log-driver")["reason"]


def test_rsyslog_is_told_to_listen(host: Host) -> None:
    host.reset_docker()
    with rsyslog(host):
        before = saved(host)
        shown = harden(host, "plan", *WORDS).stdout
        assert "rsyslog.service is restarted before that" in " ".join(shown.split())
        assert not listens(host) and differences(before, saved(host), times=False) == []

        answer = apply(host, *WORDS)
        assert answer["result"] == "applied"
        assert both(answer) == {"applied"}
        assert answer["listener"] == {"unit": "rsyslog.service", "address": ADDRESS}
        assert {f["path"] for f in answer["files"]} == {"/etc/docker/daemon.json", INPUT}
        assert listens(host) and not listens(host, at="0.0.0.0")
        host.import_image()
        host.run(["docker", "run", "--rm", "bb:1", "echo", "a line of a container"])
        wait_until(
            "the line is in rsyslog's file",
            lambda: "a line of a container" in host.path("/var/log/syslog").read_text(),
        )
        assert plan(host, *WORDS)["files"] == []
        assert apply(host, *WORDS)["result"] == "unchanged"

        undone = rollback(host)
        assert undone["result"] == "rolled-back"
        assert undone["listener"]["unit"] == "rsyslog.service"
        assert not listens(host)
        assert host.run("systemctl is-active rsyslog.service").stdout.strip() == "active"
        assert differences(before, saved(host), times=False) == []
        assert leftovers(host) == []
        assert_docker_works(host)


MODULE = 'module(load="imtcp" MaxSessions="300")\n'


@pytest.mark.parametrize(
    "loaded",
    [f'{MODULE}input(type="imtcp" port="10514")\n', "$ModLoad imtcp\n$InputTCPServerRun 10514\n"],
    ids=["new", "legacy"],
)
def test_the_module_is_loaded_already(host: Host, loaded: str) -> None:
    """By the admin, for an address of their own: a second time would be an error."""
    host.reset_docker()
    with rsyslog(host, admin=loaded):
        assert apply(host, *WORDS, "--set", "log-opts.tag=x")["result"] == "applied"
        assert "module(" not in host.path(INPUT).read_text()
        assert listens(host) and listens(host, 10514, "0.0.0.0")
        if loaded.startswith("$"):
            return
        # A second address is added; who logs at the first goes on.
        again = ["--set", "log-opts.syslog-address=tcp://[::1]:1514", *ONLY]
        assert apply(host, *again)["result"] == "applied"
        assert listens(host) and listens(host, 1514, "[::1]")
        rollback(host)
        assert listens(host) and not listens(host, 1514, "[::1]")
        rollback(host)
        assert not listens(host) and listens(host, 10514, "0.0.0.0")
        assert not host.path(INPUT).exists()


def test_what_rsyslog_refuses_is_not_written(host: Host) -> None:
    host.reset_docker()
    host.path(TEMPLATE).parent.mkdir(parents=True)
    host.path(TEMPLATE).write_text('input(type="nonsense" port="@PORT@")\n')
    with rsyslog(host):
        started = rsyslog_start(host)
        answer = apply(host, *WORDS, status=5)
        assert both(answer) == {"blocked"}
        assert "rsyslogd -N1" in row(answer, "log-driver")["reason"]
        assert "nonsense" in row(answer, "log-driver")["reason"]
        assert rsyslog_start(host) == started and not host.path(INPUT).exists()

        # Its check is content, and yet nobody listens there.
        host.path(TEMPLATE).write_text(
            'module(load="imtcp")\ninput(type="imtcp" address="@ADDRESS@" port="15514")\n'
        )
        before, pid = saved(host), host.dockerd_pid()
        answer = apply(host, "--timeout", "3", *WORDS, status=3)
        assert answer["result"] == "rolled-back"
        assert "nobody takes logs" in answer["error"]
        assert host.dockerd_pid() == pid
        assert not listens(host, 15514)
        assert differences(before, saved(host), times=False) == []
        assert (pending(host), leftovers(host)) == (None, [])


def test_killed_after_rsyslog_was_restarted(host: Host) -> None:
    host.reset_docker()
    with rsyslog(host), slow_start(host, 30):
        before = saved(host)
        process = start_harden(host, "apply", "--yes", *WORDS)
        wait_until("docker is being restarted", lambda: start_pre_runs(host))
        assert listens(host)
        host.run("kill -KILL $(pgrep -x harden)")
        process.wait(20)
        assert process.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL)
        host.run("rm -rf /run/systemd/system/docker.service.d; systemctl daemon-reload")
        harden(host, "recover")
        assert not listens(host)
        assert differences(before, saved(host), times=False) == []
        assert pending(host) is None
        assert_docker_works(host)


def test_files_only(host: Host) -> None:
    """Nothing is restarted; the next apply does that without another change of files."""
    host.reset_docker()
    with rsyslog(host):
        started = rsyslog_start(host)
        answer = apply(host, "--no-restart", *WORDS, status=5)
        assert any("rsyslog.service" in note for note in answer["notes"])
        assert rsyslog_start(host) == started and host.path(INPUT).exists()
        answer = apply(host, *WORDS)
        assert answer["files"] == [] and answer["result"] == "applied"
        assert listens(host)


def test_a_plan_without_an_address_asks_nobody(host: Host) -> None:
    host.reset_docker()
    trace = ["strace", "-f", "-o", "/root/trace", "-e", "trace=connect,execve,clone,fork,vfork"]
    host.run([*trace, "harden", "plan"], check=False)
    text = host.path("/root/trace").read_text(errors="replace")
    assert "rsyslog" not in text and "AF_INET" not in text
    done = host.run([*trace, "harden", "plan", *WORDS], check=False)
    assert "Two ways out" in " ".join(done.stdout.split())
    assert "sin_port=htons(514)" in host.path("/root/trace").read_text(errors="replace")
