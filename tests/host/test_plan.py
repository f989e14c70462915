"""`harden --dry-run` on real hosts: it tells the truth, changes nothing, and its plan holds."""

from __future__ import annotations

import json
import re
from typing import Any

import diffs
import pytest
from hosts import Host, differences
from keeper import COUNTERS

CONFIG = "/etc/docker/daemon.json"


def plan(host: Host, *options: str, status: int = 0, user: str | None = None) -> dict[str, Any]:
    done = host.run(["harden", "plan", "--json", *options], check=False, user=user)
    assert done.returncode == status, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def settings(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {setting["key"]: setting for setting in document["settings"]}


def states(document: dict[str, Any]) -> dict[str, str]:
    return {key: setting["state"] for key, setting in settings(document).items()}


def planned(document: dict[str, Any], before: str = "") -> str:
    """daemon.json as the plan would leave it."""
    files = {file["path"]: file for file in document["files"] if file["action"] != "mode"}
    return diffs.apply(before, files[CONFIG]["diff"]) if CONFIG in files else before


def validate(host: Host, path: str = CONFIG) -> None:
    """dockerd's own check, where it has one. It would create users for userns-remap."""
    if host.suite == "bookworm":
        return
    host.run("cp /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/subuid /etc/subgid /tmp/")
    done = host.run(f"dockerd --validate -H fd:// --config-file {path}", check=False)
    host.run("for f in passwd group shadow gshadow subuid subgid; do cp /tmp/$f /etc/$f; done")
    assert "configuration OK" in done.stderr, done.stderr


# --- right after installing docker.io

EXPECTED = {
    # key: (effect, CIS 1.1, CIS 1.6 and 1.7, CIS 1.8)
    "icc": ("containers", "2.1", "2.2", "2.2"),
    "default-ulimits": ("restart", "2.7", "2.8", "2.9"),
    "userns-remap": ("data", "2.8", "2.9", "2.10"),
    "log-driver": ("restart", "2.12", "2.13", "2.14"),
    "live-restore": ("reload", "2.14", "2.15", "2.16"),
    "userland-proxy": ("restart", "2.15", "2.16", "2.17"),
    "no-new-privileges": ("restart", "2.18", "2.14", "2.15"),
}


def test_a_fresh_host_lists_what_changes(host: Host) -> None:
    document = plan(host)
    rows = settings(document)
    for key, (effect, cis11, cis16, cis18) in EXPECTED.items():
        row = rows[key]
        assert (key, row["state"], row["effect"]) == (key, "change", effect)
        assert row["cis"] == {"1.1": cis11, "1.6": cis16, "1.7": cis16, "1.8": cis18}
        assert row["source"] == "default"
        assert row["reason"]
    assert rows["storage-driver"]["state"] in ("change", "ok")
    assert rows["storage-driver"]["effect"] == "none"
    assert rows["icc"]["in_force"] is True
    assert rows["live-restore"]["in_force"] is False
    assert rows["log-driver"]["in_force"] == "json-file"
    assert rows["userland-proxy"]["in_force"] is None
    facts = document["host"]
    assert facts["docker_version"].startswith(host.version)
    assert (facts["daemon"], facts["unit"]) == ("running", "docker.service")
    assert (facts["config_file"], facts["data_root"]) == (CONFIG, "/var/lib/docker")
    assert (facts["containers_running"], facts["images"], facts["swarm"]) == (0, 0, False)
    assert document["action"] == "restart"
    assert document["obstacles"] == []


def test_nofile_is_cut_to_what_the_daemon_may_set(host: Host) -> None:
    row = settings(plan(host))["default-ulimits"]
    pid = host.dockerd_pid()
    limit = host.run(f"awk '/^Max open files/ {{ print $5 }}' /proc/{pid}/limits").stdout.strip()
    capabilities = host.run(f"awk '/^CapEff/ {{ print $2 }}' /proc/{pid}/status").stdout.strip()
    may_raise = int(capabilities, 16) >> 24 & 1
    wanted = 64000 if may_raise else min(64000, int(limit))
    assert row["wanted"] == {"nofile": {"Name": "nofile", "Hard": wanted, "Soft": wanted}}
    assert may_raise or str(wanted) in row["reason"]


def test_the_text_shows_the_difference(host: Host) -> None:
    done = host.run(["harden", "--dry-run"])
    assert "+++ /etc/docker/daemon.json" in done.stdout
    assert '+  "live-restore": true' in done.stdout
    assert done.stdout.splitlines()[-1].endswith("Nothing was changed.")
    assert "\033" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stderr == ""


def test_exit_code_tells_of_changes(host: Host) -> None:
    assert host.run(["harden", "plan", "--exit-code"], check=False).returncode == 1
    assert host.run(["harden", "plan"], check=False).returncode == 0


# --- reading changes nothing


# dockerd itself writes the databases of its builder some time after it has started.
OWN = ["/var/lib/docker/buildkit"]


def test_nothing_on_the_host_changes(host: Host) -> None:
    host.run("journalctl --sync")
    before = host.snapshot(include=["/var/lib/docker"], exclude=OWN)
    pid = host.dockerd_pid()
    journal = host.run("journalctl --boot --no-pager | wc -l").stdout
    for command in (["harden", "--dry-run"], ["harden", "plan", "--json"], ["harden", "profiles"]):
        host.run(command)
    host.run("journalctl --sync")
    assert host.run("journalctl --boot --no-pager | wc -l").stdout == journal
    assert host.dockerd_pid() == pid
    after = host.snapshot(include=["/var/lib/docker"], exclude=OWN)
    assert differences(before, after) == []


# Calls that change something on the disk, whatever their arguments.
CHANGING = (
    "rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,"
    "mknod,mknodat,truncate,ftruncate,chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,"
    "setxattr,lsetxattr,fsetxattr,utimensat,utime,mount,umount2,kill,tkill"
)


def test_a_trace_shows_no_write(host: Host) -> None:
    trace = host.path("/root/trace")
    host.run(
        ["strace", "-f", "-y", "-o", "/root/trace", "-e"]
        + [f"trace={CHANGING},write,writev,pwrite64,open,openat,openat2,creat", "harden", "-n"]
    )
    lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()
    trace.unlink()
    # Not harden's, but gcov's.
    lines = [line for line in lines if f'"{COUNTERS}/' not in line]
    assert any("openat(" in line for line in lines)
    for line in lines:
        call = re.sub(r"^\d+ +", "", line)
        name = call.split("(", 1)[0]
        if name in ("write", "writev", "pwrite64"):
            assert re.match(r"\w+\([12]<", call) or re.match(r"\w+\(\d+<(socket|UNIX)", call), line
        elif name in ("open", "openat", "openat2"):
            assert not re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)", call), line
        elif name != "+++" and not call.startswith(("+++", "---")):
            pytest.fail(f"changes something: {line}")


def test_a_stopped_daemon_stays_stopped(host: Host) -> None:
    host.run("systemctl stop docker.service")
    try:
        assert host.run("systemctl is-active docker.socket").stdout.strip() == "active"
        document = plan(host)
        assert host.run("systemctl is-active docker", check=False).stdout.strip() == "inactive"
    finally:
        host.run("systemctl start docker.service")
        host.wait_for_docker()
    facts = document["host"]
    assert facts["daemon"] == "stopped"
    assert facts["docker_version"].startswith(host.version)
    assert document["action"] == "none"
    rows = settings(document)
    assert {rows[key]["state"] for key in EXPECTED} == {"change"}
    assert all(row["in_force"] is None for row in rows.values())
    assert rows["storage-driver"]["state"] == "change"


def test_an_ordinary_user_is_told_what_cannot_be_seen(host: Host) -> None:
    document = plan(host, user="nobody")
    assert any("permission denied" in text.lower() for text in document["warnings"])
    rows = settings(document)
    assert rows["log-driver"]["state"] == "change"
    assert rows["icc"]["in_force"] is None
    assert rows["userns-remap"]["state"] == "held"
    # It may be a swarm node, for all that this user can see.
    assert rows["live-restore"]["state"] == "blocked"


# --- the plan holds


def harden_by_hand(host: Host, before: bytes | None = None) -> str:
    """Carries the plan out the plain way; returns the daemon.json it wrote."""
    text = "" if before is None else before.decode()
    after = planned(plan(host), text)
    host.path(CONFIG).parent.mkdir(exist_ok=True)
    host.path(CONFIG).write_bytes(after.encode())
    validate(host)
    host.run("systemctl reset-failed docker.service docker.socket; systemctl restart docker.service")
    host.wait_for_docker()
    return after


def test_a_host_hardened_by_hand_plans_nothing(host: Host) -> None:
    host.reset_docker()
    after = harden_by_hand(host)
    assert json.loads(after)["icc"] is False
    document = plan(host, "--exit-code")
    assert document["files"] == []
    assert document["action"] == "none"
    assert "change" not in states(document).values()
    rows = settings(document)
    assert rows["icc"]["in_force"] is False
    assert rows["live-restore"]["in_force"] is True
    assert rows["log-driver"]["in_force"] == "syslog"
    assert re.fullmatch(r"\d+:\d+", rows["userns-remap"]["in_force"])
    assert rows["no-new-privileges"]["in_force"] in (True, None)
    # And what was promised is so: a container starts, with the limits and without privileges.
    host.import_image()
    # In a chroot the kernel lets nobody have user namespaces: the rest is proven all the same.
    userns = "" if host.can_userns() else "--userns=host"
    status = host.run(
        f"docker run --rm {userns} bb:1 sh -c 'ulimit -n; grep NoNewPrivs /proc/self/status'"
    ).stdout.split()
    wanted = rows["default-ulimits"]["current"]["nofile"]["Soft"]
    assert rows["default-ulimits"]["wanted"] == rows["default-ulimits"]["current"]
    assert status == [str(wanted), "NoNewPrivs:", "1"]
    host.reset_docker()


# Starting points that dockerd of all three versions runs with, in many spellings.
STARTS: dict[str, bytes] = {
    "nothing": b"{}",
    "nothing, spaced": b"{ }\n",
    "nothing, two lines": b"{\n}\n",
    "two spaces": b'{\n  "debug": false,\n  "mtu": 1400\n}\n',
    "four spaces": b'{\n    "debug": false,\n    "mtu": 1400\n}\n',
    "tabs": b'{\n\t"debug": false,\n\t"mtu": 1400\n}\n',
    "CRLF": b'{\r\n  "debug": false,\r\n  "mtu": 1400\r\n}\r\n',
    "no final newline": b'{\n  "debug": false\n}',
    "one line": b'{"debug": false, "mtu": 1400}',
    "one line, tight": b'{"debug":false,"mtu":1400}\n',
    "one line, loose": b'{ "debug" : false , "mtu" : 1400 }\n',
    "comma first": b'{ "debug": false\n, "mtu": 1400\n}\n',
    "blank lines": b'\n\n{\n\n  "debug": false\n\n}\n\n',
    "repeated key": b'{"icc": true, "debug": false, "icc": true}',
    "escaped key": b'{"i\\u0063c": true}',
    "json-file log-opts": b'{\n  "log-driver": "json-file",\n  "log-opts": {\n'
    b'    "max-size": "10m",\n    "max-file": "3"\n  }\n}\n',
    "log-opts without a driver": b'{"log-opts": {"max-size": "10m", "tag": "x"}}',
    "local driver": b'{"log-driver": "local", "log-opts": {"max-size": "1m", "compress": "false"}}',
    "journald complies": b'{"log-driver": "journald"}',
    "stricter nofile": b'{"default-ulimits": {"nofile":'
    b' {"Name": "nofile", "Hard": 1024, "Soft": 512}}}',
    "nproc only": b'{"default-ulimits": {"nproc": {"Name": "nproc", "Hard": 512, "Soft": 512}}}',
    "ulimit without Name": b'{"default-ulimits": {"nofile": {"Hard": 1024, "Soft": 512}}}',
    "singular ulimit": b'{"default-ulimit": true}',
    "icc true": b'{"icc": true}',
    "all opposite": b'{"icc": true, "live-restore": false, "no-new-privileges": false}',
    "log-level debug": b'{"log-level": "debug"}',
    "insecure registry": b'{"insecure-registries": ["10.0.0.1:5000"]}',
    "address pool": b'{"default-address-pools": [{"base": "172.80.0.0/16", "size": 24}]}',
    "labels and dns": b'{"labels": ["a=b", "c=d"], "dns": ["192.0.2.53"]}',
    "bip": b'{"bip": "172.26.0.1/16"}',
    "other data root": b'{"data-root": "/var/lib/docker/other"}',
    "exec-opts": b'{"exec-opts": ["native.cgroupdriver=systemd"]}',
    "numbers": b'{"max-concurrent-downloads": 5, "shutdown-timeout": 1e1}'.replace(b"1e1", b"10"),
    "long line": b'{"labels": [' + b", ".join(b'"k%d=v"' % i for i in range(300)) + b"]}",
    "overlay2 written": b'{"storage-driver": "overlay2"}',
    "userns of the default user": b'{"userns-remap": "default"}',
    "experimental": b'{"experimental": true}',
    "features": b'{"features": {"buildkit": true}}',
    "a runtime": b'{"runtimes": {"other": {"path": "/usr/sbin/runc"}}}',
}


@pytest.mark.spread("start", list(STARTS))
@pytest.mark.parametrize("start", STARTS, ids=lambda name: name.replace(" ", "-"))
def test_dockerd_takes_the_planned_file(host: Host, start: str) -> None:
    before = STARTS[start]
    # Restarting is what is tested, not starting from a file that this dockerd may not like.
    host.reset_docker(before, start=False)
    host.run("systemctl start docker.socket docker.service", check=False)
    host.wait_for_docker()
    document = plan(host)
    assert document["obstacles"] == []
    after = planned(document, before.decode())
    host.path(CONFIG).write_bytes(after.encode())
    validate(host)
    host.run("systemctl reset-failed docker.service docker.socket; systemctl restart docker.service")
    host.wait_for_docker()
    again = plan(host)
    assert again["files"] == []
    changing = [key for key, state in states(again).items() if state == "change"]
    assert changing == []
