"""Variables of the Serverless Framework, such as `${self:custom.x}`, `${opt:stage, 'dev'}` or `${file(a.yml):key}`.

What only a deployment or its user knows is not guessed: it is noted as missing, by the name that `--set` has for it,
which is what stands between the braces (`opt:stage`).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from maprun.cli.documents import decode
from maprun.cli.intrinsics import CannotResolveError, Unknown
from maprun.cli.options import read_text
from schemas.arns import Names

STAGE_DEFAULT = "dev"
_SOURCE = re.compile(r"^([A-Za-z]\w*)(?:\((.*)\))?(?::(?!:)(.*))?$", re.DOTALL)
_NUMBER = re.compile(r"^-?\d+(?:\.\d+)?$")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_BRACKETS = {"(": 1, "{": 1, ")": -1, "}": -1}
_MISSING = {
    "opt": "an option of the command line of `serverless`",
    "env": "a variable of the environment",
    "param": "a parameter of the stage",
    "self": "a member that the file does not have",
    "file": "what a program answers",
    "cf": "an output of another stack",
    "ssm": "a parameter that SSM holds",
    "s3": "the content of an object in S3",
}
_DECODED = (".yml", ".yaml", ".json")
_PROGRAMS = (".js", ".cjs", ".mjs", ".ts")
T = TypeVar("T")


class Located(NamedTuple):
    """A value of a project, and where it is written: None where there is none."""

    value: Any
    path: Path
    pointer: str = ""

    def member(self, key: str) -> "Located":
        """A member of an object, or an element of a list."""
        if isinstance(self.value, Mapping):
            return Located(self.value.get(key), self.path, f"{self.pointer}/{key}")
        if isinstance(self.value, list) and key.isdecimal() and int(key) < len(self.value):
            return Located(self.value[int(key)], self.path, f"{self.pointer}[{key}]")
        return Located(None, self.path, self.pointer)


class Variables:
    """The variables of one project; `missing` maps each name that `--set` must give to what it is.

    Whatever works out a value raises Unknown once it has noted what is missing in it, CannotResolveError for a variable
    that is written wrongly, FileRefused for a file that can't be read.
    """

    def __init__(
        self, path: Path, document: Any, given: Mapping[str, str], names: Names, environ: Mapping[str, str]
    ) -> None:
        self.missing: dict[str, str] = {}
        self.used: set[str] = set()
        self._root = Located(document, path)
        self._given = given
        self._names = names
        self._environ = environ
        self._files: dict[str, Located] = {}
        self._open: list[str] = []  # variables on the way to be worked out, so that a circle is seen

    def at(self, *keys: str) -> Located:
        """What stands at a place of the project, found through the files it is spread over; not worked out itself."""
        return self._below(self._root, keys)

    def of(self, *keys: str) -> Any:
        """The value at a place of the project."""
        return self.value(self.at(*keys).value)

    def parts(self, located: Located) -> list[Located]:
        """The objects of a list that are read as one, each where it is written; one object is its own only part."""
        if isinstance(located.value, list):
            return [self._whole(located.member(str(at))) for at in range(len(located.value))]
        return [located]

    def members(self, located: Located) -> dict[str, Located]:
        """The members of an object, or of the objects that are read as one."""
        found: dict[str, Located] = {}
        for part in self.parts(located):
            if isinstance(part.value, Mapping):
                found |= {str(name): self._whole(part.member(name)) for name in part.value}
        return found

    def tried(self, value: Any) -> Any:
        """A value with its variables worked out, None if something is missing in it: nobody is asked for that."""
        noted = dict(self.missing)
        try:
            return self.value(value)
        except (Unknown, CannotResolveError):
            self.missing = noted
            return None

    def value(self, value: Any) -> Any:
        """A value with every variable in it worked out."""
        if isinstance(value, Mapping):
            return dict(zip(value, self._each(value.values()), strict=True))
        if isinstance(value, list):
            return self._each(value)
        return self._text(value) if isinstance(value, str) and "${" in value else value

    def stage(self) -> str:
        """The stage that is meant: --set opt:stage=…, or what the file says, else `dev`."""
        if "opt:stage" in self._given:
            self.used.add("opt:stage")
            return self._given["opt:stage"]
        return str(self.of("provider", "stage") or STAGE_DEFAULT)

    def _each(self, values: Iterable[Any]) -> list[Any]:
        found, unknown = [], False
        for value in values:
            try:
                found.append(self.value(value))
            except Unknown:
                unknown = True
        if unknown:
            raise Unknown
        return found

    def _below(self, located: Located, keys: Iterable[str]) -> Located:
        found = self._whole(located)
        for key in keys:
            found = self._whole(found.member(key))
        return found

    def _whole(self, found: Located) -> Located:
        """Where a value is really written that is nothing but a variable which leads elsewhere in the project."""
        inside = _inside(found.value)
        for alternative in _split(inside) if inside else ():
            source = _SOURCE.match(alternative)
            if source is None or source[1] not in {"self", "file"} or alternative in self._given:
                break
            there = self._once(alternative, partial(self._place, source))
            if there.value is not None:
                return there
        return found

    def _place(self, source: re.Match[str]) -> Located:
        """What `self:` or `file()` leads to."""
        kind, parameters, address = source.groups(default="")
        keys = [key for key in self._filled(address).split(".") if key]
        return self._below(self._root if kind == "self" else self._file(self._filled(parameters)), keys)

    def _file(self, name: str) -> Located:
        if name not in self._files:
            path = self._root.path.parent / name
            value: Any = None
            if path.is_file() and path.suffix not in _PROGRAMS:
                text = read_text(path)
                value = decode(text, path) if path.suffix in _DECODED else text
            self._files[name] = Located(value, path)
        return self._files[name]

    def _text(self, text: str) -> Any:
        """A text with its variables: the value of the one that it is, or the text that they are filled into."""
        inside = _inside(text)
        return self._variable(inside, text) if inside else self._filled(text)

    def _filled(self, text: str) -> str:
        pieces, at, unknown = [], 0, False
        while (begin := text.find("${", at)) >= 0 and (end := _end(text, begin + 2)) >= 0:
            pieces.append(text[at:begin])
            try:
                pieces.append(_shown(self._variable(text[begin + 2 : end], text[begin : end + 1])))
            except Unknown:
                unknown = True
            at = end + 1
        if unknown:
            raise Unknown
        return "".join((*pieces, text[at:]))

    def _variable(self, inside: str, whole: str) -> Any:
        """The first of a variable's alternatives that there is. What is none of the framework's stays as it is."""
        alternatives = _split(inside)
        if not _is_of_the_framework(alternatives[0]):
            return whole
        for alternative in alternatives:
            found = self._once(alternative, partial(self._alternative, alternative))
            if found is not None:
                return found
        name = self._filled(alternatives[0])
        kind, parameters, address = _parts(name)
        if kind == "file" and not parameters.endswith(_PROGRAMS):
            there = (self._root.path.parent / parameters).is_file()
            raise CannotResolveError(f"{parameters} {f'has no {address}' if there else 'is not there'}")
        self.missing.setdefault(name, _MISSING.get(kind, "a variable of the Serverless Framework"))
        raise Unknown(name)

    def _alternative(self, text: str) -> Any:
        if text[:1] in {"'", '"'}:
            return text[1:-1]
        if text in _WORDS:
            return _WORDS[text]
        if _NUMBER.match(text):
            return float(text) if "." in text else int(text)
        if inside := _inside(text):
            return self._variable(inside, text)
        name = self._filled(text)
        if name in self._given:
            self.used.add(name)
            return self._given[name]
        source = _SOURCE.match(name)
        return None if source is None else self._of_source(source)

    def _of_source(self, source: re.Match[str]) -> Any:
        kind, parameters, address = source.groups(default="")
        match kind:
            case "self" if address == "provider.stage":
                return self.stage()
            case "self" if address == "provider.region":
                return self.of("provider", "region") or self._names.region
            case "self" | "file":
                return self.value(self._place(source).value)
            case "sls":
                return self.stage() if address == "stage" else "maprun"
            case "aws":
                return {"accountId": self._names.account, "region": self._names.region}.get(address)
            case "env":
                return self._environ.get(address)
            case "param":
                own = self.of("params", self.stage(), address)
                return own if own is not None else self.of("params", "default", address)
            case "strToBool":
                return parameters.strip("'\" ").lower() in {"true", "1"}
            case _:
                return None

    def _once(self, name: str, work: Callable[[], T]) -> T:
        if name in self._open:
            raise CannotResolveError(f"{' → '.join([*self._open, name])} goes round in a circle")
        self._open.append(name)
        try:
            return work()
        finally:
            self._open.pop()


def _parts(name: str) -> tuple[str, str, str]:
    """(source, parameters, address) of a variable."""
    source = _SOURCE.match(name)
    assert source is not None, name
    kind, parameters, address = source.groups(default="")
    return kind, parameters, address


def _is_of_the_framework(text: str) -> bool:
    """False for `${AWS::Region}` and `${Name}`, which are CloudFormation's."""
    source = _SOURCE.match(text)
    return source is not None and (source[2] is not None or source[3] is not None)


def _inside(value: Any) -> str:
    """What stands between the braces of a text that is one variable; empty for any other value."""
    if isinstance(value, str) and value.startswith("${") and _end(value, 2) == len(value) - 1:
        return value[2:-1]
    return ""


def _end(text: str, at: int) -> int:
    """Where the brace closes that was opened before `at`, -1 if nowhere."""
    depth = 1
    for place in range(at, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return place
    return -1


def _split(text: str) -> list[str]:
    """The alternatives of a variable: what commas part that stand in no brackets and no quotes."""
    parts, depth, quote, begin = [], 0, "", 0
    for at, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign == "," and depth == 0:
            parts.append(text[begin:at].strip())
            begin = at + 1
        else:
            depth += _BRACKETS.get(sign, 0)
    return [*parts, text[begin:].strip()]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise CannotResolveError(f"a variable within a text is no text: {value!r}")
