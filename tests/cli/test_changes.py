"""apply, rollback, recover and history as far as they go without a Docker: who may, who is asked, what is
kept, and what a spoilt record does. The machine is that of fake_host.py; files are really written.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_cli import FAKE_HOST, HARDEN, PYTHON, harden

ONE = ("--only", "live-restore", "--docker-version", "28.5")
ID = r"\d{8}T\d{6}Z(-\d{3})?"


class Machine:
    """One that remembers what was applied. There is no dockerd on it, so nothing gets in force: exit 5."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "daemon.json"
        self.store = folder / "store"
        self.store.mkdir(mode=0o700)
        self.env = {"FAKE_STORE": str(self.store), "TZ": "UTC"}

    def run(self, *arguments: str, status: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
        done = harden(*arguments, "--config-file", str(self.config), env=self.env, **options)
        assert done.returncode == status, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def document(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.run(*arguments, "--json", status=status).stdout)
        assert (answer["schema"], answer["command"]) == (1, arguments[0])
        return answer

    def apply(self, *arguments: str) -> dict[str, Any]:
        return self.document("apply", "--yes", *(arguments or ONE), status=5)

    def history(self) -> list[dict[str, Any]]:
        applies: list[dict[str, Any]] = self.document("history")["applies"]
        return applies

    def record(self, identifier: str) -> Path:
        return self.store / "applies" / identifier / "record.json"

    def pending(self) -> bool:
        return (self.store / "pending").is_symlink()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


# --- who may, and who is asked


@pytest.mark.parametrize("words", [[], ["apply"], ["apply", "--json"], ["apply", "-q"]])
def test_without_a_terminal_it_refuses(machine: Machine, words: list[str]) -> None:
    done = machine.run(*words, *ONE, status=2)
    assert "--yes" in done.stderr
    assert not machine.config.exists()
    assert list(machine.store.iterdir()) == []
    if "--json" in words:
        document = json.loads(done.stdout)
        assert document["result"] == "refused" and "--yes" in document["error"]
    else:
        assert done.stdout == ""


def test_it_refuses_also_with_nothing_to_do(machine: Machine) -> None:
    machine.config.write_text('{"live-restore": true}', encoding="utf-8")
    assert "--yes" in machine.run("apply", *ONE, status=2).stderr
    assert machine.document("apply", "--yes", *ONE)["result"] == "unchanged"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["apply", "--yes"], "sudo"),
        (["rollback", "--yes"], "sudo"),
        (["rollback", "--dry-run"], "sudo"),
        (["recover"], "sudo"),
        (["history"], "sudo"),
    ],
)
def test_an_ordinary_user_is_told(words: list[str], says: str) -> None:
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", HARDEN, *words],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert done.stdout == ""
    assert says in done.stderr and "root" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_dry_run_is_a_plan(machine: Machine) -> None:
    wanted = machine.run("plan", *ONE).stdout
    assert machine.run("apply", "--dry-run", *ONE).stdout == wanted
    assert machine.run("-n", *ONE).stdout == wanted
    assert list(machine.store.iterdir()) == []


class Terminal:
    """harden at the keyboard; what it writes to stdout is apart."""

    def __init__(self, machine: Machine, *words: str, **env: str) -> None:
        self.text = ""
        self.main, other = pty.openpty()
        self.process = subprocess.Popen(
            ["unshare", "--mount", PYTHON, FAKE_HOST, "none", HARDEN, *words,
             "--config-file", str(machine.config)],
            stdin=other, stdout=subprocess.PIPE, stderr=other, text=True,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={"PATH": os.environ["PATH"], "TERM": "xterm", **machine.env, **env})
        os.close(other)

    def read(self, seconds: float) -> bool:
        """More of what it shows; False at the end of it."""
        if not select.select([self.main], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.main, 4096)
        except OSError:
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def read_until(self, words: str) -> None:
        deadline = time.monotonic() + 30
        while words not in self.text:
            assert self.read(0.1) and time.monotonic() < deadline, self.text

    def answer(self, keys: str) -> Terminal:
        self.read_until("[y/N] ")
        os.write(self.main, keys.encode())
        return self

    def finish(self) -> tuple[int, str]:
        out, _ = self.process.communicate(timeout=30)
        while self.read(0) and select.select([self.main], [], [], 0)[0]:
            pass
        os.close(self.main)
        return self.process.returncode, out


@pytest.mark.parametrize(
    "keys", ["n\n", "\n", "\x04", "\x03", "\x1c", "yesterday\n", "no\n", "yy\n", " \n", "1\n", "y\x04\x03"],
    ids=["n", "Enter", "Ctrl-D", "Ctrl-C", "Ctrl-backslash", "word", "no", "yy", "space", "1", "no-Enter"])
def test_any_other_answer_changes_nothing(machine: Machine, keys: str) -> None:
    terminal = Terminal(machine, "apply", *ONE).answer(keys)
    status, out = terminal.finish()
    assert status == 2, terminal.text + out
    assert '+  "live-restore": true' in out
    assert out.splitlines()[-1] == "Nothing was changed."
    assert f"Apply this to {os.uname().nodename}? [y/N] " in terminal.text
    assert not machine.config.exists()
    assert machine.history() == [] and not machine.pending()


@pytest.mark.parametrize("keys", ["y\n", "yes\n", " Y \n"])
def test_a_yes_is_a_yes(machine: Machine, keys: str) -> None:
    status, out = Terminal(machine, *ONE).answer(keys).finish()
    assert status == 5
    assert json.loads(machine.config.read_text(encoding="utf-8")) == {"live-restore": True}
    assert re.search(rf"^To go back: harden rollback {ID}$", out, re.MULTILINE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_at_the_question_changes_nothing(machine: Machine, number: int) -> None:
    terminal = Terminal(machine, "apply", *ONE)
    terminal.read_until("[y/N] ")
    children = Path(f"/proc/{terminal.process.pid}/task/{terminal.process.pid}/children")
    (pid,) = children.read_text(encoding="ascii").split()
    os.kill(int(pid), number)
    status, out = terminal.finish()
    assert status == 2
    assert "Nothing was changed." in out
    assert not machine.config.exists() and machine.history() == []


def test_the_terminal_goes_away_at_the_question(machine: Machine) -> None:
    terminal = Terminal(machine, "apply", *ONE)
    terminal.read_until("[y/N] ")
    os.close(terminal.main)
    out, _ = terminal.process.communicate(timeout=30)
    deadline = time.monotonic() + 10
    while "harden" in (machine.store / "lock").read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not machine.config.exists() and machine.history() == []


def test_the_answer_is_asked_for_beside_the_document(machine: Machine) -> None:
    terminal = Terminal(machine, "apply", "--json", *ONE).answer("n\n")
    status, out = terminal.finish()
    document = json.loads(out)
    assert (status, document["result"], document["id"]) == (2, "refused", None)
    assert '+  "live-restore": true' in terminal.text
    assert document["files"][0]["action"] == "create"


def test_one_at_a_time(machine: Machine) -> None:
    terminal = Terminal(machine, "apply", *ONE)
    terminal.read_until("[y/N] ")
    for words in (["apply", "--yes", *ONE], ["rollback", "--yes"], ["recover"]):
        done = machine.run(*words, status=2)
        assert "harden apply" in done.stderr and "root" in done.stderr
    assert machine.document("recover", status=2)["result"] == "refused"
    terminal.answer("n\n").finish()
    machine.run("recover")


def test_a_file_that_changes_at_the_question_is_not_overwritten(machine: Machine) -> None:
    terminal = Terminal(machine, "apply", *ONE)
    terminal.read_until("[y/N] ")
    machine.config.write_text('{"debug": true}', encoding="utf-8")
    status, _ = terminal.answer("y\n").finish()
    assert status == 2
    assert str(machine.config) in terminal.text
    assert machine.config.read_text(encoding="utf-8") == '{"debug": true}'
    assert machine.history() == [] and not machine.pending()


def test_progress_on_a_terminal(machine: Machine) -> None:
    terminal = Terminal(machine, "apply", "--yes", *ONE)
    assert terminal.finish()[0] == 5
    assert "write the file ...\rwrite the file ... done\r\n" in terminal.text
    assert "write the file: done\n" in machine.run("rollback", "--yes").stderr
    quiet = machine.run("apply", "--yes", "--quiet", *ONE, status=5)
    assert (quiet.stderr, quiet.stdout.count("\n")) == ("", 1)


# --- what is kept, and the way back


def test_there_and_back(machine: Machine) -> None:
    text = '{\n\t"debug": true\n}\n'
    machine.config.write_text(text, encoding="utf-8")
    answer = machine.apply()
    assert answer["result"] == "incomplete" and answer["error"] is None
    assert [row["state"] for row in answer["settings"] if row["key"] == "live-restore"] == ["pending"]
    assert answer["api_downtime_ms"] is None
    assert answer["containers"] == {
        "before": None, "kept": None, "restarted": None, "stopped": [], "lost": []
    }  # fmt: skip
    assert answer["stops"] == []
    assert list(answer["phases_ms"]) == [
        "rehearse", "prepare", "switch", "reload", "stop", "restart", "answer", "start", "canary",
        "prove", "verify", "confirm", "undo"
    ]  # fmt: skip
    assert answer["canary"] == {
        "state": "skipped", "reason": "the daemon does not run", "key": None, "ms": None, "saw": None
    }  # fmt: skip
    # No dockerd will start anew.
    assert answer["rehearsal"] is None
    hardened = machine.config.read_bytes()

    shown = machine.document("rollback", "--dry-run")
    assert (shown["of"], shown["id"], shown["action"]) == (answer["id"], None, "none")
    assert [file["action"] for file in shown["files"]] == ["modify"]
    assert '-\t"live-restore": true' in machine.run("rollback", "-n").stdout
    assert machine.config.read_bytes() == hardened

    back = machine.document("rollback", "--yes")
    assert (back["of"], back["result"]) == (answer["id"], "rolled-back")
    assert machine.config.read_text(encoding="utf-8") == text
    kinds = [(entry["kind"], entry["of"]) for entry in machine.history()]
    assert kinds == [("apply", None), ("rollback", answer["id"])]

    # What is undone stays undone, and says so.
    for words in (["rollback", "--yes"], ["rollback", "--yes", answer["id"]], ["rollback"]):
        done = machine.run(*words)
        assert "nothing to roll back" in done.stdout
    assert machine.document("rollback", "--yes", answer["id"])["result"] == "unchanged"

    again = machine.document("rollback", "--yes", back["id"])
    assert (again["of"], again["result"]) == (back["id"], "rolled-back")
    assert machine.config.read_bytes() == hardened
    # The apply is in force again, so that is what comes next.
    assert machine.document("rollback", "--dry-run")["of"] == answer["id"]


def test_the_latest_that_is_in_force(machine: Machine) -> None:
    first = machine.apply()
    second = machine.apply("--only", "icc", "--docker-version", "28.5")
    assert machine.document("rollback", "--yes", status=0)["of"] == second["id"]
    assert machine.document("rollback", "--dry-run")["of"] == first["id"]
    machine.run("rollback", "--yes")
    assert not machine.config.exists()
    assert "undone by" in machine.run("history").stdout


def test_history_is_a_table(machine: Machine) -> None:
    assert machine.run("history").stdout == "Nothing was applied yet.\n"
    identifier = machine.apply()["id"]
    machine.run("rollback", "--yes")
    head, first, second = machine.run("history").stdout.splitlines()
    assert head.split() == ["ID", "WHEN", "WHO", "WHAT", "RESULT"]
    assert first.split()[0] == identifier and "apply hardened" in first
    assert f"rollback of {identifier}" in second
    stamp = re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", first)
    entry = machine.history()[0]
    assert stamp and stamp[0].replace(" ", "T") + "Z" == entry["started"]
    assert set(entry) == {"id", "kind", "of", "started", "finished", "user", "profile", "state",
                          "result", "error"}
    assert (entry["state"], entry["result"]) == ("committed", "incomplete")


def test_a_file_edited_since_is_kept(machine: Machine) -> None:
    machine.apply()
    edited = '{"live-restore": true, "debug": true, "http-proxy": "http://joe:hunter2@proxy"}'
    machine.config.write_text(edited, encoding="utf-8")
    for words in (["--yes"], ["--dry-run"]):
        done = machine.run("rollback", *words, status=2)
        assert "--force" in done.stderr
        assert '"debug": true' in done.stdout
        assert "hunter2" not in done.stdout + done.stderr
    assert machine.document("rollback", "--yes", status=2)["result"] == "refused"
    assert machine.config.read_text(encoding="utf-8") == edited
    machine.run("rollback", "--yes", "--force")
    assert not machine.config.exists()


@pytest.mark.parametrize("word", ["20200101T000000Z", "nope", "", "..", "applies/x", "*"])
def test_unknown_ids(machine: Machine, word: str) -> None:
    machine.apply()
    for words in (["--yes"], ["--dry-run"], []):
        done = machine.run("rollback", *words, word, status=2)
        assert "harden history" in done.stderr
    assert machine.config.exists()


def test_an_id_may_be_short_but_not_ambiguous(machine: Machine) -> None:
    first = machine.apply()
    assert machine.document("rollback", "--dry-run", first["id"][:8])["of"] == first["id"]
    machine.apply("--only", "icc", "--docker-version", "28.5")
    assert "2 applies" in machine.run("rollback", "--yes", first["id"][:4], status=2).stderr


@pytest.mark.parametrize("words", [["recover"], ["rollback", "--yes"], ["rollback", "-n"], ["history"]])
def test_where_nothing_was_applied_nothing_is_created(words: list[str]) -> None:
    done = subprocess.run(
        ["unshare", "--mount", PYTHON, FAKE_HOST, "none", "sh", "-c", '"$@"; s=$?; ls -A /var/lib; exit $s', "-",
         HARDEN, *words],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert "Nothing" in done.stdout or "nothing" in done.stdout
    assert done.stdout.count("\n") == 1


def test_nothing_to_recover(machine: Machine) -> None:
    assert machine.run("recover").stdout == "Nothing is pending.\n"
    answer = machine.document("recover")
    assert (answer["id"], answer["result"], answer["error"]) == (None, "unchanged", None)


def test_output_that_cannot_be_written_stops_it_first(machine: Machine) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        machine.run("apply", "--yes", *ONE, status=2, stdout=full.fileno())
    assert not machine.config.exists() and machine.history() == []


def test_no_restart_is_said(machine: Machine) -> None:
    plan = machine.document("plan", "--no-restart", *ONE)
    assert plan["action"] == "none"
    assert machine.document("apply", "--yes", "--no-restart", *ONE, status=5)["action"] == "none"


# --- spoilt records


@pytest.fixture
def spoilt(machine: Machine) -> Iterator[tuple[Machine, str]]:
    identifier = machine.apply()["id"]
    machine.record(identifier).write_text('{"schema": 1, "id": ', encoding="utf-8")
    yield machine, identifier


def test_a_spoilt_record_is_named(spoilt: tuple[Machine, str]) -> None:
    machine, identifier = spoilt
    name = f"/var/lib/harden/applies/{identifier}/record.json"
    for words in (["rollback", "--yes"], ["rollback", "--yes", identifier], ["rollback", "-n"], ["history"]):
        done = machine.run(*words, status=2)
        assert name in done.stderr
        assert done.stderr.count("\n") == 1
    assert name in machine.document("history", status=2)["error"]
    assert machine.config.exists()


def test_a_spoilt_record_does_not_hide_the_others(spoilt: tuple[Machine, str]) -> None:
    machine, identifier = spoilt
    later = machine.apply("--only", "icc", "--docker-version", "28.5")
    shown = machine.run("history", status=2).stdout
    assert "cannot be read" in shown and later["id"] in shown
    assert [entry["id"] for entry in machine.document("history", status=2)["applies"]] == [later["id"]]
    assert machine.document("rollback", "--yes")["of"] == later["id"]
    # Whether that one is the latest now, nobody knows.
    assert identifier in machine.run("rollback", "--yes", status=2).stderr


def test_a_spoilt_record_that_is_pending(spoilt: tuple[Machine, str]) -> None:
    machine, identifier = spoilt
    (machine.store / "pending").symlink_to(f"applies/{identifier}")
    for words in (["recover"], ["apply", "--yes", *ONE], ["rollback", "--yes"]):
        done = machine.run(*words, status=4)
        assert f"applies/{identifier}/record.json" in done.stdout + done.stderr
    assert machine.document("recover", status=4)["error"]
    assert machine.pending()


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "\0", '{"schema": 2}', "\xff", "[" * 100000])
def test_no_record_is_too_spoilt(machine: Machine, text: str) -> None:
    identifier = machine.apply()["id"]
    machine.record(identifier).write_text(text, encoding="latin-1")
    assert "record.json" in machine.run("history", status=2).stderr


def test_the_words_of_a_record_do_not_reach_the_terminal(machine: Machine) -> None:
    identifier = machine.apply()["id"]
    record = json.loads(machine.record(identifier).read_text(encoding="utf-8"))
    record["user"] = "\033[2Jroot\n"
    machine.record(identifier).write_text(json.dumps(record), encoding="utf-8")
    assert "\033" not in machine.run("history").stdout
    assert machine.run("history").stdout.count("\n") == 2
