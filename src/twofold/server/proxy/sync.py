"""Mirror sync: fetches projects with their dependencies and keeps them current.

With a resolver (`server.resolver`: uv) its solution is fetched. Without one, or if it finds none,
the newest release that matches the requirements collected so far is fetched for each project, and
another one when later requirements exclude it. Fetched files are never removed: a channel may hold
more than one solution needs, and the solvers of pip and conda choose among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from twofold.artifact import Kind
from twofold.errors import Refused, SubprocessFailed, Unreachable, UsageError
from twofold.names import normalize_name
from twofold.names.platforms import make_marker_environment, to_wheel_platform_tags
from twofold.server.admission.names import is_private
from twofold.server.context import Registry
from twofold.server.model import Action, Actor, Channel, StoredFile
from twofold.server.proxy import config, metadata_cache
from twofold.server.proxy.fetch import FileRequest, fetch_missing, find_refusals
from twofold.server.store import audit, channels, files
from twofold.server.store.upstreams import Upstream


@dataclass
class SyncResult:
    """Result of a sync: file names fetched and already present, and missing projects."""

    fetched: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)  # project -> why


@dataclass(frozen=True)
class _Candidate:
    version: Version
    rank: int
    filename: str
    sha256: str


@dataclass
class _Requested:
    """Requirements on one project collected so far."""

    specifier: SpecifierSet = field(default_factory=SpecifierSet)
    extras: set[str] = field(default_factory=set)
    chosen: _Candidate | None = None


#: The platforms that projects can be synced for.
PLATFORMS = ("linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64")
#: The newest macOS whose wheels match: that of 2024.
_MACOS = (14, 0)


@dataclass(frozen=True)
class TargetEnvironment:
    """A Python version (X.Y) and a conda platform. Raises UsageError for others."""

    python: str
    platform: str

    def __post_init__(self) -> None:
        major, _, minor = self.python.partition(".")
        if major != "3" or not minor.isdigit():
            raise UsageError(f"'{self.python}' is not a Python version", "write it as 3.12")
        if self.platform not in PLATFORMS:
            known = ", ".join(PLATFORMS)
            raise UsageError(f"'{self.platform}' is not a known platform", f"one of: {known}")

    def marker_environment(self) -> dict[str, str]:
        """Return the environment for evaluating markers (PEP 508)."""
        return make_marker_environment(self.platform, f"{self.python}.0")

    def wheel_tags(self) -> dict[Tag, int]:
        """Return the tags of compatible wheels -> their rank, best first."""
        version = (3, int(self.python.partition(".")[2]))
        platforms = self._platforms()
        found = [*cpython_tags(version, platforms=platforms)]
        found += compatible_tags(version, f"cp3{version[1]}", platforms)
        return {tag: rank for rank, tag in enumerate(dict.fromkeys(found))}

    def _platforms(self) -> list[str]:
        system, _, machine = self.platform.partition("-")
        if system == "osx":
            return list(mac_platforms(_MACOS, "arm64" if machine == "arm64" else "x86_64"))
        return to_wheel_platform_tags(self.platform)


Resolve = Callable[[str, Sequence[str], TargetEnvironment], dict[str, str]]


def sync_projects(
    registry: Registry,
    actor: Actor,
    channel: str,
    names: Iterable[str],
    target: TargetEnvironment,
    resolve: Resolve | None = None,
) -> SyncResult:
    """Fetch these requirements with their dependencies, and record them for `resync`."""
    wanted = sorted({str(_parse_requirement(name)) for name in names})
    entry = {"names": wanted, "python": target.python, "platform": target.platform}
    with registry.transaction(actor, channel, Action.ADMIN) as change:
        settings = dict(change.channel.settings)
        if entry not in settings.get("follows", []):
            settings["follows"] = [*settings.get("follows", []), entry]
            channels.update_channel(change.db, change.channel.id, settings=settings)
            change.audit(
                "follow", ", ".join(wanted), python=target.python, platform=target.platform
            )
    return _sync_target(_SyncRun(registry, actor, channel, target), wanted, resolve)


def _sync_target(run: _SyncRun, names: Sequence[str], resolve: Resolve | None) -> SyncResult:
    if resolve is None:
        return run.sync(names)
    try:
        solution = resolve(run.channel.name, names, run.target)
    except SubprocessFailed as error:
        done = run.sync(names)
        if not done.missing:
            done.missing[", ".join(names)] = error.problems[0].message
        return done
    return run.sync_solution(solution)


def resync(
    registry: Registry, actor: Actor, channel: str, resolve: Resolve | None = None
) -> SyncResult:
    """Fetch newer releases of everything recorded for the channel."""
    with registry.database.read() as db:
        found = channels.find_channel(db, channel)
    if found is None:
        raise Refused("no-channel", f"There is no channel '{channel[:100]}'", status=404)
    done = SyncResult()
    for entry in found.settings.get("follows", []):
        target = TargetEnvironment(entry["python"], entry["platform"])
        one = _sync_target(_SyncRun(registry, actor, channel, target), entry["names"], resolve)
        done.fetched += one.fetched
        done.present += [name for name in one.present if name not in done.present]
        done.missing |= one.missing
    with registry.database.write() as db:
        detail = {"brought": len(done.fetched), "missing": sorted(done.missing)}
        change = audit.AuditEntry(registry.clock(), actor.name, "refollow", channel, "", detail)
        audit.add_entry(db, change)
    return done


def _parse_requirement(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        message = f"{text[:100]!a} is not a valid requirement: {error}"
        raise Refused("invalid-requirement", message) from None


class _SyncRun:
    """One sync for one target, from the channel's files and its upstream's."""

    def __init__(
        self, registry: Registry, actor: Actor, channel: str, target: TargetEnvironment
    ) -> None:
        self.registry, self.actor, self.target = registry, actor, target
        with registry.database.read() as db:
            found = channels.find_channel(db, channel)
        assert found is not None
        self.channel: Channel = found
        self.upstream: Upstream = config.upstream_for(registry, channel, metadata_cache.PYPI)
        self.markers: Mapping[str, str] = target.marker_environment()
        self.tags: Mapping[Tag, int] = target.wheel_tags()
        self.requested: dict[str, _Requested] = {}
        self.result = SyncResult()
        with registry.database.read() as db:
            own = files.list_filenames(db, found.id, "")
        self.before = own  # a resolver's questions may fetch wheels before we do

    def sync(self, names: Iterable[str]) -> SyncResult:
        queue = [(_parse_requirement(name), "") for name in names]
        while queue:
            requirement, extra = queue.pop(0)
            if self._applies(requirement, extra):
                queue += self._choose(requirement)
        return self.result

    def sync_solution(self, versions: Mapping[str, str]) -> SyncResult:
        """Fetch exactly these releases."""
        for key, version in sorted(versions.items()):
            self._fetch_newest(key, _Requested(SpecifierSet(f"=={version}")))
        return self.result

    def _applies(self, requirement: Requirement, extra: str) -> bool:
        marker = requirement.marker
        return marker is None or marker.evaluate({**self.markers, "extra": extra})

    def _choose(self, requirement: Requirement) -> list[tuple[Requirement, str]]:
        """Choose and fetch a release; return its requirements, each with the requesting extra."""
        key = normalize_name(requirement.name)
        wish = self.requested.setdefault(key, _Requested())
        new_extras = requirement.extras - wish.extras
        wish.specifier &= requirement.specifier
        wish.extras |= requirement.extras
        chosen = wish.chosen
        if chosen and not new_extras and wish.specifier.contains(chosen.version, prereleases=True):
            return []
        if key in self.result.missing:
            return []
        file = self._fetch_newest(key, wish)
        if file is None:
            return []
        asked = [Requirement(text) for text in file.depends]
        extras = sorted(wish.extras) or [""]
        return [(one, extra) for one in asked for extra in extras]

    def _fetch_newest(self, key: str, requested: _Requested) -> StoredFile | None:
        """Fetch and return the best matching file; None with a reason in `missing`."""
        try:
            fitting = [
                one
                for one in self._find_candidates(key)
                if requested.specifier.contains(one.version, prereleases=None)
            ]
            if not fitting:
                self.result.missing[key] = self._describe_missing(key, requested)
                return None
            best = max(fitting, key=lambda one: (one.version, -one.rank))
            requested.chosen = best
            wanted = FileRequest(self.channel.name, "", best.filename, best.sha256)
            fetch_missing(self.registry, self.actor, wanted)
        except (Unreachable, Refused) as error:
            self.result.missing[key] = error.problems[0].message
            return None
        is_new = best.filename not in self.before
        (self.result.fetched if is_new else self.result.present).append(best.filename)
        with self.registry.database.read() as db:
            return files.find_file(db, self.channel.id, "", best.filename)

    def _describe_missing(self, key: str, requested: _Requested) -> str:
        asked = f" {requested.specifier}" if str(requested.specifier) else ""
        with self.registry.database.read() as db:
            private = is_private(db, self.channel, self.upstream, key)
        remote = (
            []
            if private
            else metadata_cache.cached_project_files(
                self.registry, self.channel, self.upstream, key
            )
        )
        sdists = any(remote_file.filename.endswith(".tar.gz") for remote_file in remote)
        only = "; there are only sdists, which are not built here" if sdists else ""
        return f"no wheel of {key}{asked} matches this target{only}"

    def _find_candidates(self, key: str) -> list[_Candidate]:
        """Find wheels for the target: stored, and the upstream's unless the name is private."""
        found: dict[str, _Candidate] = {}
        with self.registry.database.read() as db:
            private = is_private(db, self.channel, self.upstream, key)
            project = channels.find_project(db, self.channel.id, key)
            own = files.list_project_files(db, project.id) if project else []
            refused = find_refusals(db, self.channel, key)
        for file in own:
            if file.kind is Kind.WHEEL and file.yanked is None:
                self._add(found, file.filename, file.sha256, file.requires_python)
        if not private:
            for remote_file in metadata_cache.cached_project_files(
                self.registry, self.channel, self.upstream, key
            ):
                if not remote_file.entry.get("yanked") and remote_file.filename not in refused:
                    requires = remote_file.entry.get("requires-python")
                    self._add(found, remote_file.filename, remote_file.sha256, requires)
        return list(found.values())

    def _add(
        self, found: dict[str, _Candidate], filename: str, sha256: str, requires: str | None
    ) -> None:
        if not filename.endswith(".whl"):
            return
        try:
            _, version, _, tags = parse_wheel_filename(filename)
            fits = not requires or SpecifierSet(requires).contains(
                self.markers["python_full_version"]
            )
        except (InvalidWheelFilename, InvalidSpecifier):
            return
        ranks = [self.tags[tag] for tag in tags if tag in self.tags]
        if fits and ranks and filename not in found:
            found[filename] = _Candidate(version, min(ranks), filename, sha256)
