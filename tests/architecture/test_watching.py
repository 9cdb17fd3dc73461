"""docs/watching.md lists exactly what is exported, and every alert has its runbook."""

import ast
import json
import re
import shutil
import subprocess
from itertools import chain
from typing import Any

import pytest
import yaml

from tests.architecture.sources import ROOT, modules, tree

DOC = (ROOT / "docs" / "watching.md").read_text(encoding="utf-8")
METRIC = re.compile(r"(?:maprun|aws_states)(?:_[a-z]+)+")
ROW = re.compile(r"^\| `((?:maprun|aws_states)_\w+)` \| (counter|gauge|histogram) \|", re.MULTILINE)
WATCHING = ROOT / "ops" / "watching"
NOT_METRICS = {"maprun_tracker", "aws_states_"}
LIBRARY = {"up", "process_start_time_seconds", "process_resident_memory_bytes"}
"""What Prometheus and its client library know by themselves."""


def exported() -> set[str]:
    """The names that code gives to metrics: texts in it that look like nothing else."""
    texts = (
        node.value
        for path in chain(modules("maprun"), modules("services"))
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return {text for text in texts if METRIC.fullmatch(text)} - NOT_METRICS


def documented() -> dict[str, str]:
    """Name in code → type, of each row."""
    return {name.removesuffix("_total"): kind for name, kind in ROW.findall(DOC)}


def rules() -> list[dict[str, Any]]:
    """All rules."""
    read = yaml.safe_load((WATCHING / "rules.yml").read_text(encoding="utf-8"))
    return [rule for group in read["groups"] for rule in group["rules"]]


def test_what_is_exported_is_documented() -> None:
    """No metric without a row, no row without a metric; a counter's row says `_total`, as Prometheus shows it."""
    assert set(documented()) == exported()
    assert [name for name, kind in ROW.findall(DOC) if (kind == "counter") != name.endswith("_total")] == []


def test_every_alert_has_a_runbook() -> None:
    """Its `runbook_url` leads to a file that says what is seen, why, and what to do; none is without its alert."""
    alerts = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in rules() if "alert" in rule}
    assert {path.name for path in (ROOT / "docs" / "runbooks").glob("*.md")} == {
        url.rpartition("/")[2] for url in alerts.values()
    }
    for alert, url in alerts.items():
        text = (ROOT / url).read_text(encoding="utf-8")
        assert alert in text.splitlines()[0], url
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Seen", "Why", "What to do", "Tried"], url
        assert f"| {alert} |" in DOC, alert


def test_rules_and_panels_ask_for_metrics_that_there_are() -> None:
    """A query for a name that nobody exports would stay silent for ever."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    known = {name + suffix for name, kind in documented().items() for suffix in _suffixes(kind)} | LIBRARY
    queries = [rule["expr"] for rule in rules()]
    for path in (WATCHING / "grafana").glob("*.json"):
        board = json.loads(path.read_text(encoding="utf-8"))
        queries += [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    for query in queries:
        for pattern in re.findall(r'__name__=~"([^"]*)"', query):
            assert any(re.fullmatch(pattern, name) for name in known), query
        plain = re.sub(r'"[^"]*"', "", query)
        named = set(re.findall(r"\b(?:maprun|aws_states)_\w+", plain)) | set(re.findall(r"maprun:[\w:]+", plain))
        assert named <= known | recorded, query


def _suffixes(kind: str) -> tuple[str, ...]:
    return {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}[kind]


def test_alerts_fire_for_what_they_are_meant_for() -> None:
    """By ops/watching/rules_test.yml, where promtool is there; queries are then read as Prometheus reads them."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here: `apt-get install prometheus`")
    done = subprocess.run(
        [promtool, "test", "rules", "rules_test.yml"], cwd=WATCHING, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
