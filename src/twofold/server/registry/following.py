"""Follow projects: bring them, with all they need, from the upstream, and keep them current.

With a resolver (`server.resolving`: uv) its solution is brought. Without one, or where it finds
none, the closure is found by taking the newest release that fits whatever is asked of a project so
far, and another one when more is asked of it later. Nothing is given back once it is here: a
channel may hold more than one solution needs, and the solvers of pip and conda choose among it.
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
from twofold.errors import Refused, ToolFailed, Unreachable
from twofold.names import normalised
from twofold.server.model import Action, Actor, Channel, Stored
from twofold.server.registry import Registry, hearing, upstreaming
from twofold.server.registry.bringing import Wanted, bring
from twofold.server.registry.privacy import is_private
from twofold.server.store import audit, channels, files
from twofold.server.store.upstreams import Upstream
from twofold.server.upstreams.targets import Target


@dataclass
class Followed:
    """What a round of following did: file names brought and found here, and what is missing."""

    brought: list[str] = field(default_factory=list)
    here: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)  # project -> why


@dataclass(frozen=True)
class _Candidate:
    version: Version
    rank: int
    filename: str
    sha256: str


@dataclass
class _Wish:
    """What is asked of one project."""

    specifier: SpecifierSet = field(default_factory=SpecifierSet)
    extras: set[str] = field(default_factory=set)
    chosen: _Candidate | None = None


Resolve = Callable[[str, Sequence[str], Target], dict[str, str]]


def follow(
    registry: Registry,
    actor: Actor,
    channel: str,
    names: Iterable[str],
    target: Target,
    resolve: Resolve | None = None,
) -> Followed:
    """Bring these requirements and their closure, and remember to do so again (`refollow`)."""
    wanted = sorted({str(_requirement(name)) for name in names})
    entry = {"names": wanted, "python": target.python, "platform": target.platform}
    with registry.changing(actor, channel, Action.ADMIN) as change:
        settings = dict(change.channel.settings)
        if entry not in settings.get("follows", []):
            settings["follows"] = [*settings.get("follows", []), entry]
            channels.change_channel(change.db, change.channel.id, settings=settings)
            change.note("follow", ", ".join(wanted), python=target.python, platform=target.platform)
    return _bring(_Round(registry, actor, channel, target), wanted, resolve)


def _bring(one: _Round, names: Sequence[str], resolve: Resolve | None) -> Followed:
    if resolve is None:
        return one.bring(names)
    try:
        solution = resolve(one.channel.name, names, one.target)
    except ToolFailed as error:
        done = one.bring(names)
        if not done.missing:
            done.missing[", ".join(names)] = error.problems[0].message
        return done
    return one.bring_solution(solution)


def refollow(
    registry: Registry, actor: Actor, channel: str, resolve: Resolve | None = None
) -> Followed:
    """Bring what has become newer of everything that the channel follows."""
    with registry.database.read() as db:
        found = channels.channel_named(db, channel)
    if found is None:
        raise Refused("no-channel", f"There is no channel '{channel[:100]}'", status=404)
    done = Followed()
    for entry in found.settings.get("follows", []):
        target = Target(entry["python"], entry["platform"])
        one = _bring(_Round(registry, actor, channel, target), entry["names"], resolve)
        done.brought += one.brought
        done.here += [name for name in one.here if name not in done.here]
        done.missing |= one.missing
    with registry.database.write() as db:
        detail = {"brought": len(done.brought), "missing": sorted(done.missing)}
        change = audit.Change(registry.clock(), actor.name, "refollow", channel, "", detail)
        audit.note_change(db, change)
    return done


def _requirement(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise Refused("invalid-requirement", f"{text[:100]!a} is no requirement: {error}") from None


class _Round:
    """One closure for one target, from the channel's own files and its upstream's offers."""

    def __init__(self, registry: Registry, actor: Actor, channel: str, target: Target) -> None:
        self.registry, self.actor, self.target = registry, actor, target
        with registry.database.read() as db:
            found = channels.channel_named(db, channel)
        assert found is not None
        self.channel: Channel = found
        self.upstream: Upstream = upstreaming.of(registry, channel, hearing.PYPI)
        self.markers: Mapping[str, str] = target.markers()
        self.tags: Mapping[Tag, int] = target.tags()
        self.wishes: dict[str, _Wish] = {}
        self.done = Followed()

    def bring(self, names: Iterable[str]) -> Followed:
        queue = [(_requirement(name), "") for name in names]
        while queue:
            requirement, extra = queue.pop(0)
            if self._applies(requirement, extra):
                queue += self._take(requirement)
        return self.done

    def bring_solution(self, versions: Mapping[str, str]) -> Followed:
        """Exactly these releases."""
        for key, version in sorted(versions.items()):
            self._newest(key, _Wish(SpecifierSet(f"=={version}")))
        return self.done

    def _applies(self, requirement: Requirement, extra: str) -> bool:
        marker = requirement.marker
        return marker is None or marker.evaluate({**self.markers, "extra": extra})

    def _take(self, requirement: Requirement) -> list[tuple[Requirement, str]]:
        """Choose and bring a release; what it asks for in turn, with the extra that asks."""
        key = normalised(requirement.name)
        wish = self.wishes.setdefault(key, _Wish())
        new_extras = requirement.extras - wish.extras
        wish.specifier &= requirement.specifier
        wish.extras |= requirement.extras
        chosen = wish.chosen
        if chosen and not new_extras and wish.specifier.contains(chosen.version, prereleases=True):
            return []
        if key in self.done.missing:
            return []
        file = self._newest(key, wish)
        if file is None:
            return []
        asked = [Requirement(text) for text in file.depends]
        extras = sorted(wish.extras) or [""]
        return [(one, extra) for one in asked for extra in extras]

    def _newest(self, key: str, wish: _Wish) -> Stored | None:
        """The best file for a wish, brought here; None (and a reason in `missing`) without one."""
        try:
            fitting = [
                one
                for one in self._candidates(key)
                if wish.specifier.contains(one.version, prereleases=None)
            ]
            if not fitting:
                self.done.missing[key] = self._why_none(key, wish)
                return None
            best = max(fitting, key=lambda one: (one.version, -one.rank))
            wish.chosen = best
            wanted = Wanted(self.channel.name, "", best.filename, best.sha256)
            brought = bring(self.registry, self.actor, wanted)
        except (Unreachable, Refused) as error:
            self.done.missing[key] = error.problems[0].message
            return None
        (self.done.brought if brought else self.done.here).append(best.filename)
        with self.registry.database.read() as db:
            return files.file_named(db, self.channel.id, "", best.filename)

    def _why_none(self, key: str, wish: _Wish) -> str:
        asked = f" {wish.specifier}" if str(wish.specifier) else ""
        with self.registry.database.read() as db:
            private = is_private(db, self.channel, self.upstream, key)
        offers = (
            [] if private else hearing.offers_of(self.registry, self.channel, self.upstream, key)
        )
        sdists = any(offer.filename.endswith(".tar.gz") for offer in offers)
        only = "; there are sdists, which nothing is built from here" if sdists else ""
        return f"there is no wheel of {key}{asked} for this target{only}"

    def _candidates(self, key: str) -> list[_Candidate]:
        """Wheels that fit the target: of ours, and of the upstream's unless the name is private."""
        found: dict[str, _Candidate] = {}
        with self.registry.database.read() as db:
            private = is_private(db, self.channel, self.upstream, key)
            project = channels.project_by_key(db, self.channel.id, key)
            own = files.files_of_project(db, project.id) if project else []
        for file in own:
            if file.kind is Kind.WHEEL and file.yanked is None:
                self._add(found, file.filename, file.sha256, file.requires_python)
        if not private:
            for offer in hearing.offers_of(self.registry, self.channel, self.upstream, key):
                if not offer.entry.get("yanked"):
                    requires = offer.entry.get("requires-python")
                    self._add(found, offer.filename, offer.sha256, requires)
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
