"""The manual says what the program has: its options, commands and exit statuses, and examples that run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import manual
import pytest
from test_cli import FAKE_HOST, HARDEN, PYTHON, harden

TABLE = json.loads(harden("--completion", "json", host=None).stdout)
OPTIONS = {row["name"]: row for row in TABLE["options"]}


@pytest.fixture(scope="module")
def description() -> str:
    return manual.section(manual.rendered(), "DESCRIPTION")


def described_options(description: str) -> dict[str, tuple[str, str]]:
    """By name: the tag, and what is said about it."""
    text = description.partition("The options are:")[2].partition("\n   States")[0]
    found: dict[str, tuple[str, str]] = {}
    for tag, meaning in manual.items(text):
        name = re.search(r"--([a-z-]+)", tag)
        assert name, f"an option without a long name: {tag}"
        found[name[1]] = (tag, meaning)
    return found


def test_every_option_is_in_the_manual_and_in_the_program(description: str) -> None:
    assert list(described_options(description)) == list(OPTIONS)


def test_the_manual_spells_options_as_the_program_does(description: str) -> None:
    for name, (tag, meaning) in described_options(description).items():
        row = OPTIONS[name]
        letters, argument = re.fullmatch(r"(?:-(\w), )?--[a-z-]+(.*)", tag).groups()  # type: ignore[union-attr]
        assert letters == row["shorthand"], tag
        said = argument.replace(" ", "").upper()
        wanted = (row["argument"] or "").upper()
        assert bool(said) == bool(wanted), tag
        if row["kind"] != "words":
            assert said.startswith(wanted), f"{tag}, but {row['argument']}"
        for word in row["words"]:
            assert re.search(rf"\b{re.escape(word)}\b", f"{tag} {meaning}"), f"{tag}: {word} is missing"


def test_every_command_is_in_the_manual_and_in_the_program(description: str) -> None:
    text = description.partition("The commands are:")[2].partition("The options are:")[0]
    tags = [tag for tag, _ in manual.items(text)]
    assert tags == [f"{row['name']} {row['argument'].lower()}".strip() for row in TABLE["commands"]]


def test_every_exit_status_is_in_the_manual_and_in_the_program() -> None:
    said = dict(manual.items(manual.section(manual.rendered(), "EXIT STATUS")))
    wanted = {str(row["status"]): row["text"] for row in TABLE["exits"]}
    assert said.keys() == wanted.keys()
    for status, text in wanted.items():
        assert said[status].startswith(text), status


def test_the_readme_has_every_exit_status() -> None:
    text = (manual.REPO / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\d) \| (.*) \|$", text, re.M))
    assert set(rows) == {str(row["status"]) for row in TABLE["exits"]}


def test_the_help_is_the_same_table() -> None:
    shown = harden("--help", host=None).stdout
    for name, row in OPTIONS.items():
        letter = f"-{row['shorthand']}, " if row["shorthand"] else " {4}"
        assert re.search(rf"^ +{letter}--{name}\b.* {re.escape(row['help'])}$", shown, re.M), name
    for row in TABLE["exits"]:
        assert f"\n  {row['status']}  {row['text']}\n" in shown
    for row in TABLE["commands"]:
        assert re.search(rf"^  {row['name']}\b.* {re.escape(row['help'])}$", shown, re.M)


def commands_shown() -> list[str]:
    return manual.readme_commands() + [
        command for command in manual.examples() if command.startswith("harden")
    ]


def test_no_command_that_is_shown_has_an_option_that_is_not() -> None:
    for command in commands_shown():
        for option in re.findall(r"(?<=\s)--([a-z-]+)", command):
            assert option in OPTIONS, command
        words = re.sub(r"\[.*|[|>#;&].*", "", command).split()[1:]
        said = [word for word in words if re.fullmatch("[a-z]+", word)]
        if said and not words[0].startswith("-") and "*" not in command:
            assert said[0] in {row["name"] for row in TABLE["commands"]}, command


LOOKS = [command for command in manual.examples() if not manual.changes_a_host(command)]


@pytest.mark.parametrize("command", LOOKS)
def test_an_example_that_only_looks(command: str, tmp_path: Path) -> None:
    """Those that change a host are in tests/host/test_examples.py."""
    done = subprocess.run(
        ["unshare", "--mount", PYTHON, FAKE_HOST, "honest", "sh", "-c", command], cwd=tmp_path,
        env={"PATH": manual.path_with(HARDEN), "LANG": "C.UTF-8"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False)
    # This machine has something to change, and check and --exit-code say so.
    says_so = {"check", "--exit-code"} & set(shlex.split(command))
    assert done.returncode == (1 if says_so else 0), done.stderr
    assert done.stdout or list(tmp_path.iterdir())


def test_there_are_examples_of_both_kinds() -> None:
    assert len(LOOKS) >= 4
    assert len(manual.examples()) - len(LOOKS) >= 8


def test_the_profile_in_the_manual_is_one(tmp_path: Path) -> None:
    for text in (manual.REPO / "man/harden-profile.5", manual.REPO / "README.md"):
        source = text.read_text(encoding="utf-8")
        profiles = re.findall(r"^\{\n *\"schema\": 1.*?^\}$", source, re.M | re.S)
        assert profiles, text
        for number, profile in enumerate(profiles):
            file = tmp_path / f"{number}.json"
            file.write_text(profile, encoding="utf-8")
            done = harden("plan", "--profile", str(file))
            assert done.returncode == 0, done.stderr


def test_the_row_of_the_walk_through_is_one(tmp_path: Path) -> None:
    text = (manual.REPO / "contrib/doc/CONTRIBUTING.md").read_text(encoding="utf-8")
    row = json.loads(text.partition("```json\n")[2].partition("```")[0])
    # What everybody would do first is not in the profile yet.
    shipped = json.loads((manual.REPO / "templates/profiles/hardened.json").read_text(encoding="utf-8"))
    assert row["key"] not in [other["key"] for other in shipped["settings"]]
    shipped["settings"].append(row)
    file = tmp_path / "hardened.json"
    file.write_text(json.dumps(shipped), encoding="utf-8")
    done = harden("plan", "--json", "--profile", str(file), "--only", row["key"], "--docker-version", "28.5")
    assert done.returncode == 0, done.stderr
    wanted = {setting["key"]: setting for setting in json.loads(done.stdout)["settings"]}
    assert wanted[row["key"]]["state"] == "change"


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in [manual.REPO / "README.md", *(manual.REPO / "contrib/doc").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_the_pages_name_files_and_targets_that_are_there() -> None:
    targets = re.findall(r"^([a-z-]+):.*## ", (manual.REPO / "Makefile").read_text(encoding="utf-8"), re.M)
    for page in [manual.REPO / "README.md", *(manual.REPO / "contrib/doc").glob("*.md")]:
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"(?<![\w/.])((?:src|include|templates|tests|contrib|man)/[\w./*-]*\w)", text):
            name = re.sub("[A-Z]{4,}", "*", name)  # ROOM, NAME
            assert list(manual.REPO.glob(name)), f"{page}: {name}"
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.M):
            assert target in targets, f"{page}: make {target}"
