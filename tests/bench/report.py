"""What the bench measured: printed as it comes, and kept as numbers for contrib/bench-table."""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hosts import Host


class Times(list[float]):
    """Milliseconds of each run of a command, and the most memory one took, in MiB."""

    memory = 0.0


def measure(host: Host, rounds: int, *commands: str) -> list[Times]:
    """Runs the commands in turn inside the host, where nsenter's own time does not count."""
    done = host.run(["timer", str(rounds), *commands], timeout=600)
    times = [Times() for _ in commands]
    for line in done.stdout.splitlines():
        index, took, status, memory = line.split()
        if status != "0":
            raise SystemExit(f"{commands[int(index)]} failed: {status}")
        times[int(index)].append(float(took))
        times[int(index)].memory = max(times[int(index)].memory, int(memory) / 1024)
    return times


class Report:
    def __init__(self, about: dict[str, str]) -> None:
        self.values: dict[str, Any] = {"on": time.strftime("%Y-%m-%d"), **about}

    def title(self, text: str, ratio: str = "") -> None:
        print(f"\n{text + ', ms':<34}{'median':>8}{'min':>8}{'max':>8}  {ratio}".rstrip())

    def times(self, name: str, times: Times, base: float | None = None, key: str = "") -> float:
        """Prints a row, keeps its median under the key, and returns it."""
        median = statistics.median(times)
        ratio = "" if base is None else f"{median / base:6.2f} x"
        print(f"  {name:<32}{median:8.2f}{min(times):8.2f}{max(times):8.2f}  {ratio}".rstrip())
        if key:
            self.values[key] = round(median, 3)
        return median

    def line(self, name: str, text: str, **values: float) -> None:
        print(f"  {name:<32}{text}")
        self.values.update(values)

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(self.values, indent=2) + "\n", encoding="utf-8")
