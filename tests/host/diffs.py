"""Applies the unified differences that harden prints, so that a test can carry a plan out by hand."""

from __future__ import annotations

import re

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_NO_NEWLINE = "\\ No newline at end of file"


def apply(before: str, diff: str) -> str:
    """What `before` becomes; raises ValueError where the difference does not fit it."""
    # Lines end at LF only: a CR is part of its line.
    old = re.findall(r"[^\n]*\n|[^\n]+", before)
    lines = diff.split("\n")
    new: list[str] = []
    at = 0
    for index, line in enumerate(lines):
        if hunk := _HUNK.match(line):
            start = int(hunk[1]) - (0 if hunk[2] == "0" else 1)
            new += old[at:start]
            at = start
            continue
        if not line or line.startswith(("--- ", "+++ ", "\\")):
            continue
        ends = not (index + 1 < len(lines) and lines[index + 1] == _NO_NEWLINE)
        text = line[1:] + ("\n" if ends else "")
        if line[0] in " -":
            if at >= len(old) or old[at] != text:
                raise ValueError(f"the difference does not fit at line {at + 1}: {text!r}")
            at += 1
        if line[0] in " +":
            new.append(text)
    return "".join(new + old[at:])
