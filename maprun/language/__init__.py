"""What a definition means before it runs: paths, intrinsics, validation. Pure."""

from maprun.language.compile import compile_machine
from maprun.language.diagnostics import Diagnostic
from maprun.language.errors import DefinitionError, StatesError
from maprun.language.model import Machine
from maprun.language.validate import validate

__all__ = ["DefinitionError", "Diagnostic", "Machine", "StatesError", "compile_machine", "validate"]
