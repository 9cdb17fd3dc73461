"""The console's files over HTTP: what is served, with which headers, and that nothing in them makes markup of texts."""

import asyncio
import re
from collections.abc import Mapping
from importlib import resources

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.maprun_tracker import console
from services.maprun_tracker.api import front

STATIC = resources.files(console) / "static"
OURS = sorted(entry.name for entry in STATIC.iterdir() if entry.is_file())


class Answer(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def got(path: str, headers: Mapping[str, str] | None = None) -> Answer:
    """GET of one path, from a server that has the same front as the API."""

    async def ask() -> Answer:
        application = web.Application(middlewares=[front.middleware("", (), lambda: "id")])
        application.add_routes(console.routes())
        async with (
            TestServer(application) as server,
            aiohttp.ClientSession() as http,
            http.get(server.make_url(path), headers=headers, allow_redirects=False) as answer,
        ):
            return Answer(answer.status, answer.headers, await answer.read())

    return asyncio.run(ask())


@pytest.mark.parametrize("name", OURS)
def test_each_file_is_served_as_what_it_is(name: str) -> None:
    """A browser gets the file with its type and a policy that lets pages run these files alone, none inline."""
    answer = got(f"/console/{name}")
    assert (answer.status, answer.body) == (200, (STATIC / name).read_bytes())
    kinds = {"js": "text/javascript", "css": "text/css", "html": "text/html", "svg": "image/svg+xml"}
    assert answer.headers["Content-Type"].startswith(kinds[name.rpartition(".")[2]])
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_is_found_without_its_last_slash() -> None:
    """`/console` leads to `/console/`, which is the page."""
    assert got("/console").headers["Location"] == "/console/"
    assert got("/console/").body == (STATIC / "index.html").read_bytes()


def test_what_is_known_is_not_sent_again() -> None:
    """A browser asks each time by the tag it has, so no page runs files of two versions."""
    first = got("/console/app.js")
    again = got("/console/app.js", {"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    assert "Content-Security-Policy" in again.headers


@pytest.mark.parametrize("path", ["/console/nothing.js", "/console/vendor/LICENSE.htm", "/console/..%2Ffiles.py"])
def test_nothing_else_is_served(path: str) -> None:
    """What is no file of the console is refused in AWS's shape."""
    answer = got(path)
    assert answer.status == 404
    assert msgspec.json.decode(answer.body)["__type"] == "UnknownOperationException"


def test_a_stranger_does_not_get_the_page() -> None:
    """By a name that leads here though it isn't ours nothing is served, as for the API."""
    assert got("/console/", {"Host": "rebound.example.org"}).status == 403


@pytest.mark.parametrize("name", OURS)
def test_no_file_makes_markup_of_a_text_or_loads_from_elsewhere(name: str) -> None:
    """Texts become text nodes; no file names another host, and no markup carries a script, a style or a handler."""
    text = (STATIC / name).read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|dangerously|\beval\b|new Function", text)
    assert set(re.findall(r"\bhttps?://[^\s\"'`]+", text)) <= {"http://www.w3.org/2000/svg"}
    if name.endswith(".html"):
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", text)


def test_every_import_is_of_a_file_that_is_served() -> None:
    """Modules import by relative names that exist: there is no bundler that would find others."""
    for path in [*(f"{name}" for name in OURS if name.endswith(".js")), "vendor/hooks.js"]:
        below = STATIC / "vendor" if path.startswith("vendor/") else STATIC
        for imported in re.findall(r'from ?"([^"]+)"', (STATIC / path).read_text()):
            assert imported.startswith("./")
            assert (below / imported).is_file()


def test_all_modules_are_asked_for_at_once() -> None:
    """The page names every module that is imported by some other, so that none waits until its importer was read."""
    imported, found = ["app.js"], set()
    while imported:
        path = imported.pop()
        found.add(path)
        below = path.rpartition("/")[0]
        for name in re.findall(r'from ?"\./([^"]+)"', (STATIC / path).read_text()):
            below_path = f"{below}/{name}" if below else name
            if below_path not in found:
                imported.append(below_path)
    page = (STATIC / "index.html").read_text()
    assert set(re.findall(r'<link rel="modulepreload" href="([^"]+)">', page)) == found - {"app.js"}


def test_files_come_packed_to_whom_that_suits() -> None:
    """Over a network a page is a third of its size; a client that unpacks nothing gets it as it is."""

    async def sent(encoding: str) -> tuple[str, int]:
        application = web.Application(middlewares=[front.middleware("", (), lambda: "id")])
        application.add_routes(console.routes())
        async with (
            TestServer(application) as server,
            aiohttp.ClientSession(auto_decompress=False) as http,
            http.get(server.make_url("/console/app.js"), headers={"Accept-Encoding": encoding}) as answer,
        ):
            return answer.headers.get("Content-Encoding", ""), len(await answer.read())

    whole = len((STATIC / "app.js").read_bytes())
    (packing, packed), plain = asyncio.run(sent("gzip, br")), asyncio.run(sent("identity"))
    assert plain == ("", whole)
    assert packing == "gzip"
    assert packed < whole / 2
