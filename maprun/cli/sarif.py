"""Findings as SARIF 2.1.0, which code hosts show beside the lines they are about."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from maprun.cli.findings import Finding

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
VERSION = "2.1.0"
_LEVELS = {"ERROR": "error", "WARNING": "warning"}
RULES = {
    "DUPLICATE_LABEL_NAME": "The Label of each distributed Map is its own: it stands in the ARNs of Map Runs.",
    "DUPLICATE_STATE_NAME": "A state's name is its own within the whole machine, branches and processors included.",
    "FILE_NOT_READ": "The file is a definition, a template, a project or a plan, and all that it needs is there.",
    "INVALID_JSONATA_EXPRESSION": "What stands between {% and %} is JSONata.",
    "INVALID_JSON_DESCRIPTION": "A definition is a JSON object; in a template it may be written in YAML.",
    "INVALID_LABEL_NAME": "A Label is short, and without characters that an ARN may not hold.",
    "INVALID_STATE_NAME": "A state's name is no longer than AWS allows.",
    "MISSING_DESCRIPTION": "There is a definition.",
    "MISSING_END_STATE": "A machine, a branch and a processor have a state that ends them.",
    "MISSING_TRANSITION_TARGET": "Each Next, Default and StartAt names a state beside it, and each state is reached.",
    "NO_DOLLAR": "A member whose value is meant to be worked out has a name that ends in `.$`.",
    "NO_PATH": "A member that takes no path holds the value itself; one ending in `Path` takes a path.",
    "PASS_RESULT_IS_STATIC": "The Result of a Pass state is taken as it is written; Parameters can be worked out.",
    "SCHEMA_VALIDATION_FAILED": "Each member is one that Amazon States Language knows there, with a value it may have.",
    "TOO_DEEPLY_NESTED": "A definition nests no deeper than can be run.",
    "UNSUPPORTED_JSONATA_EXPRESSION": "An expression reads $states and variables, and those of $states that are there.",
}
"""What holds where the rule is not broken, by its code."""


def sarif_of(findings: Iterable[Finding], tool_version: str) -> dict[str, Any]:
    """The log of one run."""
    found = list(findings)
    rules = sorted({one.code for one in found})
    driver = {
        "name": "maprun",
        "version": tool_version,
        "rules": [_rule(code) for code in rules],
    }
    results = [_result(one, rules.index(one.code)) for one in found]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": VERSION, "runs": [run]}


def _rule(code: str) -> dict[str, Any]:
    words = code.split("_")
    text = {"text": RULES[code]}
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in words),
        "shortDescription": {"text": " ".join(words).capitalize()},
        "fullDescription": text,
        "help": text,
    }


def _uri(file: str) -> str:
    """From where the command runs, as a repository names its files; of a file elsewhere its whole address."""
    path = Path(file)
    if not path.is_absolute():
        return quote(path.as_posix())
    here = Path.cwd()
    return quote(path.relative_to(here).as_posix()) if path.is_relative_to(here) else path.as_uri()


def _result(found: Finding, rule: int) -> dict[str, Any]:
    where: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(found.file)},
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
