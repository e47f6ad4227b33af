"""What people see: the registry's channels, a channel, a project, as HTML without scripts.

Everything that others wrote is escaped by the templates; a description is what readme_renderer,
which PyPI uses, makes of it. The pages allow themselves nothing but their own style sheet: no
script, no image, no frame, and forms to this server alone.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

import twofold
from twofold.server.model import ANONYMOUS, Channel, StoredFile
from twofold.server.pages.description import describe_release
from twofold.server.pages.project_json import sort_newest_first
from twofold.server.pages.simple_pages import make_file_path
from twofold.server.registry import administration, labels, queries
from twofold.server.web.credentials import authenticate, get_registry

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"

#: Projects on a channel's page.
MAX_PROJECTS = 200


@cache
def _environment() -> Environment:
    """Imported when the first page is shown: most servers are asked by programs alone."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(_TEMPLATES)
    return Environment(loader=loader, autoescape=True, trim_blocks=True, undefined=StrictUndefined)


@cache
def _style() -> tuple[str, str]:
    """The style sheet, and its hash as the policy names it."""
    text = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return text, f"'sha256-{digest}'"


def _show(name: str, request: Request, public: bool, **values: Any) -> Response:
    from markupsafe import Markup

    text, digest = _style()
    root = str(request.base_url).rstrip("/")
    template = _environment().get_template(name)
    body = template.render(style=Markup(text), root=root, **values)
    policy = f"default-src 'none'; style-src {digest}; form-action 'self'; base-uri 'none'"
    headers = {
        "content-security-policy": f"{policy}; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cache-control": "no-cache" if public else "private, no-cache",
    }
    return HTMLResponse(body, 200, headers)


def show_landing(request: Request) -> Response:
    """The channels that who asks may read."""
    actor = authenticate(request)
    found = administration.list_readable_channels(get_registry(request), actor)
    public = actor is ANONYMOUS
    return _show("landing.html", request, public, channels=found, version=twofold.__version__)


def show_channel(request: Request) -> Response:
    """How to use a channel, and its projects."""
    registry, actor = get_registry(request), authenticate(request)
    found = queries.get_channel(registry, actor, request.path_params["channel"])
    q = request.query_params.get("q", "")[:100]
    hits = queries.list_channel_projects(registry, actor, found.name, q, MAX_PROJECTS + 1)
    shown = [
        {
            "name": hit.project.name,
            "key": hit.project.key,
            "summary": hit.project.summary,
            "newest": next(iter(sort_newest_first(list(hit.project.versions))), ""),
            "worlds": _worlds(hit),
        }
        for hit in hits[:MAX_PROJECTS]
    ]
    names = sorted(set(labels.list_labels(registry, actor, found.name)) - {"main"})
    return _show(
        "channel.html",
        request,
        found.public,
        channel=found,
        projects=shown,
        more=len(hits) > MAX_PROJECTS,
        labels=names,
        q=q,
        **_addresses(request, found),
    )


def _worlds(hit: queries.SearchHit) -> str:
    kinds = hit.project.kinds
    told = ["pip"] if any(not kind.is_conda for kind in kinds) else []
    return ", ".join([*told, *(["conda"] if any(kind.is_conda for kind in kinds) else [])])


def _addresses(request: Request, found: Channel) -> dict[str, str]:
    """What commands name; a private channel's with the place of the token."""
    root = str(request.base_url).rstrip("/")
    base = f"{root}/{found.name}"
    scheme, _, rest = base.partition("://")
    if found.public:
        return {"base": base, "pip_index": f"{base}/simple/", "conda_channel": base}
    return {
        "base": base,
        "pip_index": f"{scheme}://__token__:TOKEN@{rest}/simple/",
        "conda_channel": f"{root}/t/TOKEN/{found.name}",
    }


def show_project(request: Request) -> Response:
    """How to install a project, its releases in both worlds, why a wheel has no twin."""
    registry, words, actor = get_registry(request), request.path_params, authenticate(request)
    found = queries.get_channel(registry, actor, words["channel"])
    known = queries.get_project(registry, actor, found.name, words["name"])
    files = queries.list_files(registry, known)
    addresses = _addresses(request, found)
    versions = sort_newest_first([file.version for file in files])
    newest = versions[0] if versions else ""
    told = describe_release([file for file in files if file.version == newest])
    return _show(
        "project.html",
        request,
        found.public,
        channel=found,
        project=known,
        newest=newest,
        for_pip=any(not file.kind.is_conda for file in files),
        for_conda=any(file.kind.is_conda for file in files),
        remarks=[file.remark for file in reversed(files) if file.remark],
        releases=[
            _release(
                version, [file for file in files if file.version == version], addresses["base"]
            )
            for version in versions
        ],
        summary=told.summary,
        facts=told.facts,
        description=told.html,
        **addresses,
    )


def _release(version: str, files: list[StoredFile], base: str) -> dict[str, Any]:
    yanks = [file.yanked for file in files]
    return {
        "version": version,
        "yanked": next((reason for reason in yanks if reason), "") if None not in yanks else None,
        "files": [
            {
                "name": file.basename,
                "url": f"{base}/{file.basename if file.subdir else make_file_path(file)}",
                "sha256": file.sha256,
                "world": "conda" if file.kind.is_conda else "pip",
                "size": _size(file.size),
                "at": file.uploaded_at.strftime("%Y-%m-%d %H:%M UTC"),
                "labels": ", ".join(sorted(file.labels)),
                "remark": file.remark,
            }
            for file in files
        ],
    }


def _size(count: int) -> str:
    amount, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"


routes = [
    Route("/", show_landing),
    Route("/{channel}", show_channel),
    Route("/{channel}/", show_channel),
    Route("/{channel}/project/{name}", show_project),
    Route("/{channel}/project/{name}/", show_project),
]
