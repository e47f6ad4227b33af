"""A real browser and a served registry for the tests of pages.

Chromium comes from the machine (Debian's package `chromium`; scripts/test installs it where it
can), Playwright drives it, and axe-core is the script that axe-playwright-python carries.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.sample_registry import fill
from tests.server.conftest import Place, new_place, serve
from twofold.server.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

#: Chromium talks to nobody but the registry.
ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

#: Read here: tests do not see the user's settings (tests/surroundings.py).
SCREENSHOTS = os.environ.get("TWOFOLD_SCREENSHOTS")

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a window.

    One a module: Playwright keeps an event loop running, beside which `asyncio.run` refuses.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium on PATH: install Debian's package chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as started:
        # Chromium's sandbox refuses to run as root.
        is_root = hasattr(os, "geteuid") and os.geteuid() == 0
        launched = started.chromium.launch(
            executable_path=program, args=ARGUMENTS, chromium_sandbox=not is_root
        )
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    return (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of screenshots: TWOFOLD_SCREENSHOTS, or one of this run."""
    folder = Path(SCREENSHOTS) if SCREENSHOTS else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def serve_new(folder: Path, **settings: Any) -> Iterator[Place]:
    """A fresh registry, served."""
    place = new_place(Settings(folder / "registry", **settings))
    with serve(place):
        yield place
    place.registry.database.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A registry with the samples, one for a module."""
    folder = tmp_path_factory.mktemp("filled")
    with serve_new(folder, site_notice="Maintenance on Sunday from 6 to 7 UTC.") as place:
        fill(place, folder / "files")
        yield place


@contextmanager
def open_page(browser: Browser, width: int, **options: Any) -> Iterator[Page]:
    """A page of a new profile, this many CSS pixels wide."""
    context = browser.new_context(viewport={"width": width, "height": 800}, **options)
    try:
        yield context.new_page()
    finally:
        context.close()


def find_serious(page: Page, axe: str) -> list[str]:
    """Return axe-core's findings of serious and critical kind on the page that is shown."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:200]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def measure(page: Page) -> tuple[int, int, int]:
    """Return the width of the content, that of the window, and the height (CSS pixels)."""
    width, window, height = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth, "
        "document.documentElement.scrollHeight]"
    )
    return width, window, height
