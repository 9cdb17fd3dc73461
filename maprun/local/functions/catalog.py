"""The functions of a folder: which files are which function, version and alias, and what is said of each.

`echo.py`, or a folder `echo/`, is the function `echo`; `my-fn` may live in `my_fn`. `echo@3` is its version 3, and a
link `echo@live` to `echo@3` is its alias `live`. `function.json` in a function's folder, or `echo.json` beside
`echo.py`, says what Lambda's configuration of a function would, by the same names.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from maprun.runtime import clock

LATEST = "$LATEST"
LOOK_SECONDS = 0.2  # a new or changed file is noticed so soon
FILES_MAX = 5_000  # of a function's folder that are looked at for changes
MODULES = ("lambda_function", "app", "handler", "index", "main")
HANDLERS = ("lambda_handler", "handler")
"""Where a handler is looked for when nothing says where it is."""
_NOT_CODE = ("__pycache__", "node_modules", ".git", ".venv")


class CatalogError(Exception):
    """What the files say of a function makes no sense."""


class Environment(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """Lambda's Environment."""

    variables: dict[str, str] = {}


class Configuration(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """What `function.json` may say. All but the last three are members of Lambda's CreateFunction."""

    handler: str = ""
    runtime: str = ""
    timeout: float = 0.0  # seconds; 0 is the host's default
    memory_size: int = 1_024  # MB that one process may take
    environment: Environment = Environment()
    layers: tuple[str, ...] = ()  # folders, from the folder of functions on
    command: tuple[str, ...] = ()  # starts a runtime that speaks Lambda's Runtime API; `bootstrap` if it is there
    processes: int = 0  # at most so many; 0 is the host's default
    threads: int = 0  # calls at once in one process of Python; 0 is the host's default


class Function(msgspec.Struct, frozen=True):
    """One version of a function."""

    name: str
    version: str
    root: Path  # its code: a folder
    module: str  # of Python; empty for other runtimes
    configuration: Configuration
    layers: tuple[Path, ...]
    stamp: int  # another one once a file has changed

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by."""
        return self.name, self.version


class Catalog:
    """Finds functions; looks at the files again a little later, and not for each call."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[tuple[str, str], tuple[float, Function | None]] = {}

    def find(self, name: str, qualifier: str) -> Function | None:
        """A function's version. Raises CatalogError when the files make no sense."""
        now = clock.monotonic_seconds()
        known = self._known.get((name, qualifier))
        if known is not None and now - known[0] < LOOK_SECONDS:
            return known[1]
        found = self._look(name, qualifier)
        if found is None:
            self._known.pop((name, qualifier), None)
        else:
            self._known[name, qualifier] = (now, found)
        return found

    def _look(self, name: str, qualifier: str) -> Function | None:
        for base in dict.fromkeys((name, name.replace("-", "_"))):
            if qualifier in ("", LATEST):
                place = self._place(base)
            else:
                place = self._place(f"{base}@{qualifier}")
                if place is None and not any(self.folder.glob(f"{base}@*")):
                    place = self._place(base)  # a function without versions is reached by any qualifier
            if place is not None:
                version = place.resolve().name.removesuffix(".py").partition("@")[2]
                return self._function(name, version or LATEST, place)
        return None

    def _place(self, base: str) -> Path | None:
        for place in (self.folder / base, self.folder / f"{base}.py"):
            if place.is_file() if place.suffix == ".py" else place.is_dir():
                return place
        return None

    def _function(self, name: str, version: str, place: Path) -> Function:
        is_file = place.suffix == ".py"
        said = place.with_suffix(".json") if is_file else place / "function.json"
        try:
            configuration = msgspec.json.decode(said.read_bytes(), type=Configuration)
        except FileNotFoundError:
            configuration = Configuration()
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CatalogError(f"{said.name} of the function {name}: {error}") from error
        root = self.folder if is_file else place
        layers = tuple((self.folder / layer).resolve() for layer in configuration.layers)
        for layer in layers:
            if not layer.is_dir():
                raise CatalogError(f"{said.name} of the function {name}: the layer {layer} is no folder")
        bootstrap = root / "bootstrap"
        if not configuration.command and not is_file and os.access(bootstrap, os.X_OK):
            configuration = msgspec.structs.replace(configuration, command=(str(bootstrap),))
        module = "" if configuration.command else _module(place, configuration, name)
        return Function(name, version, root, module, configuration, layers, _stamp(place, said, *layers))


def _module(place: Path, configuration: Configuration, name: str) -> str:
    """The module of a Python function's handler, such as `app` or `package.app`."""
    if configuration.runtime and not configuration.runtime.startswith("python"):
        raise CatalogError(
            f"the function {name} has the Runtime {configuration.runtime}: "
            "Command, or a program `bootstrap`, must start it"
        )
    if configuration.handler:
        return configuration.handler.rpartition(".")[0].replace("/", ".")
    if place.suffix == ".py":
        return place.stem
    for module in MODULES:
        if (place / f"{module}.py").is_file():
            return module
    raise CatalogError(
        f"the function {name} has none of the files {', '.join(f'{m}.py' for m in MODULES)}; say Handler"
    )


def _stamp(*places: Path) -> int:
    """A number that changes with the files: their names, times and sizes."""
    return hash(tuple(sorted(seen for place in places for seen in _seen(place))))


def _seen(place: Path) -> Iterator[tuple[str, int, int]]:
    if place.is_file():
        # The modules beside it may be imported by it.
        for file in place.parent.glob("*.py") if place.suffix == ".py" else (place,):
            stat = file.stat()
            yield str(file), stat.st_mtime_ns, stat.st_size
        return
    left = FILES_MAX
    for folder, folders, files in os.walk(place):
        folders[:] = [each for each in folders if each not in _NOT_CODE]
        for name in files:
            left -= 1
            if left < 0:
                return
            try:
                stat = Path(folder, name).stat()
            except OSError:
                continue  # gone meanwhile
            yield str(Path(folder, name)), stat.st_mtime_ns, stat.st_size
