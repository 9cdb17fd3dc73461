"""A figure that can't lie: what ARCHITECTURE.md draws is generated from the registry of topics."""

from maprun.integrations.registry import SERVICES
from maprun.integrations.resources import Pattern
from schemas import topics
from tests.architecture.sources import ROOT


def figure() -> str:
    """Services and topics as mermaid: an arrow for each writer and each reader, in the registry's order."""
    lines = ["flowchart LR", "    user([user])"]
    lines += [f"    {service}[{service}]" for service in topics.ALL_SERVICES]
    lines += [f"    t_{topic.name}[/{topic.name}/]" for topic in topics.TOPICS]
    for topic in topics.TOPICS:
        lines += [f"    {writer} --> t_{topic.name}" for writer in topic.writers]
        lines += [f"    t_{topic.name} --> {reader}" for reader in topic.readers]
    return "\n".join(lines)


def table() -> str:
    """The registry as a table."""
    rows = ["| topic | partitions | key | keeps |", "| --- | --- | --- | --- |"]
    for topic in topics.TOPICS:
        kept = "by key" if topic.compacted else "until trimmed" if topic.retention_ms < 0 else _time(topic.retention_ms)
        rows.append(f"| {topic.name} | {topic.partitioned_by} | {topic.key} | {kept} |")
    return "\n".join(rows)


def _time(milliseconds: int) -> str:
    days = milliseconds // topics.DAY_MS
    return f"{days} days" if days else f"{milliseconds // 60_000} minutes"


def integrations() -> str:
    """The optimised integrations."""
    rows = ["| service | action | patterns |", "| --- | --- | --- |"]
    for _, service in sorted(SERVICES.items()):
        for patterns, actions in service.actions.items():
            rows.append(f"| {service.name} | {', '.join(actions)} | {_shown(patterns)} |")
    return "\n".join(rows)


def _shown(patterns: frozenset[Pattern]) -> str:
    return ", ".join(pattern.value or "request-response" for pattern in Pattern if pattern in patterns)


def test_the_figure_is_what_the_registry_says() -> None:
    """ARCHITECTURE.md's figure has exactly the arrows of the registry; `python -m` this module prints it anew."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{figure()}\n```" in text, f"ARCHITECTURE.md must hold:\n{figure()}"


def test_the_table_is_what_the_registry_says() -> None:
    """ARCHITECTURE.md's table of topics is the registry's."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert table() in text, f"ARCHITECTURE.md must hold:\n{table()}"


def test_the_integrations_are_what_the_registry_says() -> None:
    """docs/parity.md's table of optimised integrations is generated from their declarations."""
    text = (ROOT / "docs" / "parity.md").read_text(encoding="utf-8")
    assert integrations() in text, f"docs/parity.md must hold:\n{integrations()}"


if __name__ == "__main__":
    print(f"```mermaid\n{figure()}\n```\n\n{table()}\n\n{integrations()}")
