"""What a definition means before it runs: paths, intrinsics, validation. Pure."""

from maprun.language.compile import compile_machine
from maprun.language.errors import DefinitionError, StatesError
from maprun.language.model import Machine

__all__ = ["DefinitionError", "Machine", "StatesError", "compile_machine"]
