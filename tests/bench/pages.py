"""Pages of docs/benchmarks: a section each time something was measured, with the machine it was measured on."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench import processes
from tests.integration.system.stack import ROOT

FOLDER = ROOT / "docs" / "benchmarks"


def add(name: str, title: str, command: str, text: str) -> Path:
    """Adds a section to docs/benchmarks/NAME.md, which is made if it isn't there; answers its path."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.md"
    if not path.exists():
        path.write_text(f"# {title}\n")
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    with path.open("a") as file:
        file.write(f"\n## {today}, {processes.machine()}\n\nMade by `{command}`.\n\n{text.strip()}\n")
    return path


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table; floats are shown as they are, numbers with thousands separated."""
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |"]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    return f"{value:,}" if isinstance(value, int) else str(value)
