"""The candidate configuration on a throwaway dockerd: what it catches, and that it leaves no trace."""

from __future__ import annotations

import concurrent.futures
import json
import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from applies import (
    CONFIG,
    SMALL,
    STATE,
    apply,
    config,
    document,
    dropin,
    finish,
    harden,
    history,
    plain,
    saved,
    start_harden,
    units,
    wait_until,
)
from hosts import Host, differences, share
from workload import PORT, Authorizer, Prober, life, make_outside, start_server

OURS = ("/run/harden-rehearsal", "/var/lib/docker/.harden-rehearsal", f"{STATE}/rehearsal")

# --- configurations that are bad, and a few that are good

NOFILE = {"Name": "nofile", "Hard": 99999999, "Soft": 99999999}

CASES: dict[str, dict[str, Any]] = {
    "nothing at all": {},
    "another log driver": {"log-driver": "journald"},
    "another cgroup driver": {"exec-opts": ["native.cgroupdriver=cgroupfs"]},
    "log-opts of another driver": {"log-driver": "syslog", "log-opts": {"max-size": "10m"}},
    "icc off, iptables off": {"icc": False, "iptables": False},
    "seccomp file missing": {"seccomp-profile": "/etc/no-such.json"},
    "seccomp file broken": {"seccomp-profile": "/etc/hostname"},
    "unknown storage driver": {"storage-driver": "foo"},
    "data-root is a file": {"data-root": "/etc/hostname"},
    "unknown default runtime": {"default-runtime": "nope"},
    "runtime that is not there": {"runtimes": {"x": {"path": "/no/x"}}, "default-runtime": "x"},
    "bad address pool": {"default-address-pools": [{"base": "10.0.0.0/16", "size": 8}]},
    "authorization plugin missing": {"authorization-plugins": ["nosuchplugin"]},
    "ulimit without Name": {"default-ulimits": {"nofile": {"Hard": 1000, "Soft": 1000}}},
    "nofile above the limit": {"default-ulimits": {"nofile": NOFILE}},
    "nobody at the syslog address": {
        "log-driver": "syslog",
        "log-opts": {"syslog-address": "tcp://127.0.0.1:1"},
    },
    "user without subuid": {"userns-remap": "daemon"},
    "unknown user": {"userns-remap": "nosuchuser"},
    "TLS files missing": {"tls": True, "tlscert": "/no/c.pem", "tlskey": "/no/k.pem"},
    "bad bip": {"bip": "10.0.0.1/99"},
    "unsupported exec-opt": {"exec-opts": ["foo=bar"]},
    "bridge that is not there": {"bridge": "br-nope"},
    "unknown key": {"nonsense": True},
    "wrong type": {"debug": "yes"},
    "bad log level": {"log-level": "loud"},
    "bad dns": {"dns": ["300.0.0.1"]},
    "conflicting labels": {"labels": ["a=1", "a=2"]},
    "bad ipc mode": {"default-ipc-mode": "bad"},
    "bad generic resources": {"node-generic-resources": ["nonsense"]},
    "bad size": {"default-shm-size": "nonsense"},
    "negative count": {"max-concurrent-downloads": -1},
}


class Outcome(NamedTuple):
    """What became of one configuration."""

    fine: bool
    said: str


def write_config(host: Host, document: object) -> None:
    path = host.path(CONFIG)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))


def validate(host: Host) -> str:
    """dockerd's own opinion of the file; it has none before 23.0."""
    if host.suite == "bookworm":
        return "n/a"
    done = host.run(["dockerd", "--validate", f"--config-file={CONFIG}"], check=False)
    return "OK" if done.returncode == 0 else "refused"


def rehearse(host: Host) -> dict[str, Any]:
    """The rehearsal of the file as it is: the one setting that is planned for complies."""
    done = host.run(
        ["harden", "plan", "--rehearse", "--json", "--only", "experimental"], check=False
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    assert "rehearsal" in answer, f"{done.stdout}\n{done.stderr}"
    found: dict[str, Any] = answer["rehearsal"]
    assert (done.returncode == 2) == (found["state"] == "failed" or answer["obstacles"] != [])
    return found


def restart(host: Host) -> Outcome:
    """The same file for the live daemon."""
    began = time.time()
    done = host.run(
        "systemctl reset-failed; systemctl restart docker.service", check=False, timeout=90
    )
    if done.returncode == 0:
        return Outcome(True, "")
    lines = host.journal("docker.service", began).splitlines()
    words = [line for line in lines if re.search("fail|unable|invalid|conflict|Error", line)]
    return Outcome(False, words[0] if words else "")


def first_container(host: Host) -> Outcome:
    done = host.run(
        "docker image inspect bb:1 >/dev/null 2>&1 || docker import /usr/local/share/bb.tar bb:1"
        " >/dev/null && docker run --rm bb:1 true",
        check=False,
    )
    return Outcome(done.returncode == 0, done.stderr)


def restart_with_all(suite: str) -> dict[str, tuple[Outcome, Outcome | None]]:
    """A host of its own for what breaks the live daemon."""
    found = {}
    with Host.boot(suite, f"{suite}-restarted") as host:
        for name in share(list(CASES), suite):
            write_config(host, CASES[name])
            started = restart(host)
            found[name] = (started, first_container(host) if started.fine else None)
    return found


def print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


# --- full listings


def _lines(host: Host, command: str) -> list[str]:
    return sorted(host.run(command, check=False).stdout.splitlines())


def listings(host: Host) -> dict[str, list[str]]:
    """Everything of a host that a rehearsal could leave something in."""
    found = {
        # Scopes of sessions and timers come and go by themselves.
        "units": "systemctl list-units --all --plain --no-legend --full | awk '{print $1, $3, $4}'"
        " | grep -v -e '^session' -e '\\.timer ' -e '^systemd-' -e '^run-' -e 'apt-' -e 'dpkg-'"
        " -e 'e2scrub' -e 'fstrim' -e 'man-db' -e '^var-lib-docker-'",
        "mounts": "cut -d' ' -f4- /proc/1/mountinfo",
        "links": "ip -o link show | sed 's/@.*//; s/ mtu.*//'",
        "network namespaces": "lsns -t net -n -o NS,COMMAND; ip netns list; ls /run/docker/netns",
        "iptables": "iptables-save | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'",
        "ip6tables": "ip6tables-save | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'",
        "containerd": "ctr namespaces list -q; ctr -n moby containers list -q;"
        " ctr -n plugins.moby containers list -q",
        "containers": "docker ps -aq --no-trunc; docker images -aq; docker network ls -q;"
        " docker volume ls -q",
        "accounts": "cd /etc; sha256sum passwd group shadow gshadow subuid subgid",
        "processes": "ps -eo ppid=,args= | grep -v -e 'ps -eo' -e systemd -e '\\[' -e nsenter"
        " -e '/bin/sh -c' -e 'agetty' -e 'dbus-' -e grep -e sh$",
        "cgroups": "find /sys/fs/cgroup -type d | grep -e docker -e harden -e rehearsal",
        "run": "find /run -xdev -not -path '/run/systemd/*' -not -path '/run/log/*'"
        " -not -path '/run/udev/*' -not -path '/run/user/*'",
        "data": "find /var/lib/docker /var/lib/containerd -xdev -maxdepth 3 -not -name '*.db*'",
        "tmp": "find /tmp /var/tmp /opt -xdev",
    }
    return {name: _lines(host, command) for name, command in found.items()}


def assert_same(
    host: Host, before: dict[str, list[str]], files: dict[str, Any], exclude: tuple[str, ...] = ()
) -> None:
    after = listings(host)
    for name, lines in before.items():
        assert after[name] == lines, f"{name}: {sorted(set(lines) ^ set(after[name]))}"
    assert differences(files, saved(host, include=(*_ACCOUNTS,), exclude=exclude), times=False) == []


_ACCOUNTS = tuple(f"/etc/{name}" for name in ("passwd", "group", "shadow", "subuid", "subgid"))


def marks(host: Host) -> list[str]:
    return [path for path in OURS if host.run(["test", "-e", path], check=False).returncode == 0]


# --- the tests


def kill_in_the_middle(host: Host, reached: Callable[[], bool]) -> None:
    """A rehearsal whose harden is killed once that much of it is there."""
    process = start_harden(host, "plan", "--rehearse", "--only", "experimental")
    wait_until("the rehearsal is under way", reached)
    host.run("kill -KILL $(pgrep -x harden)")
    assert finish(process)[0] != 0


# A data root that is none is not even tried, and the log's address is tried from the host's network.
NOT_BY_DOCKERD = {"data-root is a file", "nobody at the syslog address"}


def test_what_it_catches_and_leaves(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """Bad configurations one after the other, and the live daemon notices none of them."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        real = pool.submit(restart_with_all, host.suite)
        outside = make_outside(host)
        start_server(host, "web")
        before, files = listings(host), saved(host, include=_ACCOUNTS, exclude=(CONFIG,))
        pid, alive = host.dockerd_pid(), life(host, "web")
        prober = Prober(outside, "10.77.0.1", PORT)
        found = {}
        for name in share(list(CASES), host.suite):
            write_config(host, CASES[name])
            found[name] = (validate(host), rehearse(host))
            assert (host.dockerd_pid(), life(host, "web")) == (pid, alive), name
            assert marks(host) == [], name
        probed = prober.finish()
        write_config(host, {})
        kill_in_the_middle(host, lambda: host.live_path("/run/harden-rehearsal/exec").exists())
        assert marks(host) != []
        said = harden(host, "recover").stdout
        assert_same(host, before, files, (CONFIG,))
    assert "rehearsal had been interrupted" in said
    assert probed["tried"] > 100
    assert (probed["failed"], probed["gap_ms"] < 500) == (0, True), probed
    assert (host.dockerd_pid(), life(host, "web")) == (pid, alive)

    rows = [("configuration", "--validate", "rehearsal", "real restart", "first container", "cause")]
    wrong = []
    for name, (restarted, container) in real.result().items():
        said_before, rehearsal = found[name]
        shown = "-" if container is None else "runs" if container.fine else "fails"
        rows.append(
            (
                name,
                said_before,
                rehearsal["state"],
                "starts" if restarted.fine else "dies",
                shown,
                rehearsal["key"] or "",
            )
        )
        caught = rehearsal["state"] == "failed"
        bad = not restarted.fine or shown == "fails"
        if caught != bad:
            wrong.append(f"{name}: {rehearsal} {restarted} {container}")
        if caught:
            assert rehearsal["dockerd"] or name in NOT_BY_DOCKERD, rehearsal
            assert rehearsal["key"] in CASES[name], (name, rehearsal)
    with capsys.disabled():
        print(f"\n{host.suite}, dockerd {host.version}; {probed['tried']} connections to a"
              f" published port meanwhile, {probed['failed']} failed, longest gap"
              f" {probed['gap_ms']} ms")
        print_table(rows)
    assert wrong == []
    whole = len(found) == len(CASES)
    fail = len([row for row in rows[1:] if row[3] == "dies" or row[4] == "fails"])
    assert fail >= (25 if whole else len(found) // 2)
    # What --validate passes and the daemon dies of: that is what all this is for.
    if host.suite != "bookworm":
        unseen = len([row for row in rows[1:] if row[1:4] == ("OK", "failed", "dies")])
        assert unseen >= (10 if whole else 1)


# From the mark to the last folder: what is on the disk then differs.
POINTS = ("renameat:1", "mkdir:1", "mkdir:4", "connect:8", "connect:13", "rmdir:14")


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_it_leaves_nothing(host: Host, point: str) -> None:
    """As it enters a system call; recover and the next rehearsal both clear it away."""
    if point == POINTS[0]:
        host.reset_docker({"userns-remap": ""})
    before, files = listings(host), saved(host, include=_ACCOUNTS)
    words = ("plan", "--rehearse", "--set", "userns-remap=default", "--accept", "userns-remap")
    call, number = point.split(":")
    trace = ("-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}")
    done = host.run(["strace", *trace, "harden", *words], check=False)
    assert done.returncode != 0, f"{point} is not reached"
    assert (marks(host) != []) == (point != POINTS[0])
    if point in POINTS[::2]:
        harden(host, "recover")
    else:
        harden(host, *words)
    assert marks(host) == []
    assert_same(host, before, files)


def test_power_cut_in_a_rehearsal_is_swept_at_boot(host: Host) -> None:
    host.reset_docker()
    kill_in_the_middle(host, lambda: host.live_path(f"{OURS[1]}/containerd").exists())
    host.reboot()
    assert marks(host) == []
    assert "Nothing is pending" in harden(host, "recover").stdout


def test_apply_refuses_what_does_not_come_up(host: Host) -> None:
    host.reset_docker()
    wanted = ("--set", "seccomp-profile=/etc/no-such.json", "--only", "seccomp-profile")
    files, pid = saved(host), host.dockerd_pid()
    answer = apply(host, *wanted, status=2, rehearse=True)
    rehearsal = answer["rehearsal"]
    assert (answer["result"], answer["id"]) == ("refused", None)
    assert (rehearsal["state"], rehearsal["key"]) == ("failed", "seccomp-profile")
    assert "no such file or directory" in rehearsal["dockerd"][0]
    assert "seccomp-profile" in answer["error"]
    assert answer["phases_ms"]["rehearse"] == rehearsal["ms"] > 0
    done = harden(host, "apply", "--yes", *wanted, status=2)
    assert "Nothing was changed." in done.stdout
    assert "/etc/no-such.json" in plain(done.stdout)
    assert (differences(files, saved(host), times=False), host.dockerd_pid()) == ([], pid)
    assert history(host) == []
    # Without it the same goes as far as the live daemon, and back.
    left_out = apply(host, "--no-rehearsal", *wanted, status=3)
    assert left_out["rehearsal"]["state"] == "skipped"


def test_apply_rehearses_first_and_says_so(host: Host) -> None:
    host.reset_docker()
    answer = apply(host, *SMALL, rehearse=True)
    assert answer["rehearsal"]["state"] == "passed"
    assert answer["phases_ms"]["rehearse"] > 0
    assert answer["api_downtime_ms"] > 0
    assert marks(host) == []
    # Nothing to do, nothing to rehearse; plan does it where it is told to.
    assert apply(host, *SMALL, rehearse=True)["rehearsal"] is None
    shown = document(host, "plan", "--rehearse", *SMALL)
    assert shown["rehearsal"]["state"] == "passed"
    assert document(host, "plan", *SMALL)["rehearsal"] is None
    said = harden(host, "--dry-run", "--rehearse", *SMALL).stdout
    assert "Rehearsed: a throwaway dockerd came up" in plain(said)


def test_stopped_docker_is_rehearsed_and_stays_stopped(host: Host) -> None:
    host.reset_docker(start=False)
    before = listings(host)
    answer = apply(host, *SMALL, status=5, rehearse=True)
    assert answer["rehearsal"]["state"] == "passed"
    after = listings(host)
    assert "inactive" in units(host)
    for name in ("processes", "run", "mounts", "links", "iptables", "cgroups"):
        assert after[name] == before[name], name
    write_config(host, {"seccomp-profile": "/etc/no-such.json"})
    text = config(host)
    assert apply(host, "--only", "icc", status=2, rehearse=True)["rehearsal"]["state"] == "failed"
    assert config(host) == text


def test_where_it_cannot_be_done_it_says_so(host: Host) -> None:
    """A dockerd that will not run twice says nothing about the configuration."""
    host.reset_docker()
    wrapper = host.path("/usr/local/sbin/once")
    wrapper.write_text(
        '#!/bin/sh\nmkdir /run/once || exit 1\nexec /usr/sbin/dockerd "$@"\n'
    )
    wrapper.chmod(0o755)
    text = (
        "[Service]\nExecStart=\nExecStart=/usr/local/sbin/once -H fd://"
        " --containerd=/run/containerd/containerd.sock\nExecStopPost=-/bin/rmdir /run/once\n"
    )
    try:
        with dropin(host, text):
            host.run("systemctl restart docker")
            required = apply(host, "--rehearse=require", *SMALL, status=2, rehearse=True)
            assert required["rehearsal"]["state"] == "skipped"
            assert "/run/once" in required["error"]
            assert config(host) is None
            done = harden(host, "apply", "--yes", *SMALL)
            assert "Not rehearsed: " in plain(done.stdout)
            assert "/run/once" in plain(done.stdout)
    finally:
        wrapper.unlink()
        host.run("systemctl reset-failed; systemctl restart docker", check=False)
    assert marks(host) == []


def rehearsed(host: Host, key: str, value: object) -> dict[str, Any]:
    wanted = ("--only", key, "--set", f"{key}={json.dumps(value)}")
    found: dict[str, Any] = document(host, "plan", "--rehearse", *wanted)["rehearsal"]
    return found


def test_what_is_the_hosts_own(host: Host) -> None:
    """A plugin of the host is asked; a bridge of the host is left out, and that is said."""
    host.reset_docker()
    host.run("ip link add br7 type bridge && ip address add 10.7.0.1/24 dev br7")
    plugin = Authorizer(host)
    try:
        asked = rehearsed(host, "authorization-plugins", ["deny"])
        bridged = rehearsed(host, "bridge", "br7")
    finally:
        plugin.close()
        host.run("ip link delete br7")
    assert (asked["state"], asked["notes"]) == ("passed", [])
    assert (bridged["state"], "br7" in bridged["notes"][0]) == ("passed", True)


def test_interrupted_it_changes_nothing(host: Host) -> None:
    host.reset_docker()
    files = saved(host)
    process = start_harden(host, "apply", "--yes", *SMALL)
    wait_until("it rehearses", lambda: host.live_path("/run/harden-rehearsal/exec").exists())
    host.run("kill -INT $(pgrep -x harden)")
    status, out, err = finish(process)
    assert status == 2, out + err
    assert "interrupted" in out + err
    assert differences(files, saved(host), times=False) == []
    assert (marks(host), history(host)) == ([], [])


def test_options_exclude_each_other(host: Host) -> None:
    assert "opposite" in harden(host, "plan", "--rehearse", "--no-rehearsal", status=2).stderr
    assert "expected" in harden(host, "plan", "--rehearse=maybe", status=2).stderr
    done = host.run(["harden", "plan", "--rehearse"], check=False, user="nobody")
    assert done.returncode == 2
    assert "root" in done.stderr
