"""From the text of a definition to everything that is found about it, before anything is made of it."""

import json
from dataclasses import dataclass, field
from typing import Any

import msgspec

from maprun.language.depth import json_depth_ok
from maprun.language.diagnostics import SCHEMA, Diagnostic, error
from maprun.language.jsontext import DECODE_ERRORS
from maprun.language.validate import validate

DEFINITION_BYTES_MAX = 1_048_576
DEFINITION_DEPTH_MAX = 120
FINDINGS_MAX = 100
"""In one message or answer. One more is kept of each severity, which shows that there are others."""


@dataclass(slots=True)
class Examined:
    """The decoded definition, None if it is no JSON, and the first findings of each severity, in document order."""

    document: Any = None
    errors: list[Diagnostic] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)

    def add(self, found: Diagnostic) -> None:
        """Keeps a finding while there is room."""
        kept = self.errors if found.severity == "ERROR" else self.warnings
        if len(kept) <= FINDINGS_MAX:
            kept.append(found)


def examine(definition: bytes, machine_type: str = "STANDARD") -> Examined:
    """Everything about a definition, the JSON text of a whole machine."""
    examined = Examined()
    if not definition.strip():
        examined.add(error("MISSING_DESCRIPTION", "The definition is empty", ""))
    elif len(definition) > DEFINITION_BYTES_MAX:
        examined.add(error(SCHEMA, f"The definition exceeds {DEFINITION_BYTES_MAX} bytes", "/"))
    elif not json_depth_ok(definition, DEFINITION_DEPTH_MAX):
        examined.add(error("TOO_DEEPLY_NESTED", f"JSON nests deeper than {DEFINITION_DEPTH_MAX} levels", "/"))
    else:
        _decoded(definition, machine_type, examined)
    return examined


def _decoded(definition: bytes, machine_type: str, examined: Examined) -> None:
    try:
        examined.document = msgspec.json.decode(definition)
    except DECODE_ERRORS as bad:
        examined.add(error("INVALID_JSON_DESCRIPTION", _words(definition, str(bad)), ""))
        return
    for found in validate(examined.document, machine_type):
        examined.add(found)


def _words(definition: bytes, reason: str) -> str:
    """What is no JSON, and where: the standard library counts lines and columns as an editor does."""
    try:
        json.loads(definition)
    except json.JSONDecodeError as bad:
        reason = f"{bad.msg} (line {bad.lineno}, column {bad.colno})"
    except UnicodeDecodeError as bad:
        reason = str(bad)
    return f"The definition is not valid JSON: {reason}"
