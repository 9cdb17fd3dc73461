"""What a definition means before it runs: paths, intrinsics, validation. Pure."""

from maprun.language.compile import compile_machine
from maprun.language.diagnostics import Diagnostic
from maprun.language.errors import DefinitionError, StatesError
from maprun.language.examine import FINDINGS_MAX, Examined, examine
from maprun.language.model import Machine

__all__ = [
    "FINDINGS_MAX",
    "DefinitionError",
    "Diagnostic",
    "Examined",
    "Machine",
    "StatesError",
    "compile_machine",
    "examine",
]
