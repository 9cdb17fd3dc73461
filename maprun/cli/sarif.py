"""Findings as SARIF 2.1.0, which code hosts show beside the lines they are about."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from maprun.cli.findings import Finding

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
VERSION = "2.1.0"
_LEVELS = {"ERROR": "error", "WARNING": "warning"}


def sarif_of(findings: Iterable[Finding], tool_version: str) -> dict[str, Any]:
    """The log of one run."""
    found = list(findings)
    rules = sorted({one.code for one in found})
    driver = {
        "name": "maprun",
        "version": tool_version,
        "rules": [{"id": rule, "name": "".join(word.capitalize() for word in rule.split("_"))} for rule in rules],
    }
    results = [_result(one, rules.index(one.code)) for one in found]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": VERSION, "runs": [run]}


def _result(found: Finding, rule: int) -> dict[str, Any]:
    where: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(found.file)},
            "region": {"startLine": found.line, "startColumn": found.column},
        }
    }
    if found.location:
        where["logicalLocations"] = [{"fullyQualifiedName": found.location, "kind": "member"}]
    return {
        "ruleId": found.code,
        "ruleIndex": rule,
        "level": _LEVELS[found.severity],
        "message": {"text": found.message},
        "locations": [where],
    }
