"""Every page in Chromium: axe-core, widths, keyboard, without script, printed, sizes.

Screenshots go to TWOFOLD_SCREENSHOTS.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tests.browser.conftest import find_serious, measure, open_page, serve_new
from tests.factories.packages import make_wheel
from tests.server.conftest import Place

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

READING = (
    "/",
    "/-/search",
    "/-/search?q=mesh",
    "/-/search?q=nothing-like-this",
    "/main",
    "/main?sort=newest",
    "/main?q=mesh",
    "/empty",
    "/main/label/dev",
    "/main/label/pre",
    "/main/project/meshwork",
    "/main/project/meshwork/1.1",
    "/main/project/meshwork/2.0rc1",
    "/main/project/libmesh",
    "/main/project/rope-ladder",
    "/main/project/typing-extensions",
    "/main/project/archived-thing",
    "/main/project/quarantined-thing",
    "/main/project/a-very-very-very-very-very-very-very-very-very-very-very-very-long-name",
    "/-/users/owner",
    "/-/users/nobody",
    "/main/-/downloads",
    "/main/project/meshwork/-/downloads?days=365",
    "/main/project/meshwork/-/files/meshwork-1.1-py3-none-any.whl",
    "/main/project/meshwork/-/files/meshwork-1.1-py3-none-any.whl?member=meshwork/__init__.py",
    "/main/project/meshwork/-/compare?from=1.0&to=1.1",
    "/main/project/nosuch",
    "/nosuch",
    "/secret",
    "/-/components",
    "/-/sign-in",
    "/main/-/downloads",
    "/main/project/meshwork/-/downloads",
    "/main/project/meshwork/-/compare",
    "/main/project/meshwork/-/files/meshwork-1.2-py3-none-any.whl",
)
#: Pages of errors, which browsers report in their console.
REFUSED = ("/-/users/nobody", "/main/project/nosuch", "/nosuch", "/secret")
SIGNED_IN = ("/secret", "/secret/project/hidden-tool", "/-/account", "/-/manage")
WIDTHS = (320, 375, 1280, 3840)


def name_of(path: str) -> str:
    return path.strip("/").replace("/", "_").replace("?", "_").replace("=", "-")[:80] or "root"


def sign_in(page: Page, place: Place) -> None:
    page.goto(f"{place.url}/-/sign-in")
    page.fill("input[autocomplete=username]", "owner")
    page.fill("input[type=password]", place.token)
    page.get_by_role("main").get_by_role("button", name="Sign in").first.click()
    page.wait_for_load_state()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_axe_finds_nothing_serious(
    browser: Browser, axe: str, filled: Place, screenshots: Path, width: int, scheme: str
) -> None:
    found: dict[str, list[str]] = {}
    with open_page(browser, width, color_scheme=scheme) as page:
        for path in READING:
            page.goto(filled.url + path)
            found[path] = find_serious(page, axe)
            name = f"{name_of(path)}-{width}-{scheme}.png"
            page.screenshot(path=screenshots / name, full_page=True)
        sign_in(page, filled)
        for path in SIGNED_IN:
            page.goto(filled.url + path)
            found[f"{path} (signed in)"] = find_serious(page, axe)
            name = f"signed-in-{name_of(path)}-{width}-{scheme}.png"
            page.screenshot(path=screenshots / name, full_page=True)
    assert {path: texts for path, texts in found.items() if texts} == {}


def open_all(page: Page) -> None:
    """Open what is folded."""
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_its_window(
    browser: Browser, filled: Place, screenshots: Path, width: int
) -> None:
    wide = {}
    with open_page(browser, width) as page:
        for path in READING:
            page.goto(filled.url + path)
            folded = measure(page)
            open_all(page)
            unfolded = measure(page)
            page.screenshot(path=screenshots / f"{name_of(path)}-{width}-open.png", full_page=True)
            if folded[0] > folded[1] or unfolded[0] > unfolded[1]:
                wide[path] = (folded, unfolded)
    assert wide == {}


def test_what_is_folded_passes_axe_when_it_is_opened(
    browser: Browser, axe: str, filled: Place
) -> None:
    with open_page(browser, 375) as page:
        for path in ("/main", "/main/project/meshwork", "/main/project/libmesh"):
            page.goto(filled.url + path)
            open_all(page)
            assert find_serious(page, axe) == [], path


def test_a_project_of_300_releases_fits_on_a_phone(browser: Browser, tmp_path: Path) -> None:
    with serve_new(tmp_path) as place:
        text = "Requires-Dist: numpy", "Author: Ada", "", "# Read me\n\n" + "word " * 300
        for number in range(300):
            place.publish(make_wheel(tmp_path, "old-project", f"1.{number}", *text))
        answer = requests.get(
            f"{place.url}/main/project/old-project", headers={"Accept-Encoding": "gzip"}, timeout=60
        )
        assert int(answer.headers["content-length"]) < 50_000
        with open_page(browser, 375) as page:
            page.goto(f"{place.url}/main/project/old-project")
            width, window, height = measure(page)
    assert width <= window and height < 6_000, (width, window, height)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_every_page_is_small(filled: Place, coding: str) -> None:
    large = {}
    for path in READING:
        answer = requests.get(
            filled.url + path,
            headers={"Accept": "text/html", "Accept-Encoding": coding},
            timeout=60,
            stream=True,
        )
        size = len(answer.raw.read(decode_content=False))
        if answer.headers.get("content-encoding") != coding or size >= 50_000:
            large[path] = (answer.headers.get("content-encoding"), size)
    assert large == {}


def test_the_keyboard_reaches_everything_in_the_order_of_the_page(
    browser: Browser, filled: Place
) -> None:
    script = """() => {
        const one = document.activeElement, box = one.getBoundingClientRect();
        const style = getComputedStyle(one.matches('.tabs > input') ? one.nextElementSibling : one);
        return [one.tagName + ' ' + (one.textContent || one.value || '').trim().slice(0, 40),
                box.top + scrollY, style.outlineStyle !== 'none', one === document.body];
    }"""
    for path in ("/", "/main", "/main/project/meshwork", "/-/search?q=mesh"):
        with open_page(browser, 375) as page:
            page.goto(filled.url + path)
            stops: list[tuple[str, float]] = []
            for _ in range(200):
                page.keyboard.press("Tab")
                name, top, is_marked, is_end = page.evaluate(script)
                if is_end:
                    break
                assert is_marked, (path, name)
                stops.append((name, top))
            assert is_end and len(stops) > 4, (path, stops)
            assert stops[0][0] == "A Skip to the content", stops[0]
            inside = [top for _, top in stops[1:]]
            steps_back = sum(after < before - 60 for before, after in pairwise(inside))
            assert steps_back == 0, (path, stops)


def test_the_skip_link_leads_past_the_header(browser: Browser, filled: Place) -> None:
    with open_page(browser, 1280) as page:
        page.goto(f"{filled.url}/main/project/meshwork")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")


def test_pages_say_everything_without_script(browser: Browser, filled: Place) -> None:
    with open_page(browser, 1280, java_script_enabled=False) as page:
        page.goto(f"{filled.url}/main/project/meshwork")
        assert page.locator(".copy").count() == 0
        page.locator("label", has_text="conda").first.click()
        assert page.get_by_text("conda install -c").first.is_visible()
        page.locator("summary", has_text="Windows").first.click()
        assert page.get_by_text("meshwork-1.2-cp312-cp312-win_amd64.whl").first.is_visible()


def test_a_button_copies_a_command_and_the_choice_of_a_client_is_kept(
    browser: Browser, filled: Place
) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    with open_page(browser, 1280, permissions=permissions) as page:
        page.goto(f"{filled.url}/main/project/meshwork")
        page.locator("label", has_text="uv").first.click()
        page.get_by_role("button", name="Copy for uv").first.click()
        page.get_by_role("button", name="Copy for uv: copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()").startswith("uv pip install")
        page.goto(f"{filled.url}/main/project/libmesh")
        page.goto(f"{filled.url}/main/project/scipy")
        assert page.get_by_text("uv pip install").first.is_visible()
        page.locator("summary", has_text="Any platform").first.scroll_into_view_if_needed()
        page.get_by_role("button", name="Copy the SHA-256 of scipy").first.click()
        page.get_by_text("Copied").wait_for()
        assert len(page.evaluate("navigator.clipboard.readText()")) == 64


def test_a_page_prints_without_its_controls(browser: Browser, filled: Place) -> None:
    with open_page(browser, 1280) as page:
        page.goto(f"{filled.url}/main/project/meshwork")
        page.emulate_media(media="print")
        assert not page.get_by_role("search").first.is_visible()
        assert page.locator(".copy:visible").count() == 0
        assert page.get_by_text("pip install").first.is_visible()


def test_nothing_moves_for_who_prefers_it_so(browser: Browser, filled: Place) -> None:
    with open_page(browser, 1280, reduced_motion="reduce") as page:
        page.goto(f"{filled.url}/main")
        moving = page.evaluate(
            "[...document.querySelectorAll('*')].filter(one => "
            "getComputedStyle(one).transitionDuration !== '0s').length"
        )
        assert moving == 0
        assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"


def test_with_forced_colors_nothing_is_told_by_colour_alone(
    browser: Browser, axe: str, filled: Place
) -> None:
    """Windows' contrast themes: borders stay where a colour marked an edge, and so does focus."""
    with open_page(browser, 1280, forced_colors="active", color_scheme="dark") as page:
        for path in ("/main/project/meshwork", "/main", "/-/components", "/-/sign-in"):
            page.goto(filled.url + path)
            # The colours are the reader's own, and axe computes with those of the page.
            found = [one for one in find_serious(page, axe) if not one.startswith("color-contrast")]
            assert found == [], path
            for selector in (
                ".badge",
                ".notice",
                ".command",
                "input[type=search]:visible",
                ".button",
            ):
                for one in page.locator(selector).all()[:5]:
                    width = one.evaluate("one => getComputedStyle(one).borderTopWidth")
                    assert width != "0px", (path, selector)
            underlined = "one => getComputedStyle(one).textDecorationLine"
            for chosen in (":checked", ":not(:checked)"):
                for tab in page.locator(f".tabs > input{chosen} + label").all():
                    assert (tab.evaluate(underlined) == "underline") is (chosen == ":checked")
            page.keyboard.press("Tab")
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", path


def test_no_page_loads_anything_from_elsewhere(browser: Browser, filled: Place) -> None:
    with open_page(browser, 1280) as page:
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        for path in (path for path in READING if path not in REFUSED):
            page.goto(filled.url + path)
        assert [url for url in asked if not url.startswith(filled.url)] == []
        assert said == []
