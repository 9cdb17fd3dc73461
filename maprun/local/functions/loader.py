"""Loads handlers: a function's file, read again when it changes, and Lambda's words for what is wrong with it."""

import importlib.util
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from maprun.local.functions.context import Context
from maprun.runtime import clock

Handler = Callable[[Any, Context], Any]
HANDLER_NAMES = ("handler", "lambda_handler")
CHECK_EVERY_SECONDS = 0.2


class LoadError(Exception):
    """The file can't be used; `error_type` is Lambda's name for why."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class Loader:
    """The handlers of one worker process. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, tuple[int, int], Handler]] = {}  # path: (checked, mtime and size, handler)

    def handler(self, path: str) -> Handler:
        """The handler of a file. Raises LoadError, or SystemExit from the file's own code."""
        known = self._known.get(path)
        now = clock.monotonic_seconds()
        if known is not None and now - known[0] < CHECK_EVERY_SECONDS:
            return known[2]
        with self._lock:
            known = self._known.get(path)
            try:
                stat = Path(path).stat()
            except OSError as error:
                raise LoadError("Runtime.ImportModuleError", f"Unable to import module '{Path(path).stem}'") from error
            version = (stat.st_mtime_ns, stat.st_size)
            handler = known[2] if known is not None and known[1] == version else _load(Path(path))
            self._known[path] = (now, version, handler)
            return handler


def _load(path: Path) -> Handler:
    """Runs a file as a module and finds the handler in it."""
    name = path.stem
    module = ModuleType(name)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
    try:
        # Compiled from the text each time: a cached .pyc has seconds for a clock and would hide a quick change.
        code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        sys.modules[name] = module
        exec(code, module.__dict__)  # noqa: S102 - running the user's file is what this is for
    except SyntaxError as error:
        raise LoadError("Runtime.UserCodeSyntaxError", f"Syntax error in module '{name}': {error}") from error
    except Exception as error:
        raise LoadError("Runtime.ImportModuleError", f"Unable to import module '{name}': {error}") from error
    for candidate in HANDLER_NAMES:
        found = getattr(module, candidate, None)
        if callable(found):
            handler: Handler = found
            return handler
    raise LoadError("Runtime.HandlerNotFound", f"Handler 'handler' missing on module '{name}'")
