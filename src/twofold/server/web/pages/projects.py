"""The page of a project, and one for each of its releases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.names.version_order import find_versions
from twofold.server.context import Registry, not_found
from twofold.server.model import Actor, Channel, Project, View
from twofold.server.pages import conda_pages
from twofold.server.pages.description_html import find_images, replace_images
from twofold.server.pages.description_renderer import render_release
from twofold.server.pages.release_facts import (
    Dependency,
    ReleaseFacts,
    find_common,
    read_conda_facts,
    read_python_facts,
)
from twofold.server.proxy import listings
from twofold.server.proxy.images import can_be_fetched
from twofold.server.proxy.listings import RemoteListing
from twofold.server.registry import queries
from twofold.server.registry.browsing import people, releases
from twofold.server.registry.browsing.releases import LinkedNames, Release
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.pages import release_view
from twofold.server.web.pages.install_lines import Address, Wanted, write_lines
from twofold.server.web.pages.render import render
from twofold.server.web.pages.text_formats import format_date, format_size
from twofold.server.web.proxy_threads import in_proxy_threads

#: Maximum number of an upstream's files on a project's page.
MAX_REMOTE = 100

#: The releases of a history that are open when the page is.
MAX_RELEASES = 12

#: What conda provides itself: packages that no channel holds.
_VIRTUAL = frozenset(str.split("__glibc __musl __osx __unix __win __linux __cuda __archspec"))

#: What an environment of conda has before anything is installed into it.
_PYTHON = frozenset({"python", "python_abi"})


def show_project(request: Request) -> Response:
    """Show a project by its newest release that can be installed."""
    return _show(request, None)


def show_release(request: Request) -> Response:
    """Show one release of a project."""
    return _show(request, request.path_params["version"])


def _show(request: Request, version: str | None) -> Response:
    registry, path, actor = get_registry(request), request.path_params, authenticate(request)
    channel = queries.get_channel(registry, actor, path["channel"])
    remote, upstream = listings.list_remote(registry, View(actor, channel.name), path["name"])
    project = _find_project(registry, actor, channel, path["name"], is_upstream=bool(remote))
    history = releases.list_history(registry, project) if isinstance(project, Project) else []
    newest = releases.choose_newest(history)
    named = find_versions([one.version for one in history], version or "")
    shown = (
        newest if version is None else next((one for one in history if one.version in named), None)
    )
    if version is not None and shown is None:
        raise not_found(f"release {version[:100]} of '{path['name'][:100]}' in '{channel.name}'")
    home = request.base_url.path.rstrip("/")
    base = f"{home}/{channel.name}"
    url = f"{str(request.base_url).rstrip('/')}/{channel.name}"
    address = Address(url, channel.name, channel.public)
    values = {
        "channel": channel,
        "base": base,
        "address": address,
        "project": project,
        "history": history,
        "newest": newest,
        "release": shown,
        "is_pinned": version is not None,
        "max_releases": MAX_RELEASES,
        "remote": [_describe_remote(one) for one in remote[:MAX_REMOTE]],
        "more_remote": len(remote) > MAX_REMOTE,
        "remote_kinds": {"conda" if one.subdir else "pip" for one in remote},
        "remote_version": remote[0].version if remote else "",
        "upstream": upstream,
        "format_date": format_date,
        "format_size": format_size,
    }
    if isinstance(project, Project) and shown is not None:
        page = _Page(registry, channel, project, shown, (address, base))
        values |= page.describe(actor, is_pinned=version is not None)
    else:
        has_python = any(not one.subdir for one in remote)
        pip_name = str(getattr(project, "key", "") or normalize_name(path["name"]))
        wanted = Wanted(pip_name if has_python else "", "" if has_python else path["name"])
        values |= {**_NOTHING, "lines": write_lines(address, wanted) if remote else {}}
    return render(request, "project.html", values, public=channel.public)


#: What a page shows of a project without a stored release.
_NOTHING: dict[str, Any] = {
    "facts": ReleaseFacts(),
    "description": Markup(),
    "groups": [],
    "builds": [],
    "requires": [],
    "extras": [],
    "common": [],
    "provenance": [],
    "dependents": [],
    "dependent_count": 0,
    "labels": [],
    "platforms": [],
    "uploaders": [],
    "maintainers": None,
    "remarks": [],
    "has_wheel": False,
}


def _find_project(
    registry: Registry, actor: Actor, channel: Channel, name: str, is_upstream: bool
) -> Project | dict[str, str]:
    """Return the project, or what is known of one that only the upstream has. Raises Refused."""
    try:
        return queries.get_project(registry, actor, channel.name, name)
    except Refused:
        if not is_upstream:
            raise
    key = normalize_name(name)
    return {"name": key, "key": key, "status": "active", "summary": "", "conda_name": ""}


def _describe_remote(one: RemoteListing) -> dict[str, Any]:
    return {
        "name": f"{one.subdir}/{one.filename}" if one.subdir else one.filename,
        "url": one.url,
        "size": format_size(one.size) if one.size is not None else "",
        "at": one.uploaded,
        "yanked": one.yanked,
        "refused": one.refused,
    }


class _Page:
    """One release of a stored project, and the values of its page."""

    def __init__(
        self,
        registry: Registry,
        channel: Channel,
        project: Project,
        release: Release,
        place: tuple[Address, str],
    ) -> None:
        self.registry, self.channel = registry, channel
        self.project, self.release = project, release
        self.address, self.base = place
        self.files = releases.list_files(registry, project, release.version)
        self.packages = [file for file in self.files if file.kind.is_conda]
        self.python = [file for file in self.files if not file.kind.is_conda]
        self.builds = release_view.read_builds(self.files)

    def describe(self, actor: Actor, is_pinned: bool) -> dict[str, Any]:
        """Return the values that depend on the release."""
        facts, description = self._read_facts()
        linked = self._find_linked(facts)
        requires = release_view.link_dependencies(facts.requires, linked, self.base, False)
        extras = [
            (name, release_view.link_dependencies(found, linked, self.base, False))
            for name, found in facts.extras
        ]
        builds = self._describe_builds(linked)
        missing = conda_pages.explain_missing_v3_records(self.registry, self.channel, self.files)
        found = people.find_uploaders(self.registry, actor, self.channel, self.files)
        uploaders = {key: release_view.describe_uploader(one) for key, one in found.items()}
        notes = release_view.FileNotes(uploaders, missing)
        key = self.project.key
        dependents, count = releases.find_dependents(self.registry, self.channel, self.project)
        alone = not linked.conda_upstream
        outside = (
            bool(self.python) and release_view.is_outside(requires),
            alone and release_view.is_outside(builds["every"], _VIRTUAL | _PYTHON),
            alone and release_view.is_outside(builds["every"], _VIRTUAL),
        )
        return {
            "facts": facts,
            "description": description,
            "requires": requires if self.python else [],
            "extras": extras,
            "common": builds["common"],
            "builds": builds["builds"],
            "groups": release_view.group_files(self.files, self.base, key, notes),
            "dependents": dependents,
            "dependent_count": count,
            "provenance": release_view.read_provenance(self.files),
            "labels": sorted({label for file in self.packages for label in file.labels}),
            "platforms": sorted({file.subdir for file in self.packages}),
            "uploaders": list(dict.fromkeys(uploaders[file.id] for file in self.files)),
            "maintainers": people.list_maintainers(self.registry, self.channel),
            "remarks": [file.remark for file in reversed(self.files) if file.remark],
            "has_wheel": bool(self.python),
            "lines": write_lines(self.address, self._choose_wanted(is_pinned, outside)),
        }

    def _read_facts(self) -> tuple[ReleaseFacts, Markup]:
        """Return the release's facts, of the PyPI side where it has one, and its description."""
        renderer = self.registry.description_renderer
        html = render_release(self.registry.database, renderer, self.files)
        source = release_view.find_source(self.files)
        if source is None:
            return ReleaseFacts(), Markup()
        read = read_conda_facts if source.kind.is_conda else read_python_facts
        return read(source.metadata, source.about or ""), self._place_images(html)

    def _place_images(self, html: Markup) -> Markup:
        """Let images come through the registry where the channel's rule says so."""
        if self.channel.settings.get("images") != "proxied":
            return Markup(replace_images(html))
        own = f"{self.base}/project/{self.project.key}/{quote(self.release.version, safe='')}"
        addresses = [
            f"{own}/-/images/{place}" if can_be_fetched(url) else ""
            for place, url in enumerate(find_images(html))
        ]
        return Markup(replace_images(html, addresses))

    def _find_linked(self, facts: ReleaseFacts) -> LinkedNames:
        names = {one.key for one in facts.requires}
        names |= {one.key for _, found in facts.extras for one in found}
        names |= {one.name for build in self.builds for one in build.depends}
        subdirs = {build.file.subdir for build in self.builds}
        if subdirs:
            subdirs.add("noarch")
        return releases.find_linked(self.registry, self.channel, names - {""}, subdirs)

    def _describe_builds(self, linked: LinkedNames) -> dict[str, Any]:
        """Return what all conda packages depend on, and each of them beside that."""

        def link(found: Sequence[Dependency]) -> list[release_view.LinkedDependency]:
            return release_view.link_dependencies(found, linked, self.base, True)

        common = find_common(self.builds)
        rest = [
            (build, link([one for one in build.depends if one not in common]))
            for build in self.builds
        ]
        every = [*link(common), *(one for _, found in rest for one in found)]
        return {"common": link(common), "builds": rest, "every": every}

    def _choose_wanted(self, is_pinned: bool, outside: tuple[bool, bool, bool]) -> Wanted:
        """Return what the commands install: only what clients find in this channel."""
        listed = [file for file in self.packages if file.yanked is None and file.labels]
        labels = {label for file in listed for label in file.labels}
        label = "main" if "main" in labels or not labels else sorted(labels)[0]
        is_served = self.project.status != "quarantined"
        conda_name = listed[0].name if listed and is_served else ""
        pip_name = self.project.key if self.python and is_served else ""
        return Wanted(
            pip_name,
            conda_name,
            self.release.version if is_pinned or self.release.yanked is not None else "",
            label,
            self.release.is_pre,
            *outside,
        )


routes = in_proxy_threads(
    [
        Route("/{channel}/project/{name}", show_project),
        Route("/{channel}/project/{name}/", show_project),
        Route("/{channel}/project/{name}/{version}", show_release),
        Route("/{channel}/project/{name}/{version}/", show_release),
    ]
)
