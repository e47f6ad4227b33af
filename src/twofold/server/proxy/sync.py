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
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from twofold.artifact import Kind
from twofold.convert.marker_evaluation import parse_marker
from twofold.errors import Refused, SubprocessFailed, Unreachable
from twofold.names import normalize_name
from twofold.names.platforms import Target
from twofold.server.context import Registry
from twofold.server.model import Action, Actor, Channel
from twofold.server.proxy import config, metadata_cache
from twofold.server.proxy.fetch import (
    FileRequest,
    fetch_missing,
    find_refusals,
)
from twofold.server.store import audit, channels, files


@dataclass
class SyncResult:
    """Result of a sync: file names fetched and already present, and missing projects."""

    fetched: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)  # project -> why


@dataclass(frozen=True)
class Candidate:
    """A wheel that fits the target; `rank` is that of its best tag, 0 the best."""

    version: Version
    rank: int
    filename: str
    sha256: str


@dataclass
class RequestedProject:
    """Requirements on one project collected so far."""

    specifier: SpecifierSet = field(default_factory=SpecifierSet)
    extras: set[str] = field(default_factory=set)
    chosen: Candidate | None = None


Resolve = Callable[[str, Sequence[str], Target], dict[str, str]]


def sync_projects(
    registry: Registry,
    actor: Actor,
    channel: str,
    names: Iterable[str],
    target: Target,
    resolve: Resolve | None = None,
) -> SyncResult:
    """Fetch these requirements with their dependencies, and record them for `resync`."""
    wanted = sorted({str(parse_requirement(name)) for name in names})
    entry = {"names": wanted, "python": target.python, "platform": target.platform}
    with registry.transaction(actor, channel, Action.ADMIN) as change:
        settings = dict(change.channel.settings)
        if entry not in settings.get("follows", []):
            settings["follows"] = [*settings.get("follows", []), entry]
            channels.update_channel(change.db, change.channel.id, settings=settings)
            change.audit(
                "follow", ", ".join(wanted), python=target.python, platform=target.platform
            )
    return _sync_target(SyncRun(registry, actor, channel, target), wanted, resolve)


def _sync_target(run: SyncRun, names: Sequence[str], resolve: Resolve | None) -> SyncResult:
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
        target = Target.parse(entry["python"], entry["platform"])
        one = _sync_target(SyncRun(registry, actor, channel, target), entry["names"], resolve)
        done.fetched += one.fetched
        done.present += [name for name in one.present if name not in done.present]
        done.missing |= one.missing
    with registry.database.write() as db:
        detail = {"brought": len(done.fetched), "missing": sorted(done.missing)}
        change = audit.AuditEntry(registry.clock(), actor.name, "refollow", channel, "", detail)
        audit.add_entry(db, change)
    return done


def parse_requirement(text: str) -> Requirement:
    """Parse a requirement (PEP 508). Raises Refused."""
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        message = f"{text[:100]!a} is not a valid requirement: {error}"
        raise Refused("invalid-requirement", message) from None


class SyncRun:
    """One sync for one target, from the channel's files and its upstream's."""

    def __init__(self, registry: Registry, actor: Actor, channel: str, target: Target) -> None:
        self.registry, self.actor, self.target = registry, actor, target
        with registry.database.read() as db:
            found = channels.find_channel(db, channel)
        assert found is not None
        self.channel: Channel = found
        config.require_upstreams(registry, channel, metadata_cache.PYPI)
        self.markers: Mapping[str, str] = target.make_marker_environment()
        self.tags: Mapping[Tag, int] = target.rank_wheel_tags()
        self.requested: dict[str, RequestedProject] = {}
        self.result = SyncResult()
        with registry.database.read() as db:
            own = files.list_filenames(db, found.id, "")
        self.before = own  # a resolver's questions may fetch wheels before we do

    def sync(self, names: Iterable[str]) -> SyncResult:
        """Fetch the newest releases that fit, project by project."""
        queue = [(parse_requirement(name), "") for name in names]
        while queue:
            requirement, extra = queue.pop(0)
            if self.applies(requirement, extra):
                queue += self.choose(requirement)
        return self.result

    def sync_solution(self, versions: Mapping[str, str]) -> SyncResult:
        """Fetch exactly these releases."""
        for key, version in sorted(versions.items()):
            self._fetch_newest(key, RequestedProject(SpecifierSet(f"=={version}")))
        return self.result

    def applies(self, requirement: Requirement, extra: str) -> bool:
        """Whether a requirement holds for the target, with an extra of its project."""
        marker = requirement.marker
        return marker is None or parse_marker(marker).holds(self.markers, extra)

    def choose(
        self,
        requirement: Requirement,
        take: Callable[[str, RequestedProject], Sequence[str] | None] | None = None,
    ) -> list[tuple[Requirement, str]]:
        """Choose and take a release; return its requirements, each with the requesting extra.

        `take` returns what the chosen file requires; by default it is fetched.
        """
        key = normalize_name(requirement.name)
        wish = self.requested.setdefault(key, RequestedProject())
        new_extras = requirement.extras - wish.extras
        wish.specifier &= requirement.specifier
        wish.extras |= requirement.extras
        chosen = wish.chosen
        if chosen and not new_extras and wish.specifier.contains(chosen.version, prereleases=True):
            return []
        if key in self.result.missing:
            return []
        required = (take or self._fetch_newest)(key, wish)
        if required is None:
            return []
        asked = [Requirement(text) for text in required]
        extras = sorted(wish.extras) or [""]
        return [(one, extra) for one in asked for extra in extras]

    def _fetch_newest(self, key: str, requested: RequestedProject) -> Sequence[str] | None:
        """Fetch the best matching file; return its requirements, or None when it is missing."""
        best = self.pick(key, requested)
        return self.fetch(key, best) if best is not None else None

    def fetch(self, key: str, chosen: Candidate) -> Sequence[str] | None:
        """Fetch a file; return its requirements, or None with a reason in `missing`."""
        wanted = FileRequest(self.channel.name, "", chosen.filename, chosen.sha256)
        try:
            fetch_missing(self.registry, self.actor, wanted)
        except (Unreachable, Refused) as error:
            self.result.missing[key] = error.problems[0].message
            return None
        is_new = chosen.filename not in self.before
        (self.result.fetched if is_new else self.result.present).append(chosen.filename)
        return self.read_stored(chosen)

    def read_stored(self, chosen: Candidate) -> Sequence[str] | None:
        """Return what a file requires; None when it is not stored."""
        with self.registry.database.read() as db:
            file = files.find_file(db, self.channel.id, "", chosen.filename)
        return file.depends if file is not None else None

    def pick(self, key: str, requested: RequestedProject) -> Candidate | None:
        """Return the best matching file; None with a reason in `missing`."""
        requested.chosen = None
        try:
            best = self.find_best(key, requested.specifier)
            if best is None:
                self.result.missing[key] = self._describe_missing(key, requested)
        except (Unreachable, Refused) as error:
            self.result.missing[key] = error.problems[0].message
            return None
        requested.chosen = best
        return best

    def find_best(self, key: str, specifier: SpecifierSet) -> Candidate | None:
        """Return the best file of a project that fits. Raises Unreachable, Refused."""
        candidates = self._find_candidates(key)
        # Pre-releases only where they are asked for, or nothing else fits (PEP 440).
        newest = max(specifier.filter({one.version for one in candidates}), default=None)
        fitting = (one for one in candidates if one.version == newest)
        return min(fitting, key=lambda one: one.rank, default=None)

    def _describe_missing(self, key: str, requested: RequestedProject) -> str:
        asked = f" {requested.specifier}" if str(requested.specifier) else ""
        remote, upstream = metadata_cache.find_project(self.registry, self.channel, key)
        sdists = any(file.filename.endswith((".tar.gz", ".zip")) for file in remote.files)
        wheels = [file.filename for file in remote.files if file.filename.endswith(".whl")]
        if upstream is not None and wheels:
            place = (self.registry, self.channel, upstream, key)
            refused = find_refusals(*place, remote.files)
            if reason := next((refused[name] for name in wheels if name in refused), None):
                return f"no wheel of {key}{asked} is served for this target: {reason}"
        only = "; there are only sdists, which are not built here" if sdists and not wheels else ""
        return f"no wheel of {key}{asked} matches this target{only}"

    def _find_candidates(self, key: str) -> list[Candidate]:
        """Find wheels for the target: stored, and the upstream's unless the name is private."""
        found: dict[str, Candidate] = {}
        with self.registry.database.read() as db:
            project = channels.find_project(db, self.channel.id, key)
            own = files.list_project_files(db, project.id) if project else []
        for file in own:
            if file.kind is Kind.WHEEL and file.yanked is None:
                self._add(found, file.filename, file.sha256, file.requires_python)
        remote, upstream = metadata_cache.find_project(self.registry, self.channel, key)
        if upstream is not None:
            place = (self.registry, self.channel, upstream, key)
            refused = find_refusals(*place, remote.files)
            for remote_file in remote.files:
                if not remote_file.entry.get("yanked") and remote_file.filename not in refused:
                    requires = remote_file.entry.get("requires-python")
                    self._add(found, remote_file.filename, remote_file.sha256, requires)
        return list(found.values())

    def _add(
        self, found: dict[str, Candidate], filename: str, sha256: str, requires: str | None
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
            found[filename] = Candidate(version, min(ranks), filename, sha256)
