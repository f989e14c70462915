"""What people use today for a part of this, on the same host in the same run, where it is there."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from report import Report, measure

if TYPE_CHECKING:
    from hosts import Host

ROUNDS = 10
PLAY = Path(__file__).resolve().parent / "play.yml"


def bench_others(host: Host, report: Report, docker_bench: Path | None, ansible: bool) -> None:
    """Those that are not there are said so: a table without them would look like one of all."""
    report.title("Others beside it", "of the plan")
    others = []
    if docker_bench is None:
        report.line("docker-bench-security", "not measured: name a checkout with DOCKER_BENCH=DIR")
    else:
        command = put_docker_bench(host, docker_bench)
        others.append(("docker-bench-security, section 2", "docker_bench_ms", command))
    if not ansible:
        report.line("an Ansible play", "not measured: ANSIBLE=yes boots a host with Ansible")
    else:
        others.append(("an Ansible play, check mode", "ansible_ms", put_play(host)))
    commands = [command for _, _, command in others]
    plan, *measured = measure(host, ROUNDS, "harden --dry-run", *commands)
    base = report.times("harden --dry-run", plan, key="plan_beside_ms")
    for (name, key, _), times in zip(others, measured):
        report.times(name, times, base, key=key)


def put_docker_bench(host: Host, checkout: Path) -> str:
    """Its section about the daemon, which is what a plan answers as well."""
    if not (checkout / "docker-bench-security.sh").is_file():
        sys.exit(f"{checkout} is no checkout of docker-bench-security")
    shutil.copytree(checkout, host.path("/opt/docker-bench-security"), symlinks=True)
    script = host.path("/usr/sbin/daemon-section")
    script.write_text(
        "#!/bin/sh\ncd /opt/docker-bench-security || exit\n"
        "exec bash ./docker-bench-security.sh -b -p -c docker_daemon_configuration\n",
        encoding="utf-8",
    )
    script.chmod(0o755)
    return "daemon-section"


def put_play(host: Host) -> str:
    """In check mode, and on the host itself: there is no network in it."""
    shutil.copyfile(PLAY, host.path("/root/play.yml"))
    return "ansible-playbook --check --inventory localhost, /root/play.yml"
