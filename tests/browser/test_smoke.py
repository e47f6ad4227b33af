"""A glance at the pages in a real browser; the matrix is in test_pages_in_browser.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.conftest import find_serious, measure, open_page, serve_new
from tests.factories.packages import make_wheel

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_a_project_is_readable_on_a_phone(browser: Browser, axe: str, tmp_path: Path) -> None:
    with serve_new(tmp_path) as place:
        place.publish(
            make_wheel(tmp_path, "my_package", "1.0", "Requires-Dist: numpy", "", "# Read")
        )
        with open_page(browser, 375, color_scheme="dark") as page:
            problems: list[str] = []
            page.on("console", lambda message: problems.append(message.text))
            page.goto(f"{place.url}/main/project/my-package")
            width, window, _ = measure(page)
            assert width <= window
            assert find_serious(page, axe) == []
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.className") == "skip"
            page.get_by_text("uv", exact=True).first.click()
            assert page.get_by_text("uv pip install").is_visible()
            assert not page.get_by_text("pip install --extra-index-url").first.is_visible()
            assert problems == []
