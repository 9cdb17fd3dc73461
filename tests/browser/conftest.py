"""A headless Chromium for the tests of the console, and an API of canned answers."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.api import Api

_NAMES = ("chromium-headless-shell", "chromium", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium. Without one these tests are left out, but never in continuous integration.

    It ends with its module: playwright keeps a loop running in this thread, in which no other test could start one.
    """
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None and not os.environ.get("CI"):
        pytest.skip("no Chromium on this machine: apt-get install chromium-headless-shell")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found)
        yield opened
        opened.close()


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
    context.set_default_timeout(10_000)
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
    yield opened
    context.close()
    assert not wrong
