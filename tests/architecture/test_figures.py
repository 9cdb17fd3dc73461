"""A figure that can't lie: what ARCHITECTURE.md draws is generated from the registry of topics."""

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
        days = topic.retention_ms // topics.DAY_MS
        kept = "by key" if topic.compacted else "until trimmed" if topic.retention_ms < 0 else f"{days} days"
        kept = "1 hour" if topic.retention_ms == topics.HOUR_MS else kept
        rows.append(f"| {topic.name} | {topic.partitioned_by} | {topic.key} | {kept} |")
    return "\n".join(rows)


def test_the_figure_is_what_the_registry_says() -> None:
    """ARCHITECTURE.md's figure has exactly the arrows of the registry; `python -m` this module prints it anew."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{figure()}\n```" in text, f"ARCHITECTURE.md must hold:\n{figure()}"


def test_the_table_is_what_the_registry_says() -> None:
    """ARCHITECTURE.md's table of topics is the registry's."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert table() in text, f"ARCHITECTURE.md must hold:\n{table()}"


if __name__ == "__main__":
    print(f"```mermaid\n{figure()}\n```\n\n{table()}")
