"""Loads the handler of a function's Python code, with Lambda's words for what is wrong with it."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maprun.local.functions.catalog import HANDLERS
from maprun.local.functions.context import Context

Handler = Callable[[Any, Context], Any]


class LoadError(Exception):
    """The code can't be used; `error_type` is Lambda's name for why."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


def load(root: Path, module: str, name: str) -> Handler:
    """Runs the code and finds the handler of this name in it, or one of the usual names. Raises LoadError.

    SystemExit from the code itself comes through. A function's own module is found before any other of its name.
    """
    sys.path.insert(0, str(root))
    sys.dont_write_bytecode = True  # a cached .pyc has seconds for a clock and would hide a quick change
    for known in (module, module.partition(".")[0]):
        sys.modules.pop(known, None)
    try:
        loaded = importlib.import_module(module)
    except SyntaxError as error:
        raise LoadError("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module}': {error}") from error
    except Exception as error:
        raise LoadError("Runtime.ImportModuleError", f"Unable to import module '{module}': {error}") from error
    for candidate in (name,) if name else HANDLERS:
        found = getattr(loaded, candidate, None)
        if callable(found):
            handler: Handler = found
            return handler
    raise LoadError("Runtime.HandlerNotFound", f"Handler '{name or 'handler'}' missing on module '{module}'")
