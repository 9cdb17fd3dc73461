"""The executions recorded against AWS: those beside this module, and more where MAPRUN_CONFORMANCE_DIR says."""

import json
import os
from pathlib import Path
from typing import Any

RECORDS = Path(__file__).resolve().parent / "records"


def recorded_cases() -> list[dict[str, Any]]:
    """All of them. A folder without records is an error: a run that compares nothing must not pass."""
    folders = [RECORDS]
    if more := os.environ.get("MAPRUN_CONFORMANCE_DIR"):
        folders.append(Path(more))
    cases: dict[str, dict[str, Any]] = {}
    for folder in folders:
        files = sorted(folder.glob("*.json"))
        if not files:
            raise FileNotFoundError(f"no recorded executions in {folder}")
        for file in files:
            cases |= {case["case"]: case for case in json.loads(file.read_text())}
    return list(cases.values())
