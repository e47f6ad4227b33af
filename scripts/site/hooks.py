"""MkDocs calls these while it makes the site: pages from the code, navigation, links."""

from __future__ import annotations

import posixpath
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))

import links
import navigation
import reference

ROOT = Path(__file__).parents[2]
#: Material's plugin `offline` loads it for pages in a folder; docs/assets/worker.js does the same.
SHIM = "https://unpkg.com/iframe-worker/shim"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/, and set the navigation."""
    made = {**reference.make_pages(), **_read_project_pages()}
    for path, text in made.items():
        files.append(File.generated(config, path, content=text))
    files.append(File.generated(config, "reference/components.html", content=_show_components()))
    pages = [file.src_uri for file in files.documentation_pages()]
    start = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    tabs = navigation.make_navigation(
        start, [page for page in pages if not page.startswith("project/")]
    )
    config.nav = [*tabs, {"Project": list(links.PROJECT_PAGES.values())}]
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links that leave docs/ lead to a page of the site, or name the file."""
    del config, files
    path = page.file.src_uri
    if path.startswith("project/"):
        return markdown
    return links.rewrite(markdown, f"docs/{path}", path)


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Take the script of the search from the site itself, not from another host."""
    del config
    return output.replace(SHIM, posixpath.relpath("assets/worker.js", posixpath.dirname(page.url)))


def on_post_template(output: str, *, template_name: str, config: MkDocsConfig) -> str:
    """The same for the page of a missing address."""
    del config
    return output.replace(SHIM, "/assets/worker.js") if template_name == "404.html" else output


def _show_components() -> str:
    """The components of the registry's pages, made from its templates."""
    from twofold.server.web.pages.render import Frame, render_text
    from twofold.server.web.pages.site import Site
    from twofold.server.web.pages.viewer import Viewer

    frame = Frame("", "https://packages.example.org", Site("twofold", "", False), Viewer())
    page = render_text("gallery.html", frame, {})
    for picture, file in (("logo", "logo.svg"), ("icon", "favicon.svg")):
        page = page.replace(f'"/-/{picture}"', f'"../assets/{file}"')
    return page


def _read_project_pages() -> dict[str, str]:
    return {
        page: links.rewrite((ROOT / name).read_text(encoding="utf-8"), name, page)
        for name, page in links.PROJECT_PAGES.items()
    }
