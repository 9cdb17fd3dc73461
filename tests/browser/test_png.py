"""Pictures keep what they show when they are given a palette."""

from playwright.sync_api import Page

from tests.browser.png import decoded, paletted


def test_a_picture_with_few_colours_stays_the_same(page: Page) -> None:
    """Whatever filters the browser has used for its rows."""
    page.set_viewport_size({"width": 90, "height": 40})
    page.set_content(
        "<body bgcolor=#fff><svg><rect width=30 height=30 fill=#123456 /><text y=20>A few words</text></svg>"
    )
    taken = page.screenshot()
    width, height, pixels = decoded(taken)
    assert (width, height, len(pixels)) == (90, 40, 3600)
    assert bytes.fromhex("123456") in pixels
    assert len(set(pixels)) <= 256
    small = paletted(taken)
    assert decoded(small) == (width, height, pixels)


def test_a_colour_beyond_the_palette_becomes_the_nearest_one(page: Page) -> None:
    """No pixel is far from what it was."""
    page.set_viewport_size({"width": 100, "height": 20})
    stops = "<stop stop-color=#000 /><stop offset=1 stop-color=#fff />"
    gradient = f"<linearGradient id=g>{stops}</linearGradient><linearGradient id=h gradientTransform='rotate(90)'>"
    hues = gradient + "<stop stop-color=#f00 /><stop offset=1 stop-color=#00f /></linearGradient>"
    bars = "<rect width=100 height=9 fill=url(#g) /><rect y=9 width=100 height=90 opacity=.9 fill=url(#h) />"
    page.set_content(f"<svg>{hues}{bars}</svg>")
    taken = page.screenshot()
    before, after = decoded(taken)[2], decoded(paletted(taken))[2]
    assert len(set(after)) <= 256
    assert all(
        abs(a - b) <= 16 for one, other in zip(before, after, strict=True) for a, b in zip(one, other, strict=True)
    )
