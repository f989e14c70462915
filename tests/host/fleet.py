"""A controller with Ansible and three hosts that it reaches over SSH, each with a network of its own.

    with Fleet.boot() as fleet:
        recap = fleet.play("site.yml", "--check")

The bridge is in the controller's network namespace, and so is one end of each cable: nothing of it is
on the machine, and all of it is gone when the hosts are.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hosts import REPO, Host

PLAYBOOKS = "/root/ansible"
INVENTORY = "/root/inventory"
CONTROLLER_SUITE = "fleet-trixie"
TARGETS = {"web1": "fleet-bookworm", "web2": "fleet-trixie", "web3": "fleet-sid"}
CONTROLLER_ADDRESS = "192.0.2.1"

# Who Ansible logs in as, and becomes root from.
USER = "deploy"
ADD_USER = f"""
useradd --create-home --shell /bin/sh {USER}
echo '{USER} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{USER}
install -d -o {USER} -m 0700 /home/{USER}/.ssh
cat >/home/{USER}/.ssh/authorized_keys
"""


def address(name: str) -> str:
    return f"192.0.2.1{list(TARGETS).index(name) + 1}"


@dataclass
class Recap:
    """What a play said, and its numbers for each host that it got to."""

    text: str
    status: int
    took: float
    hosts: dict[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def read(cls, done: subprocess.CompletedProcess[str], took: float) -> Recap:
        recap = cls(done.stdout + done.stderr, done.returncode, took)
        for name, numbers in re.findall(r"(?m)^(\w+)\s+: (ok=.*)$", recap.text):
            pairs = (pair.split("=") for pair in numbers.split())
            recap.hosts[name] = {key: int(value) for key, value in pairs}
        return recap

    def of(self, key: str) -> dict[str, int]:
        """One column: changed, failed, rescued and so on by host."""
        return {name: numbers[key] for name, numbers in self.hosts.items()}

    def table(self) -> str:
        """All that was said, where it did not come to that."""
        _, title, table = self.text.partition("PLAY RECAP")
        return (title + table).strip() or self.text


def _outside(host: Host, *words: str) -> None:
    """A command of this machine in the network of a host; PIDs in it are this machine's."""
    subprocess.run(["nsenter", f"--target={host.leader}", "--net", *words], check=True)


class Fleet:
    def __init__(self, controller: Host, targets: dict[str, Host]) -> None:
        self.controller = controller
        self.targets = targets

    @classmethod
    @contextmanager
    def boot(cls) -> Iterator[Fleet]:
        names = {"controller": CONTROLLER_SUITE, **TARGETS}
        with ThreadPoolExecutor(len(names)) as pool:
            booting = {name: pool.submit(Host.boot, suite, name) for name, suite in names.items()}
            try:
                booted = {name: future.result() for name, future in booting.items()}
                fleet = cls(booted.pop("controller"), booted)
                fleet._connect()
                fleet._let_in()
                fleet._hand_over()
                yield fleet
            finally:
                # Those that did come up, also when another one did not.
                up = [future.result() for future in booting.values() if not future.exception()]
                list(pool.map(Host.stop, up))

    def each(self, action: Callable[[Host], object]) -> list[object]:
        """For all targets at once."""
        with ThreadPoolExecutor(len(self.targets)) as pool:
            return list(pool.map(action, self.targets.values()))

    def _connect(self) -> None:
        bridge, up = "fleet0", "ip address add {}/24 dev {} && ip link set {} up"
        self.controller.run(["ip", "link", "add", bridge, "type", "bridge"])
        self.controller.run(up.format(CONTROLLER_ADDRESS, bridge, bridge))
        for name, target in self.targets.items():
            peer = ["peer", "name", "eth0", "netns", str(target.leader)]
            _outside(self.controller, "ip", "link", "add", name, "type", "veth", *peer)
            self.controller.run(["ip", "link", "set", name, "master", bridge, "up"])
            target.run(up.format(address(name), "eth0", "eth0"))

    def _let_in(self) -> None:
        """A user that may become root, the controller's key to it, and the targets' keys to the controller."""
        self.controller.run("ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519")
        public = self.controller.path("/root/.ssh/id_ed25519.pub").read_text(encoding="utf-8")
        self.each(lambda target: target.run(["sh", "-euc", ADD_USER], input=public))
        known = []
        for name, target in self.targets.items():
            key = target.path("/etc/ssh/ssh_host_ed25519_key.pub").read_text(encoding="utf-8")
            known.append(f"{address(name)} {key}")
        file = self.controller.path("/root/.ssh/known_hosts")
        file.write_text("".join(known), encoding="utf-8")

    def _hand_over(self) -> None:
        """The playbooks and the inventory."""
        shutil.copytree(REPO / "contrib/ansible", self.controller.path(PLAYBOOKS))
        lines = [
            f"{name} ansible_host={address(name)} ansible_user={USER}"
            " ansible_python_interpreter=/usr/bin/python3\n"
            for name in self.targets
        ]
        file = self.controller.path(INVENTORY)
        file.write_text("".join(["[docker]\n", *lines]), encoding="utf-8")

    def put(self, file: Path) -> str:
        """A file for the controller; returns where it is there."""
        target = f"/root/{file.name}"
        shutil.copyfile(file, self.controller.path(target))
        return target

    def _command(self, *words: str) -> str:
        """In the folder that has the playbooks and ansible.cfg, as people call it."""
        return f"cd {PLAYBOOKS} && exec {shlex.join(words)}"

    def ansible(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = self._command(program, "-i", INVENTORY, *words)
        return self.controller.run(command, check=False, timeout=180)

    def ansible_doc(self, kind: str, name: str, *words: str) -> str:
        return self.controller.run(self._command("ansible-doc", "-t", kind, *words, name)).stdout

    def popen(self, program: str, *words: str) -> subprocess.Popen[str]:
        return self.controller.popen(
            self._command(program, "-i", INVENTORY, *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def play(self, book: str, *words: str) -> Recap:
        began = time.monotonic()
        done = self.ansible("ansible-playbook", book, *words)
        return Recap.read(done, time.monotonic() - began)
