"""The manual's examples that change a host, one after another on a host with a running container.

Those that only look are in tests/cli/test_manual.py.
"""

from __future__ import annotations

import os
import re
import select
import sys
import time

from applies import QUESTION, Terminal, assert_docker_works, harden, history
from hosts import REPO, Host

sys.path.append(str(REPO / "tests/cli"))

import manual  # noqa: E402

EXAMPLES = [command for command in manual.examples() if manual.changes_a_host(command)]

IMAGE = """
mkdir -p /srv/image/etc/docker /srv/image/usr/sbin /srv/image/var/lib/dpkg
printf '#!/bin/false\\n' >/srv/image/usr/sbin/dockerd; chmod 0755 /srv/image/usr/sbin/dockerd
printf 'Package: docker.io\\nStatus: install ok installed\\nVersion: 28.5.2+dfsg4-1\\n\\n' \
    >/srv/image/var/lib/dpkg/status
"""

# Somewhere behind which another host would be, that takes logs.
NETWORK = """
ip link add logs type bridge
ip address add 192.0.2.2/24 dev logs
ip link set logs up
"""


def type_it(host: Host, command: str) -> tuple[int, str]:
    """As an admin would, who answers yes where that is asked."""
    terminal = Terminal(host, command)
    assert terminal.process.stdout is not None
    answers = [(QUESTION, b"y\n"), (r"Enter or", b"\n")]
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if not select.select([terminal.process.stdout], [], [], 0.1)[0]:
            continue
        data = os.read(terminal.process.stdout.fileno(), 65536)
        if not data:
            break
        terminal.text += data.decode(errors="replace")
        if answers and re.search(answers[0][0], terminal.text):
            terminal.send(answers.pop(0)[1])
    return terminal.finish(), terminal.text


def test_examples(host: Host) -> None:
    # Nothing in it waits for a polite signal, so stopping it takes no time.
    container = host.run_container(options=["--stop-signal", "KILL"])
    host.run(IMAGE + NETWORK)
    host.run("systemctl restart rsyslog.service")
    for command in EXAMPLES:
        if "--verify-cmd" in command or "--confirm" in command:
            harden(host, "rollback", "--yes")  # so that there is something to do
        # One rehearsal is enough here: each takes two seconds.
        first = command == EXAMPLES[0] or "rollback" in command
        status, text = type_it(host, command if first else f"{command} --no-rehearsal")
        # Some settings wait, or cannot be had on this host.
        assert status in (0, 5), f"{command}: exit {status}\n{text}"
    assert_docker_works(host)
    assert host.live_path("/srv/image/etc/docker/daemon.json").exists()
    timers = host.run("systemctl list-units --all --type=timer,service").stdout
    assert "harden apply --yes" in timers
    assert host.run("docker ps --quiet --no-trunc").stdout.split() == [container]
    done = [entry["kind"] for entry in history(host)]
    assert done.count("rollback") == 4 and done.count("apply") >= 4, done
