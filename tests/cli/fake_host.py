"""Runs a command on a machine whose /run and /var/lib are empty but for a dockerd that misbehaves as told.

    unshare --mount fake_host.py MODE COMMAND [ARG...]

A real dockerd cannot be made to answer nonsense; here a process of that name does. MODE is one of the
functions below, or `none` for no daemon at all. There is no system bus either. What harden keeps goes to
the folder in $FAKE_STORE, which stays; without it, there is no /var/lib/harden.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

PR_SET_NAME = 15
PR_SET_PDEATHSIG = 1

INFO = {
    "ServerVersion": "28.5.2",
    "Driver": "overlay2",
    "LoggingDriver": "json-file",
    "LiveRestoreEnabled": False,
    "DockerRootDir": "/var/lib/docker",
    "SecurityOptions": ["name=seccomp,profile=builtin"],
    "Containers": 0,
    "ContainersRunning": 0,
    "Images": 0,
    "Swarm": {"LocalNodeState": "inactive"},
}


def reply(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    head = f"HTTP/1.0 {status}\r\nServer: Docker/28.5.2 (linux)\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def honest(connection: socket.socket, path: str) -> None:
    bodies: dict[str, object] = {
        "/info": INFO,
        "/networks/bridge": {"Options": {"com.docker.network.bridge.enable_icc": "true"}},
        "/volumes": {"Volumes": None},
    }
    body = next((value for key, value in bodies.items() if path.endswith(key)), [])
    connection.sendall(reply(json.dumps(body).encode()))


def nonsense(connection: socket.socket, path: str) -> None:
    connection.sendall(b"\x00\xff this is not HTTP\r\n\r\n")


def not_json(connection: socket.socket, path: str) -> None:
    connection.sendall(reply(b"<html>gateway</html>"))


def silent(connection: socket.socket, path: str) -> None:
    time.sleep(3600)


def closes(connection: socket.socket, path: str) -> None:
    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Len")


def slow(connection: socket.socket, path: str) -> None:
    for byte in reply(json.dumps(INFO).encode()):
        connection.sendall(bytes([byte]))
        time.sleep(0.5)


def endless(connection: socket.socket, path: str) -> None:
    connection.sendall(b"HTTP/1.0 200 OK\r\nServer: Docker/28.5.2 (linux)\r\n\r\n[")
    while True:
        connection.sendall(b"0," * 65536)


def endless_header(connection: socket.socket, path: str) -> None:
    connection.sendall(b"HTTP/1.0 200 OK\r\n")
    while True:
        connection.sendall(b"X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 100)


def refuses(connection: socket.socket, path: str) -> None:
    connection.sendall(reply(b'{"message":"authorization denied by plugin"}', "403 Forbidden"))


MODES: dict[str, Callable[[socket.socket, str], None]] = {
    f.__name__: f
    for f in (honest, nonsense, not_json, silent, closes, slow, endless, endless_header, refuses)
}


def serve(listener: socket.socket, mode: Callable[[socket.socket, str], None]) -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_NAME, b"dockerd")
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            request = connection.recv(65536).decode(errors="replace")
            try:
                mode(connection, request.split(" ")[1] if " " in request else "")
            except OSError:
                pass
            os._exit(0)
        connection.close()


def start(mode: str) -> subprocess.Popen[bytes]:
    """The daemon: its command line must be dockerd's, so the program comes in on standard input."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("/run/docker.sock")
    listener.listen(64)
    with open(__file__, "rb") as program:
        server = subprocess.Popen(
            ["dockerd"], executable=sys.executable, stdin=program, pass_fds=[listener.fileno()],
            env={**os.environ, "FAKE_MODE": mode, "FAKE_LISTENER": str(listener.fileno())})
    while open(f"/proc/{server.pid}/comm").read() != "dockerd\n":
        time.sleep(0.001)
    with open("/run/docker.pid", "w") as file:
        file.write(str(server.pid))
    return server


def main() -> int:
    mode, command = sys.argv[1], sys.argv[2:]
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", "/var/lib"], check=True)
    if os.environ.get("FAKE_STORE"):
        os.mkdir("/var/lib/harden", 0o700)
        subprocess.run(["mount", "--bind", os.environ["FAKE_STORE"], "/var/lib/harden"], check=True)
    # What comes from a terminal is for the command. Handlers, unlike SIG_IGN, are not handed on to it.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    if os.environ.get("FAKE_SYSTEMD"):
        # systemd says by this folder that it runs; its bus is not there all the same.
        os.makedirs("/run/systemd/system")
    server = start(mode) if mode != "none" else None
    status = subprocess.run(command, check=False).returncode
    if server:
        server.kill()
        server.wait()
    return status


if os.environ.get("FAKE_MODE"):
    serve(socket.socket(fileno=int(os.environ["FAKE_LISTENER"])), MODES[os.environ["FAKE_MODE"]])
elif __name__ == "__main__":
    sys.exit(main())
