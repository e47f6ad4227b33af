"""Signing in, one's account and management in Chromium: the whole way, axe-core, widths."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import find_serious, measure, open_page
from tests.server.conftest import Place
from twofold.server.web.manage.act_table import ACTS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

PAGES = (
    "/-/account",
    "/-/account/second-factor",
    "/-/manage",
    "/-/manage/state",
    "/-/manage/log",
    "/-/manage/log?action=publish",
    "/-/manage/users/owner",
    "/-/manage/users/team",
    "/-/manage/channels/main",
    "/-/manage/channels/main/log",
    "/-/manage/channels/main/labels/dev",
    "/-/manage/channels/main/upload",
    "/-/manage/channels/main/projects/meshwork",
    *(f"/-/manage/act/{name}" for name in sorted(ACTS)),
    "/-/manage/act/yank?channel=main&project=meshwork&version=1.0&back=/-/manage",
    "/-/manage/act/change-channel?channel=main",
)


def sign_in(page: Page, place: Place) -> None:
    page.goto(f"{place.url}/-/sign-in")
    page.get_by_label("User name").fill("owner")
    page.get_by_label("Password").fill(place.token)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.wait_for_load_state()


@pytest.fixture
def managed(filled: Place) -> Place:
    """The registry with an organisation, an invitation, a notice and a webhook."""
    from tests.clients.management import Api
    from twofold.errors import Refused
    from twofold.server.auth import accounts

    try:
        accounts.get_user(filled.registry, "team")
    except Refused:
        accounts.add_user(filled.registry, "operator", "team", kind="organisation")
        api = Api(filled)
        api("POST", "/channels/main/invitations", role="read")
        api("POST", "/channels/main/notices", message="Closed on Monday", level="warning")
        api("POST", "/channels/main/webhooks", url="https://8.8.8.8/hook")
        api("PUT", "/channels/main/prefixes/acme", owner="team")
    return filled


def test_somebody_signs_in_makes_a_token_yanks_with_a_reason_and_signs_out(
    browser: Browser, managed: Place
) -> None:
    with open_page(browser, 1280) as page:
        page.goto(f"{managed.url}/-/manage/channels/main/projects/meshwork")
        assert "/-/sign-in?next=" in page.url
        page.get_by_label("User name").fill("owner")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("main").get_by_role("button", name="Sign in").click()
        assert page.get_by_role("alert").inner_text().startswith("Invalid user name or password")
        assert page.get_by_label("User name").input_value() == "owner"
        page.get_by_label("Password").fill(managed.token)
        page.keyboard.press("Enter")
        page.wait_for_url("**/projects/meshwork")
        section = page.get_by_role("region", name="Release 1.0", exact=True)
        section.get_by_role("link", name="Yank", exact=True).click()
        page.get_by_label("Reason").fill("it loses data")
        page.get_by_role("button", name="Yank").click()
        page.wait_for_url("**done=yank")
        assert "Done: yank" in page.get_by_role("main").inner_text()
        assert "it loses data" in page.get_by_role("region", name="Release 1.0").inner_text()
        page.goto(f"{managed.url}/-/account")
        page.get_by_role("link", name="Add token").click()
        page.get_by_label("Name", exact=True).fill("from a browser")
        page.get_by_label("upload", exact=True).check()
        page.get_by_label("Days").fill("0")
        page.get_by_role("button", name="Add token").click()
        assert page.get_by_label("Days").get_attribute("aria-invalid") == "true" or page.evaluate(
            "!document.querySelector('[name=days]').validity.valid"
        )
        page.get_by_label("Days").fill("30")
        page.get_by_role("button", name="Add token").click()
        page.wait_for_load_state()
        text = page.get_by_role("main").inner_text()
        assert re.search(r"twofold-[A-Za-z0-9]{38}", text)
        page.goto(f"{managed.url}/-/account")
        assert "from a browser" in page.get_by_role("main").inner_text()
        page.locator("header summary").click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_load_state()
        page.go_back()
        page.reload()
        assert "/-/sign-in" in page.url
    from tests.clients.management import Api

    entries = Api(managed)("GET", "/channels/main/log?action=yank")
    assert (entries[-1]["actor"], entries[-1]["detail"]["reason"]) == ("owner", "it loses data")


def test_the_keyboard_alone_signs_in_and_yanks(browser: Browser, managed: Place) -> None:
    """Tab, letters, Space and Enter: no pointer, and no element that only one can reach."""

    def tab_to(page: Page, role: str, name: str) -> None:
        wanted = page.get_by_role(role, name=name, exact=True).first  # type: ignore[arg-type]
        for _ in range(200):
            page.keyboard.press("Tab")
            if wanted.evaluate("one => one === document.activeElement"):
                return
        raise AssertionError(f"{name} is not reached")

    with open_page(browser, 1280) as page:
        page.goto(f"{managed.url}/-/sign-in?next=/-/manage/channels/main/projects/numpy")
        tab_to(page, "textbox", "User name")
        page.keyboard.type("owner")
        page.keyboard.press("Tab")
        page.keyboard.type(managed.token)
        page.keyboard.press("Enter")
        page.wait_for_url("**/projects/numpy")
        tab_to(page, "link", "Yank")
        page.keyboard.press("Enter")
        page.wait_for_url("**/act/yank?**")
        tab_to(page, "textbox", "Reason")
        page.keyboard.type("by keyboard")
        tab_to(page, "button", "Yank")
        page.keyboard.press("Space")
        page.wait_for_url("**done=yank")
        assert "by keyboard" in page.get_by_role("main").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_axe_finds_nothing_serious_and_no_page_is_too_wide(
    browser: Browser, axe: str, managed: Place, screenshots: Path, width: int, scheme: str
) -> None:
    found: dict[str, list[str]] = {}
    wide = {}
    with open_page(browser, width, color_scheme=scheme) as page:
        sign_in(page, managed)
        for path in PAGES:
            page.goto(managed.url + path)
            found[path] = find_serious(page, axe)
            size = measure(page)
            if size[0] > size[1]:
                wide[path] = size
            name = re.sub(r"[^a-z0-9]+", "-", path).strip("-")[:80]
            page.screenshot(
                path=screenshots / f"manage-{name}-{width}-{scheme}.png", full_page=True
            )
    assert {path: texts for path, texts in found.items() if texts} == {}
    assert wide == {}


def test_a_form_with_a_mistake_keeps_what_was_entered_and_says_it_at_the_field(
    browser: Browser, axe: str, managed: Place
) -> None:
    with open_page(browser, 375) as page:
        sign_in(page, managed)
        page.goto(f"{managed.url}/-/manage/act/set-role?channel=main")
        page.get_by_label("User").fill("nobody-here")
        page.get_by_label("Role").select_option("upload")
        page.get_by_role("button", name="Give a role").click()
        page.wait_for_load_state()
        field = page.get_by_label("User")
        assert field.get_attribute("aria-invalid") == "true"
        assert field.input_value() == "nobody-here"
        assert page.get_by_label("Role").input_value() == "upload"
        assert "There is no user" in page.locator("#error-user").inner_text()
        assert find_serious(page, axe) == []
        page.goto(
            f"{managed.url}/-/manage/act/delete-release?channel=main&project=meshwork&version=1.0"
        )
        page.get_by_label("Enter the version again").fill("1.1")
        page.get_by_role("button", name="Delete release").click()
        page.wait_for_load_state()
        assert "Enter '1.0'" in page.locator("#error-typed").inner_text()
