"""Says which lines were run, from what programs have counted (see counters.c).

    table.py BUILD

Prints a line for each room and one for each file that is below the limit; the whole table, and which lines
were not run, are in BUILD/lines.txt. Exits 1 where a room that has a limit is below it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

ROOMS = ("base", "core", "host", "apply", "cli")
# Per cent of lines, in the rooms that a test run reaches whole.
LIMIT = 90
LIMITED = ("base", "core", "apply")


class Lines(NamedTuple):
    run: int
    all: int

    def __str__(self) -> str:
        # Cut, not rounded: 89.96 is not 90.
        return f"{self.all:6} lines, {1000 * self.run // max(self.all, 1) / 10:5.1f} % run"

    @property
    def enough(self) -> bool:
        return self.all > 0 and 100 * self.run >= LIMIT * self.all


def write_gcov_files(build: Path) -> None:
    """Each program adds what its processes have counted to gcov's files."""
    for old in build.rglob("*.gcda"):
        old.unlink()
    for counters in sorted((build / "counters").iterdir()):
        found = [p for p in (build / d / counters.name for d in (".", "unit", "property")) if p.exists()]
        # Of a test that is no more.
        if not found:
            counters.unlink()
            continue
        done = subprocess.run(
            [found[0]],
            check=False,
            env={**os.environ, "COUNTERS_DUMP": "1"},
            capture_output=True,
            text=True,
        )
        # It speaks of files that another build has written.
        if done.returncode != 0 or done.stderr:
            sys.exit(f"coverage: {found[0]} is not of the same build as the rest: {done.stderr}")


def gcovr(build: Path) -> dict[str, Lines]:
    """The lines of each file of src; gcovr writes the whole table."""
    summary = build / "lines.json"
    subprocess.run(
        # Where one was killed between two counters, gcov may come to a branch that was taken -1 times.
        ["gcovr", "--gcov-ignore-parse-errors", "--root", ".", "--filter", "src/", "--object-directory", str(build / "obj"),
         "--txt", str(build / "lines.txt"), "--json-summary", str(summary), str(build / "obj")],
        check=True,
    )
    files = json.loads(summary.read_text(encoding="utf-8"))["files"]
    return {f["filename"]: Lines(f["line_covered"], f["line_total"]) for f in files}


def main() -> int:
    build = Path(sys.argv[1])
    write_gcov_files(build)
    files = gcovr(build)
    rooms: dict[str, Lines] = defaultdict(lambda: Lines(0, 0))
    for name, lines in files.items():
        room = name.split("/")[1]
        rooms[room] = Lines(rooms[room].run + lines.run, rooms[room].all + lines.all)
    for room in ROOMS:
        print(f"coverage: src/{room + '/':<28} {rooms[room]}")
    for name in sorted(files):
        if not files[name].enough:
            print(f"coverage:   {name:<30} {files[name]}")
    print(f"coverage: line by line in {build}/lines.txt")
    short = [room for room in LIMITED if not rooms[room].enough]
    if short:
        print(f"coverage: below {LIMIT} %: {', '.join(short)}", file=sys.stderr)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
