"""Serves the console's files, with headers that let its pages load and run nothing else.

The files hold no state and ask for none: all that a page shows it asks of the public API, under the same checks of Host
and Origin as any other client.
"""

import gzip
import hashlib
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from aiohttp import hdrs, web

PATH: Final = "/console"
_FOLDER = "static"
_KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""By the end of a file's name; files with other names (licences) are not served."""
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept-Encoding",
    "Cache-Control": "no-cache",  # asked for again each time, by the ETag: a page never runs files of two versions
}


def routes() -> list[web.RouteDef]:
    """`GET /console/…`: the files as they are when the process starts."""
    page = f"{PATH}/"

    async def to_page(_request: web.Request) -> web.Response:
        return web.Response(status=308, headers={hdrs.LOCATION: page})

    served = [_route(PATH + path, content) for path, content in _files("/", resources.files(__package__) / _FOLDER)]
    index = (resources.files(__package__) / _FOLDER / "index.html").read_bytes()
    return [web.get(PATH, to_page), _route(page, index, ".html"), *served]


def _files(below: str, folder: Traversable) -> list[tuple[str, bytes]]:
    """(path, content) of all files that are served."""
    found: list[tuple[str, bytes]] = []
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            found += _files(f"{below}{entry.name}/", entry)
        elif _ending(entry.name) in _KINDS:
            found.append((below + entry.name, entry.read_bytes()))
    return found


def _ending(name: str) -> str:
    return name[name.rfind(".") :]


def _route(path: str, content: bytes, ending: str = "") -> web.RouteDef:
    tag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'  # weak: packed or not, it is the same file
    headers = {**HEADERS, hdrs.ETAG: tag, hdrs.CONTENT_TYPE: _KINDS[ending or _ending(path)]}
    packed = gzip.compress(content, mtime=0)

    async def file(request: web.Request) -> web.Response:
        if request.headers.get(hdrs.IF_NONE_MATCH) == tag:
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            return web.Response(body=packed, headers={**headers, hdrs.CONTENT_ENCODING: "gzip"})
        return web.Response(body=content, headers=headers)

    return web.get(path, file)
