"""A headless Chromium for the tests of the console, and an API of canned answers."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.api import Api
from tests.browser.chromium import chromium

_MS_MAX = 30_000
"""Until what a page should show counts as missing: it may stand in line behind other tests of a busy machine."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for the tests of a module."""
    expect.set_options(timeout=_MS_MAX)
    with chromium() as opened:
        yield opened


@pytest.fixture
def api() -> Iterator[Api]:
    """An API that knows nothing yet."""
    made = Api()
    yield made
    made.stop()


@pytest.fixture
def page(browser: Browser, api: Api) -> Iterator[Page]:
    """A page of that API's address. It fails the test on any error of a script and on any breach of the policy."""
    context = browser.new_context(base_url=api.url, locale="en-GB", timezone_id="UTC", reduced_motion="reduce")
    context.set_default_timeout(_MS_MAX)
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    yield opened
    context.close()
    assert not wrong
