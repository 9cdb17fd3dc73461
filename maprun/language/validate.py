"""Validation of definitions with AWS's codes and texts (facts, section 4.3)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SCHEMA = "SCHEMA_VALIDATION_FAILED"
KINDS = ("Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map")


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: `severity` is ERROR or WARNING, `location` a pointer such as /States/X/Next."""

    severity: str
    code: str
    message: str
    location: str


def validate(document: Any, machine_type: str = "STANDARD") -> Iterator[Diagnostic]:
    """Everything found wrong, in document order; lazily, so that the first error is cheap to get."""
    if not isinstance(document, dict):
        yield Diagnostic("ERROR", "INVALID_JSON_DESCRIPTION", "The definition must be a JSON object", "/")
        return
    missing = [field for field in ("StartAt", "States") if field not in document]
    if missing:
        yield Diagnostic("ERROR", SCHEMA, f"These fields are required: [{', '.join(missing)}]", "/")
