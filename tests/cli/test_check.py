"""`harden check`: three columns, verdicts, four formats, and bad input."""

from __future__ import annotations

import json
from pathlib import Path

import audit
import pytest
from test_cli import harden


def check(config: Path, *words: str, host: str = "honest", status: int = 1) -> str:
    done = harden("check", "--config-file", str(config), *words, host=host)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "daemon.json"
    file.write_text('{\n  "icc": false,\n  "log-opts": {"tag": "<&\\u0007\\">"}\n}\n')
    return file


def rows(text: str) -> dict[str, dict[str, object]]:
    document = json.loads(text)
    assert (document["schema"], document["command"]) == (1, "check")
    return {row["key"]: row for row in document["settings"]}


def test_the_file_is_not_believed(config: Path) -> None:
    """The file says false, and the daemon's bridge true."""
    icc = rows(check(config, "--json"))["icc"]
    assert (icc["file"], icc["flag"], icc["in_force"]) == (False, None, True)
    assert icc["verdict"] == "fail"
    assert "not restarted since" in str(icc["reason"])
    assert json.loads(check(config, "--json"))["compliant"] is False
    # Where there is no daemon to ask, what is configured has to do, and that is said.
    stopped = check(config, "--json", "--docker-version", "28.5", host="none")
    assert rows(stopped)["icc"]["in_force"] is None
    assert rows(stopped)["icc"]["verdict"] == "pass"
    assert "nothing is known to be in force" in json.loads(stopped)["warnings"][-1]


def test_text_fits_and_says_the_same(config: Path) -> None:
    text = check(config, "--skip", "log-driver=ticket 4711")
    assert max(map(len, text.splitlines())) <= 80
    line = next(line for line in text.splitlines() if " icc " in line)
    assert line.split() == ["FAIL", "2.2", "icc", "false", "-", "true"]
    assert "ticket 4711" in text
    assert text.splitlines()[-1].endswith("this host does not comply.")
    assert len(check(config, "-q").splitlines()) == 1
    assert "one compromised container" in check(config, "-v")


def test_numbers_of_a_benchmark(config: Path) -> None:
    for version, number in (("1.1", "2.1"), ("1.6", "2.2"), ("1.8", "2.2")):
        text = check(config, "--benchmark", version)
        assert f" {number} " in next(line for line in text.splitlines() if " icc " in line)
    legacy = "disable-legacy-registry"
    assert f"- {legacy}" in " ".join(check(config, "--benchmark", "1.8").split())
    assert f"2.13 {legacy}" in " ".join(check(config, "--benchmark", "1.1").split())
    # Unmarked it would look like the 2.13 of the newest.
    assert f"1.1: 2.13 {legacy}" in " ".join(check(config).split())


def test_a_compliant_host_exits_with_0(config: Path) -> None:
    text = check(config, "--only", "log-level", "--only", "authorization-plugins", status=0)
    assert text.splitlines()[-1] == "1 pass, 1 for you to judge: this host complies."
    assert json.loads(check(config, "--only", "log-level", "--json", status=0))["compliant"] is True


def test_waivers_have_reason_and_end(config: Path, tmp_path: Path) -> None:
    profile = tmp_path / "site.json"
    profile.write_text(json.dumps({
        "schema": 1, "name": "site", "title": "Site", "extends": "hardened",
        "skip": [{"key": "icc", "reason": "ticket 4711", "until": "2999-01-31"},
                 {"key": "log-driver", "reason": "over", "until": "2020-01-31"}],
    }))
    words = ("--profile", str(profile))
    found = rows(check(config, *words, "--json"))
    assert (found["icc"]["verdict"], found["icc"]["waived_until"]) == ("waived", "2999-01-31")
    assert found["log-driver"]["verdict"] == "fail"
    assert "ticket 4711 (until 2999-01-31)" in check(config, *words)
    result = next(r for r in audit.sarif(check(config, *words, "--format", "sarif"))["results"]
                  if r["ruleId"] == "icc")
    assert "ticket 4711" in result["suppressions"][0]["justification"]


def test_junit_and_sarif_are_valid(config: Path) -> None:
    for words in ((), ("--skip", "icc=<reason> & \"more\" ]]>"), ("--only", "icc")):
        suite = audit.junit(check(config, *words, "--format", "junit"))
        run = audit.sarif(check(config, *words, "--format", "sarif"))
        assert len(suite.findall("testcase")) == len(run["results"])
    icc = next(r for r in audit.sarif(check(config, "--format", "sarif"))["results"]
               if r["ruleId"] == "icc")
    assert (icc["kind"], icc["level"]) == ("fail", "error")
    place = icc["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == f"file://{config}"
    assert place["region"] == {"startLine": 2}
    case = next(c for c in audit.junit(check(config, "--format", "junit")).findall("testcase")
                if c.get("name") == "2.2 icc")
    failure = case.find("failure")
    assert failure is not None and "in force: true" in (failure.text or "")


def test_a_configuration_that_does_not_start_does_not_comply(config: Path) -> None:
    config.write_text('{"iccc": "<\\ufffe\\u0007>"}')
    only = ("--only", "log-level")
    assert check(config, *only).splitlines()[-1] == (
        "1 pass, dockerd would not start: this host does not comply."
    )
    document = json.loads(check(config, *only, "--json"))
    assert document["compliant"] is False and "iccc" in document["obstacles"][0]
    case = audit.junit(check(config, *only, "--format", "junit")).find("testcase")
    assert case is not None and case.get("name") == "configuration"
    run = audit.sarif(check(config, *only, "--format", "sarif"))
    assert run["results"][-1]["ruleId"] == "configuration"


def test_secrets_are_masked(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    file.write_text('{"log-driver": "splunk", "log-opts": {"splunk-token": "s3cret", '
                    '"splunk-url": "http://u:s3cret@h"}}')
    for form in ("text", "json", "junit", "sarif"):
        done = harden("check", "--config-file", str(file), "--format", form,
                      "--set", "log-opts.splunk-token=s3cret2", host="honest")
        assert "s3cret" not in done.stdout


def test_mistakes() -> None:
    for words, sentence in (
        (["check", "--format", "yaml"], "expected text, json, junit or sarif"),
        (["check", "--benchmark", "1.9"], "expected 1.1, 1.6, 1.7 or 1.8"),
        (["plan", "--format", "junit"], "--format is for check"),
        (["--benchmark", "1.8", "plan"], "--benchmark is for check"),
        (["check", "more"], "too many arguments"),
        (["check", "--json", "--format", "sarif"], "--json asks for another one"),
        (["check", "--format", "junit", "--json"], "--format asks for another one"),
    ):
        done = harden(*words)
        assert done.returncode == 2
        assert sentence in done.stderr
        assert bool(done.stdout) == ("--json" in words)
    done = harden("check", "--config-file", "/dev/null/x", "--json")
    assert done.returncode == 2 and json.loads(done.stdout)["error"]


def test_a_daemon_that_talks_nonsense_is_not_believed_either(config: Path) -> None:
    for host in ("nonsense", "closes", "refuses", "not_json"):
        document = json.loads(check(config, "--json", "--timeout", "2", host=host))
        assert all(row["in_force"] is None for row in document["settings"]
                   if not row["key"].startswith("file."))
        assert document["warnings"]
