"""The program's own face: help, errors, exit statuses, and every kind of bad input.

Nothing here needs a real Docker; where a daemon has to misbehave, fake_host.py plays it.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
from pathlib import Path

import pytest

HARDEN = os.environ.get("HARDEN", "build/harden")
FAKE_HOST = str(Path(__file__).with_name("fake_host.py"))
PYTHON = "/usr/bin/python3"


def limit_memory() -> None:
    """Whatever the input, harden has to do with this much; 10 MB of JSON take about half of it."""
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


def harden(*arguments: str, env: dict[str, str] | None = None, timeout: float = 60,
           host: str | None = "none", stdout: int | None = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Runs harden, on a machine with an empty /run unless host is None."""
    command = [HARDEN, *arguments]
    if host is not None:
        command = ["unshare", "--mount", PYTHON, FAKE_HOST, host, *command]
    return subprocess.run(
        command, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=timeout, check=False,
        errors="surrogateescape", stdin=subprocess.DEVNULL, preexec_fn=limit_memory,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **(env or {})},
    )


def plan(config: Path | str, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return harden("plan", "--docker-version", "28.5", "--config-file", str(config), *arguments,
                  **options)  # type: ignore[arg-type]


# --- help, version, usage


def test_help_is_complete_and_fits() -> None:
    done = harden("--help", host=None)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "plan" in done.stdout and "--dry-run" in done.stdout and "Exit status" in done.stdout
    for status in range(6):
        assert f"{status} " in done.stdout.partition("Exit status")[2]


def test_help_says_what_becomes_of_containers() -> None:
    shown = harden("--help", host=None).stdout
    assert re.search(r"^ +--containers WHAT +keep \(default\), or restart", shown, re.M)
    assert re.search(r"^ +--accept KEY .*restart", shown, re.M)


def test_what_becomes_of_containers_can_be_said_where_there_are_none(tmp_path: Path) -> None:
    config = tmp_path / "daemon.json"
    shown = [
        json.loads(plan(config, "--json", *words).stdout)
        for words in ([], ["--containers", "keep"], ["--containers", "restart"], ["--accept", "restart"])
    ]
    assert shown[0]["stops"] == [] and shown[0]["action"] == "none"
    assert all(document == shown[0] for document in shown)


def test_version() -> None:
    done = harden("--version", host=None)
    assert re.fullmatch(r"harden \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--dry-rum"], "did you mean --dry-run"),
        (["--nonsense"], "unknown"),
        (["-x"], "unknown"),
        (["--profile"], "needs a value"),
        (["plam"], "did you mean plan"),
        (["plan", "extra"], "too many arguments"),
        ([], "pass --yes"),
        (["aply"], "did you mean apply"),
        (["apply", "extra"], "too many arguments"),
        (["rollback", "one", "two"], "too many arguments"),
        (["plan", "--set", "icc"], "expected KEY=JSON"),
        (["plan", "--set", "log-opts={"], "not valid JSON"),
        (["plan", "--set", "log-opts.m\udcefx=1"], "the key is not UTF-8"),
        (["plan", "--set", "nope=1"], "no such key"),
        (["plan", "--set", "iccc=true"], "did you mean icc"),
        (["plan", "--set", "icc=3"], "expected true or false"),
        (["plan", "--skip", "=why"], "expected KEY"),
        (["plan", "--skip", "nope"], "no such setting"),
        (["plan", "--accept", "nope"], "no such setting"),
        (["plan", "--only", "nope"], "no such setting"),
        (["plan", "--timeout", "soon"], "expected seconds"),
        (["plan", "--timeout", "0"], "expected seconds"),
        (["plan", "--timeout", "-3"], "expected seconds"),
        (["plan", "--color", "blue"], "auto, always or never"),
        (["plan", "--containers", "kill"], "expected keep or restart"),
        (["rollback", "--containers", "kill"], "expected keep or restart"),
        (["apply", "--yes", "--containers", "Restart"], "expected keep or restart"),
        (["plan", "--containers", ""], "expected keep or restart"),
        (["plan", "--containers"], "needs a value"),
        (["plan", "--accept", "restarts"], "no such setting"),
        (["plan", "--docker-version", "new"], "expected a version"),
        (["plan", "--docker-version", "1.13"], "expected a version"),
        (["plan", "--profile", "nope"], "no profile of this name"),
        (["plan", "--profile", "/no/such.json"], "no such file"),
        (["profiles", "nope"], "no profile of this name"),
    ],
)
def test_a_mistake_is_named(arguments: list[str], says: str) -> None:
    done = harden(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_error_is_in_the_document_too() -> None:
    done = harden("plan", "--json", "--profile", "nope")
    document = json.loads(done.stdout)
    assert done.returncode == 2
    assert document["schema"] == 1 and document["command"] == "plan"
    assert "no profile of this name" in document["error"]


def test_a_mistake_in_the_options_is_a_document_too() -> None:
    for arguments in (["--timeout", "0", "--json"], ["--json", "--nonsense"]):
        done = harden(*arguments)
        assert done.returncode == 2
        assert json.loads(done.stdout)["error"] in done.stderr


def test_profiles() -> None:
    listed = harden("profiles")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["hardened", "level1"]
    source = Path(__file__).parents[2].joinpath("templates/profiles/hardened.json")
    assert harden("profiles", "hardened").stdout == source.read_text(encoding="utf-8")
    names = json.loads(harden("profiles", "--json").stdout)["profiles"]
    assert [row["name"] for row in names] == ["hardened", "level1"]


def test_a_full_disk_behind_stdout_is_an_error() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = harden("profiles", "hardened", stdout=full.fileno())
    assert done.returncode == 2
    assert "No space left" in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_no_file_takes_the_place_of_a_closed_stream(tmp_path: Path, closed: str) -> None:
    """What is printed would go into it."""
    trace = tmp_path / "trace"
    program = f"exec {HARDEN} plan --docker-version 28.5 {closed}"
    subprocess.run(
        ["strace", "-o", str(trace), "-e", "trace=openat,socket,dup", "sh", "-c", program],
        capture_output=True, check=False, stdin=subprocess.DEVNULL,
    )
    # The loader comes before the program.
    opened = [line for line in trace.read_text().splitlines() if ".so" not in line]
    taken = [line for line in opened if re.search(r"= [012]$", line)]
    assert len(taken) == closed.count("&-")
    assert all("/dev/null" in line for line in taken), taken
    assert len(opened) > len(taken) + 2


# --- a profile with a mistake


def test_a_mistake_in_a_profile_has_its_place(tmp_path: Path) -> None:
    profile = tmp_path / "site.json"
    profile.write_text('{"schema": 1, "name": "site", "extends": "hardened",\n'
                       ' "settings": [\n  {"key": "icc", "wantd": true}]}\n', encoding="utf-8")
    done = harden("plan", "--profile", str(profile))
    assert done.returncode == 2
    assert f'{profile}:3:18: ' in done.stderr
    assert 'did you mean "wanted"' in done.stderr


def test_a_profile_extends_another_file(tmp_path: Path) -> None:
    base, site = tmp_path / "base.json", tmp_path / "site.json"
    base.write_text('{"schema": 1, "name": "b", "extends": "level1"}', encoding="utf-8")
    site.write_text(json.dumps({"schema": 1, "name": "s", "extends": str(base),
                                "settings": [{"key": "icc", "wanted": True}]}), encoding="utf-8")
    document = json.loads(harden("plan", "--json", "--profile", str(site)).stdout)
    rows = {row["key"]: row for row in document["settings"]}
    assert rows["icc"]["state"] == "ok"
    assert "userns-remap" not in rows


# --- bad files


def nested(depth: int) -> bytes:
    return b'{"labels": ' + b"[" * depth + b"]" * depth + b"}"


BAD_TEXT: dict[str, tuple[bytes, str]] = {
    "trailing comma": (b'{\n  "icc": false,\n}\n', ":2:15: "),
    "single quotes": (b"{\n  'icc': false\n}", ":2:3: "),
    "line comment": (b'{\n  "icc": false // off\n}', ":2:16: "),
    "block comment": (b"{\n  /* off */\n}", ":2:3: "),
    "hash comment": (b"{\n# off\n}", ":2:1: "),
    "truncated": (b'{\n  "icc": fal', ":2:10: "),
    "truncated object": (b'{\n  "log-opts": {\n', ":"),
    "NUL byte": (b'{"icc": \x00false}', ":1:9: "),
    "nested brackets": (nested(100_000), ":1:"),
    "invalid UTF-8": (b'{"labels": ["\xff"]}', ":1:14: "),
    "UTF-16": ('\ufeff{"icc": false}'.encode("utf-16-le"), "UTF-16"),
    "UTF-16 without a mark": ('{"icc": false}'.encode("utf-16-be"), "UTF-16"),
    "an array": (b"[]", "object"),
    "a string": (b'"icc"', "object"),
    "missing comma": (b'{"icc": false "mtu": 3}', ":1:14: "),
    "two documents": (b'{"icc": false}\n{"mtu": 3}', ":2:1: "),
    "unquoted key": (b"{icc: false}", ":1:2: "),
    "HTML": (b"<!DOCTYPE html><html></html>", ":1:1: "),
    "a tab in a string": (b'{"a\tb": 1}', ":1:4: "),
}


@pytest.mark.parametrize("name", BAD_TEXT, ids=lambda name: name.replace(" ", "-"))
def test_broken_json_has_its_place(tmp_path: Path, name: str) -> None:
    text, says = BAD_TEXT[name]
    config = tmp_path / "daemon.json"
    config.write_bytes(text)
    done = plan(config)
    assert done.returncode == 2
    assert done.stdout == ""
    assert str(config) in done.stderr and says in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 600
    assert config.read_bytes() == text


# What dockerd refuses though it is JSON: the plan is shown, and says so; exit 2.
REFUSED = {
    "unknown key": ('{\n  "iccc": false\n}', ":2:3: ", "icc"),
    "wrong type": ('{"mtu": "1400"}', ":1:", "mtu"),
    "key in another letter case": ('{"ICC": false}', ":1:2: ", "icc"),
    "removed key": ('{"disable-legacy-registry": true, "cluster-store": "x"}', ":1:", "cluster-store"),
    "list instead of an object": ('{"log-opts": []}', ":1:", "log-opts"),
    "log-opt that is a number": ('{"log-opts": {"tag": 3}}', ":1:2: ", "log-opts"),
}


@pytest.mark.parametrize("name", REFUSED, ids=lambda name: name.replace(" ", "-"))
def test_what_dockerd_would_refuse_is_said(tmp_path: Path, name: str) -> None:
    text, place, says = REFUSED[name]
    config = tmp_path / "daemon.json"
    config.write_text(text, encoding="utf-8")
    done = plan(config, "--only", "live-restore", "--json")
    assert done.returncode == 2, done.stdout
    document = json.loads(done.stdout)
    assert any(says in text for text in document["obstacles"])
    assert any(str(config) + place in text for text in document["warnings"])


def test_repeated_keys_are_ordinary(tmp_path: Path) -> None:
    config = tmp_path / "daemon.json"
    config.write_text('{"icc": true, "icc": false}', encoding="utf-8")
    document = json.loads(plan(config, "--json").stdout)
    row = next(row for row in document["settings"] if row["key"] == "icc")
    assert (row["current"], row["state"]) == (False, "ok")


def test_an_ignored_key_is_said(tmp_path: Path) -> None:
    config = tmp_path / "daemon.json"
    config.write_text('{\n "log-opt": "x"\n}', encoding="utf-8")
    done = plan(config, "--json", "--only", "live-restore")
    assert done.returncode == 0
    assert any(":2:2: log-opt" in text and "log-opts" in text
               for text in json.loads(done.stdout)["warnings"])


def test_not_a_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path in (tmp_path, fifo, loop, Path("/dev/zero"), Path("/dev/null")):
        done = plan(path)
        assert done.returncode == 2, path
        assert str(path) in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_gigabyte_is_refused_at_once(tmp_path: Path) -> None:
    big = tmp_path / "big.json"
    with big.open("wb") as file:
        file.truncate(1 << 30)
    done = plan(big)
    assert done.returncode == 2
    assert str(big) in done.stderr


def test_ten_megabytes_are_ordinary(tmp_path: Path) -> None:
    config = tmp_path / "daemon.json"
    labels = ",\n    ".join(f'"key{i}=value"' for i in range(500_000))
    config.write_text('{\n  "labels": [\n    ' + labels + "\n  ]\n}\n", encoding="utf-8")
    assert config.stat().st_size > 10_000_000
    done = plan(config)
    assert done.returncode == 0
    assert "To change" in done.stdout
    assert len(done.stdout) < 20_000


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    config = tmp_path / "daemon.json"
    config.write_text("{}", encoding="utf-8")
    config.chmod(0o600)
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_uid == 0 and folder != Path("/tmp") and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", HARDEN, "plan",
         "--config-file", str(config)],
        capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert str(config) in done.stderr and "permission denied" in done.stderr.lower()


# --- a daemon that misbehaves, and a bus that is not there


def test_an_honest_daemon_is_believed(tmp_path: Path) -> None:
    document = json.loads(plan(tmp_path / "none.json", "--json", host="honest").stdout)
    assert document["host"]["docker_version"] == "28.5.2"
    rows = {row["key"]: row for row in document["settings"]}
    assert rows["icc"]["in_force"] is True
    assert rows["storage-driver"]["in_force"] == "overlay2"


@pytest.mark.parametrize(
    "mode", ["nonsense", "not_json", "closes", "silent", "slow", "endless", "endless_header",
             "refuses"])
def test_a_daemon_that_misbehaves_is_said_and_survived(tmp_path: Path, mode: str) -> None:
    done = plan(tmp_path / "none.json", "--json", "--timeout", "2", host=mode, timeout=30)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["host"]["daemon"] == "running"
    assert any("/run/docker.sock" in text for text in document["warnings"]), document["warnings"]
    assert all(row["in_force"] is None for row in document["settings"])


def test_no_bus_is_survived_and_said(tmp_path: Path) -> None:
    document = json.loads(plan(tmp_path / "none.json", "--json", host="honest",
                               env={"FAKE_SYSTEMD": "1"}).stdout)
    assert document["host"]["daemon"] == "running"
    assert any("systemd" in text for text in document["warnings"]), document["warnings"]


def test_rootless_docker_is_recognised_and_left_alone() -> None:
    done = harden("plan", env={"DOCKER_HOST": "unix:///run/user/1000/docker.sock"})
    assert done.returncode == 2
    assert "rootless" in done.stderr and ".config/docker/daemon.json" in done.stderr


# --- what the terminal is shown


def test_secrets_are_masked_everywhere(tmp_path: Path) -> None:
    config = tmp_path / "daemon.json"
    config.write_text(
        '{\n  "proxies": {"http-proxy": "http://joe:hunter2@proxy:3128"},\n'
        '  "log-driver": "json-file",\n  "log-opts": {"splunk-token": "hunter2", "tag": "t"}\n}\n',
        encoding="utf-8")
    for arguments in ([], ["--json"], ["-v"]):
        done = plan(config, *arguments)
        assert "hunter2" not in done.stdout + done.stderr
        assert "xxxxx" in done.stdout


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    config = tmp_path / "daemon.json"
    config.write_text('{"labels": ["a=\\u001b[2J", "b=\u202e\u009b1m"]}', encoding="utf-8")
    done = plan(config, "--set", "mtu=1400")
    assert done.returncode == 0
    assert "\u202e" not in done.stdout and "\u009b" not in done.stdout
    assert "\033" not in done.stdout


def test_colour(tmp_path: Path) -> None:
    config = tmp_path / "none.json"
    assert "\033[" in plan(config, "--color", "always").stdout
    assert "\033[" not in plan(config).stdout
    assert "\033[" not in plan(config, "--color", "auto", env={"NO_COLOR": "1"}).stdout
    coloured = plan(config, "--color=always").stdout
    assert re.sub(r"\033\[\d+m", "", coloured) == plan(config).stdout


def test_quiet_is_one_line(tmp_path: Path) -> None:
    assert plan(tmp_path / "none.json", "-q").stdout.count("\n") == 1
