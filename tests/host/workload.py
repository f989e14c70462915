"""Containers for tests, and who talks to them."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hosts import Host

PROBER = Path(__file__).resolve().parent / "prober.py"

# sleep(1) as process 1 does not hear SIGTERM: without this each stop takes ten seconds.
QUICK = ("--stop-timeout", "1")
OUTSIDE = "10.77.0.1"
PORT = 8080


def start(host: Host, name: str, *options: str, command: Sequence[str] = ()) -> str:
    return host.run_container(*command, options=["--name", name, *QUICK, *options])


def inspect(host: Host, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = host.api(f"/containers/{name}/json")
    return answer


def life(host: Host, name: str) -> tuple[bool, bool, int, str]:
    """Running, paused, PID, start: the same as long as it was not touched."""
    state = inspect(host, name)["State"]
    return state["Running"], state["Paused"], state["Pid"], state["StartedAt"]


def lives(host: Host, names: Sequence[str]) -> dict[str, tuple[bool, bool, int, str]]:
    return {name: life(host, name) for name in names}


def start_server(host: Host, name: str) -> str:
    """A TCP server with a published port; its address on the bridge."""
    start(host, name, "-p", f"{PORT}:80", command=["httpd", "-f", "-p", "80", "-h", "/etc"])
    return str(inspect(host, name)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])


def make_outside(host: Host) -> Path:
    """A network namespace beyond the host's own, which knows the host as OUTSIDE."""
    host.run(
        "ip netns add outside; ip link add inner type veth peer name outer netns outside;"
        f" ip address add {OUTSIDE}/24 dev inner; ip link set inner up;"
        " ip -n outside address add 10.77.0.2/24 dev outer; ip -n outside link set outer up"
    )
    return host.live_path("/run/netns/outside")


def namespace_of(host: Host, name: str) -> Path:
    """The network namespace of a container, seen from outside the host."""
    return host.live_path(f"/proc/{inspect(host, name)['State']['Pid']}/ns/net")


class Prober:
    def __init__(self, namespace: Path, address: str, port: int) -> None:
        self.process = subprocess.Popen(
            ["nsenter", f"--net={namespace}", sys.executable, PROBER, address, str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def finish(self) -> dict[str, Any]:
        out, _ = self.process.communicate(timeout=30)
        answer: dict[str, Any] = json.loads(out)
        return answer


@contextlib.contextmanager
def established(namespace: Path, address: str, port: int) -> Iterator[subprocess.Popen[str]]:
    """A connection that is made now and used at the end of the block."""
    script = (
        "import socket, sys\n"
        "c = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)\n"
        "print('connected', flush=True)\n"
        "sys.stdin.readline()\n"
        "c.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')\n"
        "print(c.recv(64).split(b'\\r')[0].decode(), flush=True)\n"
    )
    process = subprocess.Popen(
        ["nsenter", f"--net={namespace}", sys.executable, "-c", script, address, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "connected\n"
    yield process
    out, _ = process.communicate("\n", timeout=30)
    assert out.startswith("HTTP/1"), f"the connection did not live through it: {out!r}"


class Authorizer:
    """A legacy authorization plugin: it denies every request whose path has "denied" in it."""

    def __init__(self, host: Host) -> None:
        folder = host.live_path("/run/docker/plugins")
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "deny.sock"
        self.path.unlink(missing_ok=True)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.path))
        self.socket.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError), connection.makefile("rb") as file:
            while line := file.readline():
                path = line.split()[1].decode()
                length = 0
                while (header := file.readline().strip()) != b"":
                    name, _, value = header.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                body = json.loads(file.read(length) or b"{}") if length else {}
                denied = "denied" in str(body.get("RequestUri", body.get("RequestURI", "")))
                answer = (
                    {"Implements": ["authz"]}
                    if path.endswith("Activate")
                    else {"Allow": not denied, "Msg": "denied by the plugin"}
                )
                text = json.dumps(answer).encode()
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.plugins.v1.1+json\r\n"
                    + f"Content-Length: {len(text)}\r\n\r\n".encode()
                    + text
                )

    def close(self) -> None:
        self.socket.close()
        self.path.unlink(missing_ok=True)
