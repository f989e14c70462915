#!/usr/bin/python3
"""Connects to an HTTP server over and over, until its standard input is closed, and says what it met.

    nsenter --net=… python3 prober.py ADDRESS PORT

Prints one JSON object: connections tried, those that failed, and the longest time without an answer.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

# A lost SYN is sent again after a second: by then it counts as lost.
TIMEOUT = 0.9
PAUSE = 0.004


def ask(address: str, port: int) -> str | None:
    """None when the server answered, else what went wrong."""
    try:
        with socket.create_connection((address, port), TIMEOUT) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return None if connection.recv(64).startswith(b"HTTP/1") else "no answer"
    except OSError as error:
        return type(error).__name__


def main() -> None:
    address, port = sys.argv[1], int(sys.argv[2])
    tried, failures, longest = 0, {}, 0.0
    last = begin = time.monotonic()
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], PAUSE)[0]:
        problem = ask(address, port)
        now = time.monotonic()
        tried += 1
        if problem is None:
            longest = max(longest, now - last)
            last = now
        else:
            failures[problem] = failures.get(problem, 0) + 1
    longest = max(longest, time.monotonic() - last)
    answer = {
        "tried": tried,
        "failed": sum(failures.values()),
        "failures": failures,
        "gap_ms": round(longest * 1000),
        "per_second": round(tried / (time.monotonic() - begin)),
    }
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
