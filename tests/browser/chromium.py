"""The machine's own Chromium, without a window, driven by playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

_NAMES = ("chromium-headless-shell", "chromium", "google-chrome")


def executable() -> str:
    """The path of a Chromium; "" without one."""
    return next(filter(None, map(shutil.which, _NAMES)), "")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser. Without one the test is left out, and says so.

    Close it before another module's tests: playwright keeps a loop running in this thread, in which no other test could
    start one.
    """
    found = executable()
    if not found:
        pytest.skip("no Chromium on this machine: apt-get install chromium-headless-shell")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found)
        yield opened
        opened.close()
