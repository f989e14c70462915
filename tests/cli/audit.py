"""The two formats of `harden check` for CI systems, held against the schemas in tests/data/schemas."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema

SCHEMAS = Path(__file__).resolve().parents[1] / "data/schemas"


def sarif(text: str) -> dict[str, Any]:
    """The one run in it."""
    document = json.loads(text)
    schema = json.loads((SCHEMAS / "sarif.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, schema)
    run: dict[str, Any] = document["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    return run


def junit(text: str) -> ElementTree.Element:
    """The one suite in it."""
    done = subprocess.run(
        ["xmllint", "--noout", "--nonet", "--schema", SCHEMAS / "junit.xsd", "-"],
        input=text.encode(), capture_output=True, check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    suite = ElementTree.fromstring(text.encode()).find("testsuite")
    assert suite is not None
    cases = suite.findall("testcase")
    assert int(suite.get("tests", "")) == len(cases)
    for kind, attribute in (("failure", "failures"), ("skipped", "skipped")):
        assert int(suite.get(attribute, "")) == sum(c.find(kind) is not None for c in cases)
    return suite
