"""`harden check` on real hosts: the daemon is asked, and not the file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from applies import CONFIG, apply, document, harden, reported, row, saved, wait_until
from hosts import Host, differences

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))

import audit  # noqa: E402

# What a Docker as it was just installed lacks.
FRESH = {
    "icc", "default-ulimits", "userns-remap", "log-driver", "live-restore", "userland-proxy",
    "no-new-privileges", "storage-driver",
}  # fmt: skip


def check(host: Host, *words: str, status: int = 0) -> dict[str, Any]:
    return document(host, "check", *words, status=status)


def failing(answer: dict[str, Any]) -> set[str]:
    return {r["key"] for r in answer["settings"] if r["verdict"] == "fail"}


def test_from_fresh_to_compliant(host: Host) -> None:
    before = saved(host)
    pid = host.dockerd_pid()
    answer = check(host, status=1)
    assert failing(answer) == FRESH
    assert answer["compliant"] is False
    assert differences(before, saved(host)) == []
    assert host.dockerd_pid() == pid

    apply(host)
    answer = check(host)
    assert failing(answer) == set()
    assert answer["compliant"] is True
    assert row(answer, "authorization-plugins")["verdict"] == "manual"
    assert row(answer, "icc")["file"] is row(answer, "icc")["in_force"] is False


def test_the_formats_are_valid(host: Host) -> None:
    suite = audit.junit(harden(host, "check", "--format", "junit").stdout)
    run = audit.sarif(harden(host, "check", "--format", "sarif").stdout)
    assert len(suite.findall("testcase")) == len(run["results"]) > 20
    text = harden(host, "check").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert text.endswith("this host complies.\n")


def test_a_file_that_is_not_in_force(host: Host) -> None:
    """docker-bench-security believes the file, or the daemon's configuration, and passes this."""
    host.reset_docker({"icc": True})
    host.path(CONFIG).write_text(json.dumps({"icc": False}), encoding="utf-8")
    answer = check(host, "--only", "icc", status=1)
    icc = row(answer, "icc")
    assert (icc["file"], icc["in_force"], icc["verdict"]) == (False, True, "fail")


def test_flags_have_a_column(host: Host) -> None:
    host.reset_docker(start=False)
    host.path("/etc/default/docker").write_text(
        'DOCKER_OPTS="--icc=false --live-restore=false"\n', encoding="utf-8"
    )
    host.run("systemctl start docker.socket docker.service")
    host.wait_for_docker()
    answer = check(host, status=1)
    icc, live = row(answer, "icc"), row(answer, "live-restore")
    assert (icc["file"], icc["flag"], icc["in_force"], icc["verdict"]) == (
        None, False, False, "pass"
    )  # fmt: skip
    assert (live["file"], live["flag"], live["verdict"]) == (None, False, "fail")


def test_a_waiver_and_somebody_without_rights(host: Host) -> None:
    host.reset_docker()
    answer = check(host, "--only", "icc", "--skip", "icc=ticket 4711")
    assert row(answer, "icc")["verdict"] == "waived"
    assert "ticket 4711" in row(answer, "icc")["reason"]
    done = harden(host, "check", "--json", status=1, user="nobody")
    seen = json.loads(done.stdout)
    assert row(seen, "icc")["in_force"] is None
    assert any("permission denied" in text for text in seen["warnings"])


def test_a_stopped_daemon_is_not_started(host: Host) -> None:
    host.run("systemctl stop docker.service")
    answer = check(host, status=1)
    assert row(answer, "icc")["in_force"] is None
    shown = host.run("systemctl is-active docker.service", check=False).stdout
    assert shown == "inactive\n"
    host.run("systemctl start docker.service")
    host.wait_for_docker()
    wait_until("it answers", lambda: reported(host))
