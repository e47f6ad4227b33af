"""The pages for people: usable, and harmless whatever was uploaded."""

from __future__ import annotations

import base64
import hashlib
import random
import re
import threading
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.factories.packages import make_conda, make_generic_conda, make_wheel
from tests.server.conftest import Place
from twofold.server.auth import accounts
from twofold.server.pages.description import (
    MAX_NESTING,
    ReleaseDescription,
    measure_nesting,
    parse_content_type,
    render_description,
)
from twofold.server.pages.description_renderer import DescriptionRenderer, RenderProcess
from twofold.server.registry import labels, lifecycle
from twofold.server.registry.labels import Selection
from twofold.server.store.schema import descriptions


def without_own_script(text: str) -> str:
    """A page without the one script that its policy allows."""
    begin, end = text.rindex("<script>"), text.rindex("</script>")
    return text[:begin] + text[end + len("</script>") :]


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def is_harmless(html: str) -> bool:
    """No scripts, no handlers, no links that run, no frames and no objects."""
    for tag, attributes in Tags(html).found:
        if tag in ("script", "iframe", "object", "embed", "base", "meta", "link", "svg", "math"):
            return False
        for name, value in attributes.items():
            if name.startswith("on") or name == "style":
                return False
            link = (value or "").strip().lower() if name in ("href", "src", "action") else ""
            if link.startswith(("javascript:", "data:")):
                return False
    return True


#: Where scripts have been hidden in descriptions.
EVIL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<math><mtext></mtext><script>alert(1)</script></math>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<form action='https://evil.example'><input name=token></form>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<style>body{background:url(https://evil.example)}</style>",
    "<p style='position:fixed;top:0'>x</p>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<object data='x'></object><embed src='x'>",
    "[x](javascript:alert(1))",
    "[x](  JAVASCRIPT:alert(1))",
    "![x](x onerror=alert(1))",
    "<details open ontoggle=alert(1)>",
    "```\n<script>alert(1)</script>\n```",
    ".. raw:: html\n\n   <script>alert(1)</script>",
    ".. include:: /etc/passwd",
    "`x <javascript:alert(1)>`_",
    ".. image:: javascript:alert(1)",
    ".. csv-table::\n   :file: /etc/passwd",
    "x" * 300_000 + "<script>alert(1)</script>",
]


def show_description(text: str, kind: str) -> str:
    """As the page shows it."""
    described = ReleaseDescription(text=text, content_type=parse_content_type(kind))
    html = render_description(text, described.content_type) if described.is_markup else None
    return described.plain_html if html is None else html


def wait_for_page(place: Place, name: str, text: str) -> str:
    """The project's page, once its description was rendered."""
    end = time.monotonic() + 30
    while text not in (page := place.get(f"/main/project/{name}").text):
        assert time.monotonic() < end, page
        time.sleep(0.05)
    return page


@pytest.mark.parametrize("kind", ["text/markdown", "text/x-rst", "", "text/plain", "text/html"])
def test_a_description_can_do_no_harm(kind: str) -> None:
    for text in EVIL:
        html = show_description(text, kind)
        assert is_harmless(html), html[:300]
        assert "root:" not in html


def test_a_description_is_rendered_as_it_says_and_shown_as_it_is_otherwise() -> None:
    assert ">Hi<" in show_description("# Hi", "text/markdown; charset=UTF-8; variant=GFM")
    assert "<em>hi</em>" in show_description("*hi*", "text/x-rst")
    assert show_description("*hi* <b>", "text/plain") == "<pre>*hi* &lt;b&gt;</pre>"
    assert show_description("Hi\n==\n\n.. nonsense::", "").startswith("<pre>")
    assert show_description(" \n", "text/markdown") == ""


def test_a_projects_page_shows_both_worlds_and_escapes_what_people_wrote(
    served: Place, tmp_path: Path
) -> None:
    more = (
        "Description-Content-Type: text/markdown",
        "Project-URL: Source, https://example.test/<x>",
        "Author: <script>x</script>",
        "",
        "# Read me\n\n<script>alert(1)</script>",
    )
    served.publish(make_wheel(tmp_path, "My_Package", "1.0", *more))
    served.publish(make_wheel(tmp_path, "My_Package", "0.9"))
    yank = served.registry, served.owner, "main", "my_package", "0.9"
    lifecycle.yank(*yank, "<script>x</script>")
    page = served.get("/main/project/my-package")
    assert page.status_code == 200
    text = wait_for_page(served, "my_package", ">Read me<")
    assert f"pip install --index-url {served.channel}/simple/ my-package" in text
    assert f"conda install -c {served.channel} my_package" in text
    assert ">Read me<" in text
    assert ">x</p>" in text  # its summary
    assert "Yanked: &lt;script&gt;" in served.get("/main/project/my-package/0.9").text
    assert 'href="https://example.test/&lt;x&gt;"' in text
    assert "javascript:" not in text and "<script" not in without_own_script(text)
    for url in re.findall(rf'href="({served.channel}/[^"]*(?:whl|conda))"', text):
        assert served.get(url.removeprefix(served.url)).status_code == 200


def test_a_page_allows_itself_nothing_but_its_own_style(served: Place, tmp_path: Path) -> None:
    served.publish(make_wheel(tmp_path))
    for path in ("/", "/main", "/main/", "/main/project/my_package"):
        page = served.get(path)
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        for tag in ("style", "script"):
            (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", page.text, re.DOTALL)
            digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}';" in policy
        assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        tags = Tags(page.text).found
        named = [(tag, at) for tag, at in tags if at.get("rel") != "alternate"]  # a feed
        loaded = [(tag, at.get("src") or at.get("href")) for tag, at in named]
        loaded = [pair for pair in loaded if pair[0] in ("img", "iframe", "link", "object")]
        assert loaded == [("link", "/-/icon"), ("img", "/-/logo")]
        assert "style" not in {name for _, at in tags for name in at}


def test_a_page_says_why_a_wheel_has_no_package(served: Place, tmp_path: Path) -> None:
    served.publish(make_wheel(tmp_path, "my_package", "1.0", tag="py3-none-zos_390"))
    text = served.get("/main/project/my-package").text
    assert (
        "There is no conda package: my_package-1.0-py3-none-zos_390.whl was not converted" in text
    )
    assert "conda install" not in text


def test_a_channels_page_lists_and_searches(served: Place, tmp_path: Path) -> None:
    for name in ("alpha", "beta"):
        served.publish(make_wheel(tmp_path, name))
    served.publish(make_conda(tmp_path, "gamma"))
    labels.add_label(served.registry, served.owner, "main", "dev", Selection("alpha"))
    text = served.get("/main").text
    assert "alpha" in text and "beta" in text and "gamma" in text
    assert '<span class="badge conda">conda</span>' in text and "/label/dev" in text
    assert f"twine upload --repository-url {served.channel}/legacy/" in text
    found = served.get("/main?q=bet").text
    assert "beta" in found and "alpha" not in found
    evil = served.get("/main?q=%22%3E%3Cscript%3E").text
    assert "<script" not in without_own_script(evil) and "No project" in evil


def test_private_channels_are_seen_by_their_readers(served: Place, tmp_path: Path) -> None:
    assert served.owner.user is not None
    accounts.add_channel(served.registry, "owner", "secret", served.owner.user, public=False)
    served.publish(make_wheel(tmp_path), channel="secret")
    assert "secret" not in served.get("/").text
    assert served.get("/secret").status_code == 401
    assert "secret" in served.get("/", token=served.token).text
    text = served.get("/secret/project/my_package", token=served.token).text
    host = served.url.partition("://")[2]
    assert f"pip install --index-url http://__token__:TOKEN@{host}/secret/simple/" in text
    assert f"conda install -c {served.url}/t/TOKEN/secret" in text
    assert served.token not in text


def test_a_quarantined_projects_page_warns_and_links_to_no_file(
    served: Place, tmp_path: Path
) -> None:
    served.publish(make_wheel(tmp_path))
    lifecycle.set_status(served.registry, served.owner, "main", "my_package", "quarantined", "bad")
    text = served.get("/main/project/my_package").text
    assert "<b>quarantined</b>: bad" in " ".join(text.split())
    assert ".whl</a>" not in text


def test_the_newest_release_shown_is_one_that_is_not_yanked(served: Place, tmp_path: Path) -> None:
    for version in ("1.0", "1.1"):
        served.publish(make_wheel(tmp_path, "my_package", version, f"Author: of {version}"))
    lifecycle.yank(served.registry, served.owner, "main", "my-package", "1.1")
    page = served.get("/main/project/my-package").text
    assert '<span class="version">1.0</span>' in page and "of 1.0" in page
    assert ">1.0<" in served.get("/main").text and ">1.1<" not in served.get("/main").text
    lifecycle.yank(served.registry, served.owner, "main", "my-package", "1.0")
    assert '<span class="version">1.1</span>' in served.get("/main/project/my-package").text


def test_conda_versions_are_shown_in_the_order_of_conda(served: Place, tmp_path: Path) -> None:
    for version in ("2024b", "2022.7", "2024a", "2023c"):
        served.publish(make_generic_conda(tmp_path, "tzish", version))
    page = served.get("/main/project/tzish").text
    assert '<span class="version">2024b</span>' in page
    places = [
        page.index(f"/main/project/tzish/{version}")
        for version in ("2024b", "2024a", "2023c", "2022.7")
    ]
    assert places == sorted(places)
    shown = served.get("/api/package/main/tzish").json()
    assert shown["versions"] == ["2022.7", "2023c", "2024a", "2024b"]
    assert shown["latest_version"] == "2024b"


def nest_rst(depth: int) -> str:
    return "\n\n".join("  " * level + "* x" for level in range(depth))


#: Small descriptions that keep a renderer busy, exhaust its stack or its memory, or nest deeply.
HEAVY = {
    "quotes": (">" * 190_000 + "a", "text/markdown"),
    "nested quotes": (">" * 60 + " deep", "text/markdown"),
    "tags": ("<div>" * 38_000, "text/markdown"),
    "comments": ("<!--" * 47_500, "text/markdown"),
    "brackets": ("[" * 100_000, "text/markdown"),
    "lists": ("".join("  " * n + "* x\n" for n in range(300)), "text/markdown"),
    "emphasis": ("*a _b " * 30_000, "text/markdown"),
    "rst lists": (nest_rst(250), "text/x-rst"),
    "rst quotes": ("\n\n".join("  " * level + "x" for level in range(250)), ""),
    "too long": ("x" * 200_001, "text/markdown"),
}


def test_no_description_holds_up_the_server(served: Place, tmp_path: Path) -> None:
    """Neither the page nor another request waits, and what is too heavy is shown as text."""
    code = f"x = '{random.Random(1).randbytes(8_000).hex()}'\n"  # a file may have so much metadata
    for number, (text, kind) in enumerate(HEAVY.values()):
        headers = (f"Description-Content-Type: {kind}", "", text)
        served.publish(make_wheel(tmp_path, f"heavy{number}", "1.0", *headers, code=code))
    for number in range(len(HEAVY)):
        begun = time.monotonic()
        page = served.get(f"/main/project/heavy{number}")
        assert page.status_code == 200 and "<pre>" in page.text
        assert served.get("/healthz").status_code == 200
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in ("tags", "comments") else [])
        for name in sorted(HEAVY)
    ],
)
def test_what_cannot_be_rendered_within_the_limits_is_shown_as_text(name: str) -> None:
    text, kind = HEAVY[name]
    process = RenderProcess()
    begun = time.monotonic()
    head = f"Metadata-Version: 2.1\nName: a\nVersion: 1\nDescription-Content-Type: {kind}\n\n"
    html = process.render(head.encode() + text.encode())
    assert html is None or (time.monotonic() - begun < 30 and measure_nesting(html) <= MAX_NESTING)
    if name in ("quotes", "nested quotes", "rst lists", "rst quotes", "too long"):
        assert html is None
    # The next one is rendered, by another process if the first was killed.
    html = process.render(b"Description-Content-Type: text/markdown\nDescription: # Hi\n")
    assert html is not None and ">Hi<" in html
    process.close()


def test_a_description_is_rendered_once_and_goes_with_its_file(
    served: Place, tmp_path: Path
) -> None:
    headers = ("Description-Content-Type: text/markdown", "", "# Read me")
    for version in ("1.0", "1.1"):
        served.publish(make_wheel(tmp_path, "my_package", version, *headers))
    wait_for_page(served, "my-package", ">Read me<")
    assert count_descriptions(served) == 2
    lifecycle.delete_release(served.registry, served.owner, "main", "my-package", "1.1")
    assert count_descriptions(served) == 1
    wait_for_page(served, "my-package", ">Read me<")
    with served.registry.database.write() as db:
        db.execute(descriptions.delete())
    assert ">Read me<" not in served.get("/main/project/my-package").text  # as text, until then
    wait_for_page(served, "my-package", ">Read me<")


def count_descriptions(place: Place) -> int:
    with place.registry.database.read() as db:
        return int(db.execute(select(func.count()).select_from(descriptions)).scalar_one())


def test_the_process_that_renders_ends_with_its_thread(served: Place, tmp_path: Path) -> None:
    before = threading.active_count()
    renderer = DescriptionRenderer(idle_time=0.1)
    headers = ("Description-Content-Type: text/markdown", "", "# Read me")
    file = served.publish(make_wheel(tmp_path, "my_package", "1.0", *headers)).file
    for _ in range(2):
        renderer.request(served.registry.database, file)
        end = time.monotonic() + 30
        while renderer.is_running:
            assert time.monotonic() < end
            time.sleep(0.05)
    assert threading.active_count() <= before + 2
