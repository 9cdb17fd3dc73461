"""How a chapter of the guide is read, and that each can be."""

from pathlib import Path

import pytest

from tests.guide.chapters import GUIDE, Command, File, Reader, chapters, difference, steps_of

CHAPTER = """# One

`a.txt`:

```text a.txt
hello
```

<!-- exit: 3 -->
<!-- needs: bash, npm -->
<!-- instead: b.txt = README.md -->
```console
$ cat a.txt \\
    a.txt
hello
…
$ exit 3
```

```console
$ export X=1
```

```toml
nothing = "to do"
```
"""
STEPS = [
    File(5, "a.txt", "hello\n"),
    Command(13, "cat a.txt \\\n    a.txt", ("hello", "…"), 3, ("bash", "npm"), ("b.txt", "README.md")),
    Command(17, "exit 3", (), 3, ("bash", "npm"), ("b.txt", "README.md")),
    Command(21, "export X=1", ()),
]


def test_a_chapter_is_files_and_commands() -> None:
    """In their order, with their lines; what is said of a block holds for that block alone."""
    assert steps_of(CHAPTER) == STEPS


@pytest.mark.parametrize("text", ["```console\nls\n```", "```console\n```", "```console\n$ ls\n"])
def test_a_block_that_is_none_is_refused(text: str) -> None:
    """Output without a command, no command, no end."""
    with pytest.raises(ValueError, match=r"line \d"):
        steps_of(text)


@pytest.mark.parametrize(
    ("printed", "expected", "same"),
    [
        ("", (), True),
        ("a\n", (), False),
        ("a   b\n", ("a b",), True),
        ("a b\nc\n", ("a b",), False),
        ("one 12 s\n", ("one … s",), True),
        ("one 12 s\n", ("one … m",), False),
        ("x\ny\nend\n", ("…", "end"), True),
        ("end\n", ("…", "end"), True),
        ("x\ny\n", ("…", "end"), False),
        ("a.b\n", ("a…",), True),
        ("axb\n", ("a.b",), False),
    ],
)
def test_what_is_printed_is_compared(printed: str, expected: tuple[str, ...], *, same: bool) -> None:
    """Text by text; `…` is any text of a line, alone in its line any lines."""
    assert (difference(printed, expected) == "") is same


def test_a_reader_does_what_a_chapter_says(tmp_path: Path) -> None:
    """In one shell: a folder and a variable stay, files lie where the shell is, and what is printed is compared."""
    reader = Reader(tmp_path, tmp_path, {"PATH": "/usr/bin:/bin"}, {"http://here:1": "http://there:2"}, tools=False)
    reader.follow("```console\n$ mkdir 'a b' && cd 'a b' && export X=http://here:1\n```\n")
    reader.follow("```text c.txt\nat http://here:1\n```\n")
    reader.follow("```console\n$ cat c.txt; echo $X | tr h H\nat http://here:1\nHttp://tHere:2\n```\n")
    assert (tmp_path / "a b" / "c.txt").read_text(encoding="utf-8") == "at http://there:2\n"
    with pytest.raises(AssertionError, match="line 2: echo no"):
        reader.follow("```console\n$ echo no\nyes\n```\n")
    with pytest.raises(AssertionError, match="line 2: false: exit code 1"):
        reader.follow("```console\n$ false\n```\n")


def test_what_a_reader_can_not_run_is_laid_there(tmp_path: Path) -> None:
    """A file or folder of the repository, and the command is told."""
    reader = Reader(tmp_path, tmp_path, {"PATH": "/usr/bin:/bin"}, {}, tools=False)
    reader.follow("<!-- needs: npm -->\n<!-- instead: x = LICENSE -->\n```console\n$ npm x\n```\n")
    assert (tmp_path / "x").is_file()
    assert reader.left_out == ["line 4: npm x (needs npm)"]


def test_a_program_that_is_there_may_not_be_able_to(tmp_path: Path) -> None:
    """A need with arguments is tried; what it lays there stays."""
    reader = Reader(tmp_path, tmp_path, {"PATH": "/usr/bin:/bin"}, {}, tools=True)
    reader.follow("<!-- needs: touch a -->\n```console\n$ ls a\na\n```\n")
    reader.follow("<!-- needs: test -e b, nosuchprogram -->\n```console\n$ ls b\n```\n")
    assert reader.left_out == ["line 3: ls b (needs test -e b, nosuchprogram)"]


def test_every_chapter_can_be_read() -> None:
    """And stands in the guide's table of contents."""
    contents = (GUIDE / "README.md").read_text(encoding="utf-8")
    for path in GUIDE.glob("[0-9]*.md"):
        assert f"({path.name})" in contents
    assert all(steps_of(chapter) is not None for chapter in chapters())
