"""Chapters of the guide, read as what a reader does: files are written, commands run, and what they print is compared.

In a chapter

- a block ```` ```json machine.json ```` is a file of that name in the folder where the reader is by then;
- a block ```` ```console ```` holds commands behind `$ ` and below each what it prints, stdout and stderr, where `…`
  stands for any text of a line, and a line of nothing but `…` for any lines. How many spaces there are plays no part.
- A comment before a block says of all its commands `exit: 1`, with which code they end (else 0); `needs: npm`, which
  programs they need, or with arguments what such a program must be able to do (`terraform init` fetches its provider);
  `instead: cdk.out = tests/guide/data/cdk.out`, what to lay there where they can't be run.

`needs: stack` stands where the reader's own stack is started and stopped.
"""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.integration.system.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guide"
STACK = "stack"
FUNCTIONS = Path("reader", "visits", "functions")
"""Where the reader has functions, beside the state of the stack: that of other tests is told so, and is up already."""
_FENCE = re.compile(r"^```(\w*) ?(.*)$")
_SAYS = re.compile(r"^<!-- (exit|needs|instead): (.*?) -->$")
_SECONDS_MAX = 900.0


class File(NamedTuple):
    """A file that the reader writes."""

    line: int
    name: str
    text: str


class Command(NamedTuple):
    """A command that the reader runs."""

    line: int
    text: str
    printed: tuple[str, ...]
    exit_code: int = 0
    needs: tuple[str, ...] = ()
    instead: tuple[str, str] | None = None


def steps_of(chapter: str) -> list[File | Command]:
    """What a chapter's reader does, in order. Raises ValueError for a block that can't be read as one of these."""
    return [
        step
        for line, language, name, says, text in _blocks(chapter)
        for step in _steps(line, language, name, says, text)
    ]


def _blocks(chapter: str) -> Iterator[tuple[int, str, str, dict[str, str], list[str]]]:
    """(line, language, name, what is said of it, lines) of each fenced block."""
    says: dict[str, str] = {}
    block: tuple[int, str, str] | None = None
    lines: list[str] = []
    for number, line in enumerate(chapter.splitlines(), 1):
        fence, said = _FENCE.match(line), _SAYS.match(line)
        if block is not None and line == "```":
            yield *block, says, lines
            block, lines, says = None, [], {}
        elif block is not None:
            lines.append(line)
        elif fence is not None:
            block = (number, fence[1], fence[2])
        elif said is not None:
            says[said[1]] = said[2]
        elif line:
            says = {}
    if block is not None:
        raise ValueError(f"line {block[0]}: the block is not closed")


def _steps(line: int, language: str, name: str, says: Mapping[str, str], lines: list[str]) -> Iterator[File | Command]:
    if language != "console":
        if name:
            yield File(line, name, "\n".join(lines) + "\n")
        return
    if not lines or not lines[0].startswith("$ "):
        raise ValueError(f"line {line}: a block of commands begins with one, behind `$ `")
    target, _, source = says.get("instead", "").partition(" = ")
    at = 0
    while at < len(lines):
        begin, text = at, lines[at].removeprefix("$ ")
        while lines[at].endswith("\\"):
            at += 1
            text += f"\n{lines[at]}"
        at += 1
        printed = []
        while at < len(lines) and not lines[at].startswith("$ "):
            printed.append(lines[at])
            at += 1
        yield Command(
            line + 1 + begin,
            text,
            tuple(printed),
            int(says.get("exit", 0)),
            tuple(filter(None, re.split(r",\s*", says.get("needs", "")))),
            (target, source) if target else None,
        )


def difference(printed: str, expected: tuple[str, ...]) -> str:
    """What is wrong with what a command printed, "" if nothing is."""
    pieces = []
    for line in expected:
        if line.strip() == "…":
            pieces.append(r"(?:[^\n]*\n)*?")
        else:
            words = [r"[^\n]*?".join(map(re.escape, word.split("…"))) for word in line.split()]
            pieces.append(r"[ \t]*" + r"[ \t]+".join(words) + r"[ \t]*\n")
    text = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
    if re.fullmatch("".join(pieces), text):
        return ""
    shown = "\n".join(expected)
    return f"expected:\n{shown}\nprinted:\n{text}"


class Reader:
    """Who follows chapters one after the other, in one shell, which begins in a folder.

    `addresses` are what the guide says and what it is here. With `tools`, all commands are run that need something the
    machine has; without, whatever needs something is left out.
    """

    def __init__(
        self, begins: Path, home: Path, environ: Mapping[str, str], addresses: Mapping[str, str], *, tools: bool
    ) -> None:
        self.left_out: list[str] = []
        self._folder = begins
        self._exported = home / ".exported"
        self._exported.write_text("", encoding="utf-8")
        # Who reads has npm's settings where npm looks for them: in a home that is not this one.
        npm = environ.get("NPM_CONFIG_USERCONFIG", str(Path.home() / ".npmrc"))
        self._environ = {**environ, "HOME": str(home), "NPM_CONFIG_USERCONFIG": npm, "NO_COLOR": "1"}
        self._addresses = addresses
        self._tools = tools

    def follow(self, chapter: str) -> None:
        """Does what the chapter says. Raises AssertionError with its line where something else comes out."""
        for step in steps_of(chapter):
            match step:
                case File():
                    path = self._folder / step.name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(self._here(step.text), encoding="utf-8")
                case Command():
                    lacking = [name for name in step.needs if not self._has(name)]
                    if lacking:
                        self._lay_instead(step, lacking)
                    else:
                        self._run(step)

    def _has(self, need: str) -> bool:
        if not self._tools or need == STACK:
            return self._tools
        program, *arguments = need.split()
        if shutil.which(program, path=self._environ["PATH"]) is None:
            return False
        return not arguments or self._shell(need).returncode == 0

    def _lay_instead(self, step: Command, lacking: list[str]) -> None:
        self.left_out.append(f"line {step.line}: {step.text} (needs {', '.join(lacking)})")
        if step.instead is not None:
            target, source = self._folder / step.instead[0], ROOT / step.instead[1]
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, target)

    def _run(self, step: Command) -> None:
        done = self._shell(step.text)
        printed = done.stdout
        for said, here in self._addresses.items():
            printed = printed.replace(here, said)
        at = f"line {step.line}: {step.text}"
        assert done.returncode == step.exit_code, f"{at}: exit code {done.returncode}\n{printed}"
        wrong = difference(printed, step.printed)
        assert not wrong, f"{at}\n{wrong}"

    def _shell(self, text: str) -> "subprocess.CompletedProcess[str]":
        after = self._exported.with_name(".folder")
        script = (
            f". {shlex.quote(str(self._exported))}\n{self._here(text)}\nended=$?\n"
            f"export -p >{shlex.quote(str(self._exported))}; pwd >{shlex.quote(str(after))}; exit $ended\n"
        )
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS_MAX,
            check=False,
        )
        if after.exists():
            self._folder = Path(after.read_text(encoding="utf-8").removesuffix("\n"))
        return done

    def _here(self, text: str) -> str:
        for said, here in self._addresses.items():
            text = text.replace(said, here)
        return text


def chapters() -> list[str]:
    """The guide's chapters in their order."""
    return [path.read_text(encoding="utf-8") for path in sorted(GUIDE.glob("[0-9]*.md"))]


def addresses_of(stack: Stack) -> dict[str, str]:
    """Where the guide has its stack, and where a test's is."""
    return {
        "http://127.0.0.1:8083": stack.api,
        "127.0.0.1:9092": stack.kafka,
        "http://127.0.0.1:8333": stack.s3_endpoint,
        "http://127.0.0.1:9001": stack.environ["AWS_ENDPOINT_URL_LAMBDA"],
    }
