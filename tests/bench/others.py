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


def bench_others(host: Host, report: Report, docker_bench: Path | None) -> None:
    report.title("Others beside it", "of the plan")
    if docker_bench is None:
        report.line("docker-bench-security", "not measured: name a checkout with DOCKER_BENCH=DIR")
    else:
        bench_docker_bench(host, report, docker_bench)


def bench_docker_bench(host: Host, report: Report, checkout: Path) -> None:
    """Its section about the daemon, which is what a plan answers as well."""
    if not (checkout / "docker-bench-security.sh").is_file():
        sys.exit(f"{checkout} is no checkout of docker-bench-security")
    shutil.copytree(checkout, host.path("/opt/docker-bench-security"), symlinks=True)
    script = host.path("/usr/sbin/daemon-section")
    script.write_text(
        "#!/bin/sh\ncd /opt/docker-bench-security || exit\n"
        "exec bash ./docker-bench-security.sh -b -p -c docker_daemon_configuration >/dev/null\n",
        encoding="utf-8",
    )
    script.chmod(0o755)
    theirs, plan = measure(host, ROUNDS, "daemon-section", "harden --dry-run")
    base = report.times("harden --dry-run", plan)
    report.times("docker-bench-security, section 2", theirs, base, key="docker_bench_ms")
