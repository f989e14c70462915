"""The manual as mandoc shows it, and the commands in it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
PAGE = REPO / "man/harden.8"


def rendered(page: Path = PAGE) -> str:
    shown = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=78", str(page)], check=True,
                           capture_output=True, text=True).stdout
    return re.sub(r".\x08", "", shown)


def section(text: str, title: str) -> str:
    """What stands below a heading, up to the next one of its kind."""
    indent = re.search(rf"^( *){re.escape(title)}$", text, re.M)
    assert indent, f"the page has no {title}"
    rest = text[indent.end():]
    following = re.search(rf"^{indent[1]}\S", rest, re.M)
    return rest[: following.start()] if following else rest


def items(text: str) -> list[tuple[str, str]]:
    """The tagged paragraphs of a list that stands at the usual place: tags, and what they mean."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        tag = re.match(r"^ {5}(\S+(?: \S+)*)(?:  +(.*))?$", line)
        if tag:
            found.append((tag[1], tag[2] or ""))
        elif found and line.strip():
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}".strip())
    return found


def examples(page: Path = PAGE) -> list[str]:
    """The commands below EXAMPLES, as they are to be typed."""
    source = page.read_text(encoding="utf-8").partition(".Sh EXAMPLES")[2].partition("\n.Sh ")[0]
    return re.findall(r"^\.Dl (.*)$", source, re.M)


def changes_a_host(command: str) -> bool:
    """Whether it is more than a look."""
    words = command.split()
    return not {"plan", "check", "--dry-run", "profiles", "history", "--completion"} & set(words)


def readme_commands() -> list[str]:
    """Every call of harden in the README, in blocks and between backquotes."""
    text = (REPO / "README.md").read_text(encoding="utf-8")
    return re.findall(r"(?:^|`|# )(harden [^`\n]*)", text, re.M)


def path_with(program: str) -> str:
    """PATH where `harden` is this program."""
    return f"{Path(program).resolve().parent}:{os.environ['PATH']}"
