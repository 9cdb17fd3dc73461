"""Pages for people: what they link to and name is there, each is found, and every setting is told."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.architecture.sources import PRODUCT, ROOT, modules, text

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_SETTING = re.compile(r"MAPRUN_[A-Z0-9_]*[A-Z0-9]\b")
_MODULE = re.compile(r"python -m ((?:tests|maprun|services|examples)[\w.]*\w)")
_PATH = re.compile(r"`((?:tests|services|schemas|ops|docs|examples|maprun/\w+)/[\w./-]+)`")
_BETWEEN_PROCESSES = {"MAPRUN_LAYERS", "MAPRUN_STACK"}
"""What a process of the local stack tells those that it starts."""


@cache
def pages() -> tuple[Path, ...]:
    """Every page of this tree that is for people; those of tests stand beside what was fetched for them."""
    folders = ("docs", "ops", "examples")
    return tuple(sorted([*ROOT.glob("*.md"), *(path for folder in folders for path in (ROOT / folder).rglob("*.md"))]))


def _anchors(page: Path) -> set[str]:
    """What a part of the page is called in an address, as code hosts call it."""
    headings = _HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def _broken(page: Path) -> Iterator[str]:
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in _anchors(target)):
            yield f"{page.relative_to(ROOT)}: {link}"


def test_every_link_leads_somewhere() -> None:
    """To a file of this tree, and to a heading of it where it names one; addresses of others are not asked."""
    assert len(pages()) > 40
    assert [broken for page in pages() for broken in _broken(page)] == []


def test_every_page_is_found_from_the_readme() -> None:
    """By links to it or to its folder, of pages that are themselves found; what nobody is led to nobody reads."""
    found, front = set[Path](), [ROOT / "README.md"]
    while front:
        page = front.pop()
        if page in found or not page.exists():
            continue
        found.add(page)
        links = _LINK.findall(page.read_text(encoding="utf-8")) if page.suffix == ".md" else []
        targets = [(page.parent / link.partition("#")[0]).resolve() for link in links if not re.match(r"[a-z]+:", link)]
        front += [target for target in targets if target.suffix == ".md"]
        front += [one for target in targets if target.is_dir() for one in target.glob("*.md")]
    assert [str(page.relative_to(ROOT)) for page in pages() if page not in found] == []


def _named(page: Path) -> Iterator[Path]:
    """What a page says is there, as modules without their ends."""
    words = page.read_text(encoding="utf-8")
    yield from (ROOT / name.replace(".", "/") for name in _MODULE.findall(words))
    yield from (ROOT / name for name in _PATH.findall(words))


def test_every_file_and_module_that_is_named_is_there() -> None:
    """What pages say to run or to read; the changelog alone speaks of what was."""
    of_today = [page for page in pages() if page.name != "CHANGELOG.md"]
    assert [
        f"{page.relative_to(ROOT)}: {path.relative_to(ROOT)}"
        for page in of_today
        for path in _named(page)
        if not path.exists() and not path.with_name(f"{path.name}.py").exists()
    ] == []


def test_every_setting_is_told() -> None:
    """A variable that the code reads stands in the README or a page of `docs`, and no page names one that is gone."""
    read = {name for path in modules(*PRODUCT) for name in re.findall(r'"(MAPRUN_[A-Z0-9_]+)"', text(path))}
    composed = set(_SETTING.findall((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    of_tests = {name for path in modules("tests") for name in _SETTING.findall(text(path))}
    told = {name for page in pages() for name in _SETTING.findall(page.read_text(encoding="utf-8"))}
    assert read - told - _BETWEEN_PROCESSES == set()
    assert told - read - composed - of_tests == set()
