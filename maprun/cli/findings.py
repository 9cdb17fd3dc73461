"""Everything that is found about the state machines of a file, each with its place."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from maprun.cli.definitions import read_machines_as_far_as_known
from maprun.cli.errors import FileRefused
from maprun.cli.options import read_text
from maprun.cli.positions import Place, Places, places_of
from maprun.cli.templates import MachineSource, Origin
from maprun.language import examine
from maprun.language.diagnostics import Diagnostic
from maprun.language.examine import FINDINGS_MAX
from schemas.arns import Names

NOT_READ = "FILE_NOT_READ"
"""The code of a file that is no definition and no template, or can't be worked out."""
_FIELD = re.compile(r"[Ff]ield '([^']+)'")
_LINE = re.compile(r"\(line (\d+), column (\d+)\)")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong (ERROR), or probably not meant (WARNING), in the order of the command's columns."""

    file: str
    line: int
    column: int
    severity: str
    code: str
    message: str
    location: str
    machine: str

    @property
    def line_of_text(self) -> str:
        """As editors jump to it."""
        place = f"  {self.location}" if self.location else ""
        return f"{self.file}:{self.line}:{self.column}: {self.severity.lower()} {self.code}: {self.message}{place}"


class Report(msgspec.Struct, frozen=True):
    """A file, the machines found in it, and what is found about them."""

    file: str
    machines: list[str]
    findings: list[Finding]


def report_on(path: Path, machine_type: str | None, given: Mapping[str, str], names: Names) -> Report:
    """What is found about a file or folder: nothing in it stops the command."""
    try:
        machines = read_machines_as_far_as_known(path, given, names)
    except FileRefused as error:
        return Report(str(path), [], [_about_file(path, error)])
    findings = [found for machine in machines for found in findings_about(machine, machine_type)]
    return Report(str(path), [machine.name for machine in machines], findings)


def _about_file(path: Path, error: FileRefused) -> Finding:
    return Finding(
        file=str(path),
        line=error.line,
        column=error.column,
        severity="ERROR",
        code=NOT_READ,
        message=f"{error.what}; {error.cure}" if error.cure else error.what,
        location="",
        machine="",
    )


def findings_about(machine: MachineSource, machine_type: str | None) -> list[Finding]:
    """Errors, then warnings, each from the top of the file to its end."""
    return sorted(
        _findings(machine, machine_type), key=lambda found: (found.severity != "ERROR", found.line, found.column)
    )


def _findings(machine: MachineSource, machine_type: str | None) -> Iterator[Finding]:
    origin, places = machine.origin, Places({})
    kind = (machine_type or machine.machine_type or "STANDARD").upper()
    examined = examine(machine.definition.encode(), kind)
    if examined.errors or examined.warnings:
        places = places_of(read_text(origin.path), origin.path)
    for found in (*examined.errors[:FINDINGS_MAX], *examined.warnings[:FINDINGS_MAX]):
        place = _place(found, origin, places)
        yield Finding(
            file=str(origin.path),
            line=place.line,
            column=place.column,
            severity=found.severity,
            code=found.code,
            message=found.message,
            location=found.location,
            machine=machine.name,
        )


def _place(found: Diagnostic, origin: Origin, places: Places) -> Place:
    """Where a finding stands: at the field it speaks of, if that is there, else at what it is about."""
    named = _LINE.search(found.message)
    if not found.location and named is not None and not origin.pointer:
        return Place(int(named[1]), int(named[2]))
    pointer = origin.pointer + found.location.rstrip("/")
    field = _FIELD.search(found.message)
    if field is not None and f"{pointer}/{field[1]}" in places:
        return places.of(f"{pointer}/{field[1]}")
    return places.of(pointer)
