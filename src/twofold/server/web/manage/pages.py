"""The pages of management: an overview, a channel, a project, users, the audit log, one's account.

Each is a list of sections, which say the calls of the management API that they show and lead to.
Who may not make a section's call does not see it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.auth import accounts
from twofold.server.model import Actor, User
from twofold.server.web.account.forms import redirect_to_sign_in, render_form, with_form
from twofold.server.web.credentials import find_person, get_registry, run_password_check
from twofold.server.web.manage.act_table import ACTS, LISTS, make_title
from twofold.server.web.manage.acts import perform_act, show_act, show_again
from twofold.server.web.manage.sections import (
    CHANNEL,
    CHANNEL_ACTS,
    LABEL_ACTS,
    ORGANISATION,
    OVERVIEW,
    OWN_ACTS,
    PROJECT_ACTS,
    RELEASE_ACTS,
    USER,
)
from twofold.server.web.manage.tables import (
    FilledSection,
    Link,
    Section,
    fill_section,
    make_link,
    make_links,
)
from twofold.server.web.management.endpoints import run_endpoint

MANAGE = "/-/manage"


def show_overview(request: Request) -> Response:
    """Show the channels that the caller may read, and to operators all users."""
    actor = find_person(request)
    if actor is None:
        return redirect_to_sign_in(request)
    sections = _fill(request, actor, OVERVIEW, {}, MANAGE)
    links = make_links(request, actor, OWN_ACTS, {}, MANAGE)
    if _may_see_log(request, actor):
        links += [Link("State", f"{MANAGE}/state"), Link("Audit log", f"{MANAGE}/log")]
    return _render(request, "Manage", sections, links)


def _may_see_log(request: Request, actor: Actor) -> bool:
    try:
        run_endpoint(request, actor, LISTS["log"], {"limit": 1})
    except Refused:
        return False
    return True


def show_state(request: Request) -> Response:
    """Show the dashboard: storage of channels, work that waits, whether the stores answer."""
    actor = find_person(request)
    if actor is None:
        return redirect_to_sign_in(request)
    found = run_endpoint(request, actor, LISTS["show-state"], {})
    metrics = request.app.state.metrics
    since = datetime.fromtimestamp(metrics.started_at, UTC)
    values = {
        "state": found,
        "total": sum(one["bytes"] for one in found["channels"]),
        "requests": sum(metrics.requests.values()),
        "failures": sum(n for (_, status), n in metrics.requests.items() if status >= 500),
        "failed_logins": metrics.failed_logins,
        "uploading": request.app.state.spool.used,
        "since": since.strftime("%Y-%m-%d %H:%M UTC"),
    }
    return render_form(request, "manage/state.html", **values)


def show_channel(request: Request) -> Response:
    """Show a channel to who may change something of it."""
    actor, channel = find_person(request), request.path_params["channel"]
    if actor is None:
        return redirect_to_sign_in(request)
    path = f"{MANAGE}/channels/{quote(channel)}"
    words = {"channel": channel}
    run_endpoint(request, actor, LISTS["show-channel"], words)  # 404 where there is none
    sections = _fill(request, actor, CHANNEL, words, path)
    acts = make_links(request, actor, CHANNEL_ACTS, words, path)
    links = [
        Link("Upload", f"{path}/upload"),
        *acts,
        *([Link("Storage", f"/{channel}/-/storage")] if acts else []),
        Link("Audit log", f"{path}/log"),
    ]
    return _render(request, f"Manage {channel}", sections, links, channel)


#: The files of a label on its page; the API lists all.
MAX_LABELLED = 500


def show_label(request: Request) -> Response:
    """Show the files under a label of a channel."""
    actor, path_words = find_person(request), request.path_params
    if actor is None:
        return redirect_to_sign_in(request)
    channel, label = path_words["channel"], path_words["label"]
    words = {"channel": channel, "label": label}
    found = run_endpoint(request, actor, LISTS["list-labelled"], words)
    path = f"{MANAGE}/channels/{quote(channel)}/labels/{quote(label)}"
    more = len(found) - MAX_LABELLED
    section = FilledSection(
        "Files",
        f"And {more} more, which the management API lists." if more > 0 else "",
        ["file", "version", "size", "labels", "yanked", "uploaded_at"],
        [(file, []) for file in found[:MAX_LABELLED]],
        [],
    )
    links = make_links(request, actor, LABEL_ACTS, words, path)
    return _render(request, f"Label {label}", [section], links, channel)


def show_project(request: Request) -> Response:
    """Show the files of a project, by release, with what can be done to each."""
    actor, path_words = find_person(request), request.path_params
    if actor is None:
        return redirect_to_sign_in(request)
    words = {"channel": path_words["channel"], "project": path_words["project"]}
    found = run_endpoint(request, actor, LISTS["show-project"], words)
    path = f"{MANAGE}/channels/{quote(words['channel'])}/projects/{quote(words['project'])}"
    releases: dict[str, list[dict[str, Any]]] = {}
    for file in found["files"]:
        releases.setdefault(file["version"], []).append(file)
    sections = [
        FilledSection(
            f"Release {version}",
            "",
            ["file", "size", "labels", "yanked", "uploaded_at"],
            [
                (
                    file,
                    make_links(
                        request, actor, ("delete-file",), {**words, **_name_file(file)}, path
                    ),
                )
                for file in files
            ],
            make_links(request, actor, RELEASE_ACTS, {**words, "version": version}, path),
        )
        for version, files in reversed(releases.items())
    ]
    links = make_links(request, actor, PROJECT_ACTS, words, path)
    # From here a project goes to another channel, and the form asks for it.
    if links:
        out = {"source": words["channel"], "project": words["project"]}
        links.insert(2, make_link("promote", out, path))
    title = f"Manage {found['project']['name']}"
    return _render(request, title, sections, links, words["channel"], found["project"])


def _name_file(file: Mapping[str, Any]) -> dict[str, str]:
    subdir, _, name = file["file"].rpartition("/")
    return {"file": name, **({"subdir": subdir} if subdir else {})}


def show_user(request: Request) -> Response:
    """Show a user or an organisation to its administrators."""
    actor = find_person(request)
    if actor is None:
        return redirect_to_sign_in(request)
    name = request.path_params["user"]
    path = f"{MANAGE}/users/{quote(name)}"
    return _show_user(request, actor, name, path)


def show_account(request: Request) -> Response:
    """Show one's own account: tokens, sessions, sign-in."""
    actor = find_person(request)
    if actor is None or actor.user is None:
        return redirect_to_sign_in(request)
    return _show_user(request, actor, actor.user.name, "/-/account")


def _show_user(request: Request, actor: Actor, name: str, path: str) -> Response:
    registry = get_registry(request)
    is_own = actor.user is not None and actor.user.name == name
    user: User = actor.user if is_own and actor.user else accounts.get_user(registry, name)
    is_organisation = user.kind == "organisation"
    listed, word = (ORGANISATION, "organisation") if is_organisation else (USER, "user")
    sections = _fill(request, actor, listed, {word: name}, path)
    if not sections:
        raise Refused("forbidden", f"'{actor.name}' may not see this account", status=403)
    links = [Link("Public page", f"/-/users/{quote(name)}")]
    links += [Link("Second factor", "/-/account/second-factor")] if is_own else []
    title = "Your account" if is_own and path == "/-/account" else f"Manage {name}"
    return _render(request, title, sections, links)


#: Entries of the audit log on a page.
LOG_PAGE = 100


def show_log(request: Request) -> Response:
    """Show the audit log, of a channel or of all, with filters."""
    actor = find_person(request)
    if actor is None:
        return redirect_to_sign_in(request)
    channel = request.path_params.get("channel", "")
    endpoint = LISTS["channel-log" if channel else "log"]
    names = ("actor", "action") if channel else ("actor", "action", "channel")
    filters = {name: request.query_params.get(name, "").strip()[:100] for name in names}
    after = request.query_params.get("after", "0")
    words: dict[str, Any] = {name: value for name, value in filters.items() if value}
    words |= {"channel": channel} if channel else {}
    words |= {"limit": LOG_PAGE, "after": int(after) if _is_id(after) else 0}
    entries = run_endpoint(request, actor, endpoint, words)
    more = entries[-1]["id"] if len(entries) == LOG_PAGE else 0
    kept = {name: value for name, value in filters.items() if value}
    return render_form(
        request,
        "manage/log.html",
        title=f"Audit log of {channel}" if channel else "Audit log",
        channel=channel,
        filters=filters,
        entries=entries,
        more=f"?{urlencode({**kept, 'after': more})}" if more else "",
    )


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


def _fill(
    request: Request,
    actor: Actor,
    sections: Sequence[Section],
    words: Mapping[str, Any],
    back: str,
) -> list[FilledSection]:
    filled = [fill_section(request, actor, one, words, back) for one in sections]
    return [one for one in filled if one is not None]


def _render(
    request: Request,
    title: str,
    sections: Sequence[FilledSection],
    links: Sequence[Link],
    channel: str = "",
    project: Mapping[str, Any] | None = None,
) -> Response:
    done = ACTS.get(request.query_params.get("done", ""))
    issuer = request.app.state.settings.issuer
    is_account = request.url.path.endswith("/-/account")
    return render_form(
        request,
        "manage/sections.html",
        issuer=issuer.name if issuer is not None and is_account else "",
        title=title,
        sections=sections,
        links=links,
        channel=channel,
        project=project,
        done=make_title(done) if done is not None else "",
    )


routes = [
    Route("/-/account", show_account, methods=["GET"]),
    Route(MANAGE, show_overview, methods=["GET"]),
    Route(f"{MANAGE}/state", show_state, methods=["GET"]),
    Route(f"{MANAGE}/log", show_log, methods=["GET"]),
    Route(f"{MANAGE}/users/{{user}}", show_user, methods=["GET"]),
    Route(f"{MANAGE}/channels/{{channel}}", show_channel, methods=["GET"]),
    Route(f"{MANAGE}/channels/{{channel}}/log", show_log, methods=["GET"]),
    Route(f"{MANAGE}/channels/{{channel}}/labels/{{label}}", show_label, methods=["GET"]),
    Route(f"{MANAGE}/channels/{{channel}}/projects/{{project}}", show_project, methods=["GET"]),
    Route(f"{MANAGE}/act/{{name}}", show_act, methods=["GET"]),
    Route(
        f"{MANAGE}/act/{{name}}",
        with_form(perform_act, run_password_check, show_again),
        methods=["POST"],
    ),
]
