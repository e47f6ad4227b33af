"""The site of the documentation: its navigation, the pages made from the code, the built files."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.site import links, navigation, reference
from tests.cli.test_help import list_options
from twofold.cli import COMMANDS, make_parser
from twofold.cli.server_settings import SERVING, STORE
from twofold.server.web.management import ENDPOINTS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]


describe_commands = functools.cache(reference.describe_commands)


def list_pages(entries: object) -> list[str]:
    """The pages of a navigation, in order."""
    if isinstance(entries, str):
        return [entries]
    values = entries.values() if isinstance(entries, dict) else entries
    assert isinstance(values, list | type({}.values()))
    return [page for entry in values for page in list_pages(entry)]


def test_every_page_stands_in_the_navigation_once() -> None:
    start = (DOCS / "README.md").read_text(encoding="utf-8")
    found = list_pages(navigation.make_navigation(start, [*PAGES, *reference.make_pages()]))
    pages = [page for page in reference.make_pages() if page.endswith(".md")]
    assert sorted(page for page in found if page.endswith(".md")) == sorted([*PAGES, *pages])


def test_a_page_that_nothing_links_is_put_at_the_end_of_its_folder() -> None:
    start = "## How-to\n\n### One\n\n- [first](how-to/a.md): text\n\n## Reference\n"
    start += "- [x](reference/x.md)\n"
    pages = ["README.md", "how-to/a.md", "how-to/new.md", "reference/x.md", "reference/made.md"]
    assert navigation.make_navigation(start, pages) == [
        {"Start": "README.md"},
        {"How-to": [{"One": [{"First": "how-to/a.md"}]}, "how-to/new.md"]},
        {"Reference": [{"X": "reference/x.md"}, "reference/made.md"]},
    ]


def test_links_out_of_the_folder_lead_to_the_sites_pages_or_name_the_file() -> None:
    text = (
        "[a](../../CHANGELOG.md#x) [b](../../deploy) [c](other.md)\n```\n[d](../../deploy)\n```\n"
    )
    assert links.rewrite(text, "docs/how-to/p.md", "how-to/p.md") == (
        "[a](../project/changelog.md#x) b (`deploy` in the repository) [c](other.md)\n"
        "```\n[d](../../deploy)\n```\n"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_of_commands_has_every_option(command: str) -> None:
    page = describe_commands()
    assert f"## `twofold {command}`" in page
    assert {option for option in list_options(make_parser(command)) if option not in page} == set()


def test_the_page_of_settings_has_every_variable_and_key() -> None:
    page = reference.describe_settings()
    assert [option.variable for option in (*STORE, *SERVING) if option.variable not in page] == []
    schema = json.loads((ROOT / "src/twofold/tool-twofold.schema.json").read_text("utf-8"))
    keys = [key for key, _, _ in reference.walk_schema(schema)]
    assert "conda.depends" in keys and "sdist.include" in keys
    assert [key for key in keys if f"| `{key}` |" not in page] == []


def test_the_page_of_calls_has_every_endpoint() -> None:
    headings = re.findall(r"^## `(\w+) (/api/manage\S*)`", reference.describe_api(), re.MULTILINE)
    assert set(headings) == {(one.method, f"/api/manage{one.path}") for one in ENDPOINTS}


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_asks_no_other_host(tmp_path: Path) -> None:
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("the group docs is not installed: scripts/docs installs it")
    site = tmp_path / "site"
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    asks = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*(?:src|href)=["'](?:https?:)?//""")
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(PAGES)
    assert [page.name for page in pages if asks.search(page.read_text("utf-8"))] == []
    for sheet in site.rglob("*.css"):
        assert "url(http" not in sheet.read_text("utf-8")
    index = json.loads((site / "search" / "search_index.json").read_text("utf-8"))
    assert any(entry["title"] == "Your first package" for entry in index["docs"])


@pytest.mark.slow
def test_the_site_is_built_without_material_too(tmp_path: Path) -> None:
    """With MkDocs' own theme, as CONTRIBUTING.md shows it: Material ends in 2027."""
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("the group docs is not installed: scripts/docs installs it")
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (plain,) = re.findall(r"```yaml title=\"mkdocs-plain.yml\"\n(.*?)```", guide, re.DOTALL)
    for name in ("mkdocs.yml", "docs", "scripts", "src", "backend", "deploy", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    for page in ROOT.glob("*.md"):
        (tmp_path / page.name).symlink_to(page)
    (tmp_path / "mkdocs-plain.yml").write_text(plain, encoding="utf-8")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", "mkdocs-plain.yml"]
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(PAGES)
    index = json.loads((tmp_path / "site/search/search_index.json").read_text("utf-8"))
    assert any(entry["title"] == "Your first package" for entry in index["docs"])


@pytest.mark.slow
@pytest.mark.git
def test_each_version_of_the_site_is_kept_on_a_branch(tmp_path: Path) -> None:
    """What `scripts/docs --version` runs, twice, in a copy of the repository."""
    if importlib.util.find_spec("mike") is None:
        pytest.skip("the group docs is not installed: scripts/docs installs it")

    def git(*words: str) -> str:
        command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in tracked.stdout.decode().rstrip("\0").split("\0"):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    git("init", "--quiet")
    git("config", "user.name", "A")
    git("config", "user.email", "a@example.org")
    git("add", ".")
    git("commit", "--quiet", "--message", "all")
    programs = Path(sys.executable).parent
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    for version in ("0.1.0", "0.2.0"):
        words = [str(programs / "mike"), "deploy", "--update-aliases", version, "latest"]
        subprocess.run(
            words, cwd=tmp_path, env={**os.environ, "PATH": path}, check=True, timeout=600
        )
    assert {"0.1.0", "0.2.0", "latest"} <= set(git("ls-tree", "--name-only", "gh-pages").split())
    versions = json.loads(git("show", "gh-pages:versions.json"))
    assert [(one["version"], one["aliases"]) for one in versions] == [
        ("0.2.0", ["latest"]),
        ("0.1.0", []),
    ]


BROWSER = next(
    (path for path in map(Path, ("/usr/bin/chromium", "/usr/bin/google-chrome")) if path.exists()),
    None,
)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_the_search_works_from_a_folder(tmp_path: Path) -> None:
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("the group docs is not installed: scripts/docs installs it")
    site = tmp_path / "site"
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(site)]
    subprocess.run(build, cwd=ROOT, check=True)
    done = subprocess.run(
        [
            str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=9000",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom",
            f"{(site / 'index.html').as_uri()}?q=shard",
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert re.search(r"\d+ matching documents", done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_the_pictures_of_the_registry_can_be_taken_again(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "screenshots"
    subprocess.run([sys.executable, str(script), "--out", str(tmp_path)], check=True, timeout=600)
    for picture in tmp_path.iterdir():
        header = picture.read_bytes()[:24]
        assert header[:8] == b"\x89PNG\r\n\x1a\n"
        assert int.from_bytes(header[16:20], "big") in (1100, 390)
    committed = {path.name for path in (DOCS / "assets").glob("*.png")}
    assert {path.name for path in tmp_path.iterdir()} == committed
