"""Projects offered to conda by name: `/CHANNEL/with/NAMES` and `twofold admin offer`.

No conda client sends the unknown name that its user typed, so the address of the channel holds it.
Before its pages are answered the named projects are resolved with their dependencies, by metadata
and from the channel's own files first; what is new is fetched and converted in parallel. From then
on the packages are in the channel itself.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from platform import machine

from packaging.requirements import Requirement

from twofold.errors import BadFile, Refused, TwofoldError, Unreachable
from twofold.fetching.remote_wheel import fetch_metadata
from twofold.formats.core_metadata import parse_metadata
from twofold.names import normalize_name
from twofold.names.platforms import CONDA_FORGE, Target, find_subdir
from twofold.server.context import Registry, require_channel
from twofold.server.model import Action, Actor
from twofold.server.pages.page_updates import MAIN, PRE
from twofold.server.proxy import metadata_cache
from twofold.server.proxy.fetch import FetchableFile, FileRequest, find_fetchable, has_upstream
from twofold.server.proxy.metadata_cache import PYPI
from twofold.server.proxy.sync import (
    Candidate,
    RequestedProject,
    SyncResult,
    SyncRun,
    parse_requirement,
)
from twofold.server.registry.deferred_conversion import wait_converted
from twofold.server.store import files

log = logging.getLogger("twofold.server")

#: The most names in one address, and the most projects that they and their dependencies may be.
MAX_NAMES, MAX_PROJECTS = 50, 500

#: Seconds that a request waits for what it names; then it is answered 503, to be repeated.
WAIT_SECONDS = 20.0

#: Seconds for which an offer is current: later requests in that time are as any page.
MAX_AGE = 600.0

#: Files fetched and converted at the same time, by one offer; offers at the same time.
PARALLEL, MAX_OFFERS = 8, 4

#: Seconds that an offer waits for the conversion of a large wheel.
MAX_CONVERSION = 600.0

#: The most addresses remembered.
_MAX_REMEMBERED = 1000

_slots = threading.BoundedSemaphore(MAX_OFFERS)


@dataclass(frozen=True)
class OfferRequest:
    """The projects wanted from a channel, as requirements, for one target."""

    channel: str
    requirements: tuple[str, ...]
    target: Target


@dataclass
class Offer:
    """One offer under way or done; `result` is the last one, also while it is renewed."""

    result: SyncResult | None = None
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)
    ended_at: float = 0.0

    @property
    def is_current(self) -> bool:
        """Whether it is under way, or ended not long ago; a failure is tried again sooner."""
        age = MAX_AGE if self.error is None else 30.0
        return not self.done.is_set() or time.monotonic() - self.ended_at < age


def parse_names(channel: str, text: str, subdir: str) -> OfferRequest:
    """Parse the names of an address: `flask,rich` or `numpy>=2,<3;python=3.12`. Raises Refused.

    `subdir` is the one whose page is requested: its platform is the target, and this machine's
    platform for `noarch`.
    """
    words, *options = text.split(";")
    platform = subdir if subdir in CONDA_FORGE else ""
    python = ""
    for option in options:
        name, _, value = option.partition("=")
        if name.strip() == "python":
            python = value.strip()
        elif name.strip() == "platform":
            platform = value.strip()
        else:
            raise Refused(
                "invalid-requirement",
                f"{option[:50]!a} is not an option of this address",
                "add ;python=3.12 or ;platform=linux-64",
            )
    requirements = split_requirements(words)
    if not 0 < len(requirements) <= MAX_NAMES:
        raise Refused(
            "invalid-requirement", f"The address must name 1 to {MAX_NAMES} projects", status=400
        )
    try:
        target = make_target(python, platform)
    except TwofoldError as error:
        raise Refused("invalid-requirement", error.problems[0].message, error.hint) from error
    return OfferRequest(channel, requirements, target)


def make_target(python: str | None, platform: str | None) -> Target:
    """Return the target; by default the Python and the platform of this machine.

    Where projects cannot be offered for that platform it is linux-64. Raises UsageError.
    """
    here = find_subdir(sys.platform, machine())
    default = here if here in CONDA_FORGE else "linux-64"
    return Target.parse(python or f"3.{sys.version_info.minor}", platform or default)


def split_requirements(text: str) -> tuple[str, ...]:
    """Split names joined with `,` or `+`; a further condition (`numpy>=2,<3`) stays with its name.

    Raises Refused for URLs and markers.
    """
    found: list[str] = []
    for word in re.findall(r"(?:[^,+\[]|\[[^\]]*+\]?)+", text):
        if word.strip()[:1] in ("<", ">", "=", "!", "~") and found:
            found[-1] += f",{word.strip()}"
        elif word.strip():
            found.append(word.strip())
    parsed = {str(parse_requirement(word)) for word in found}
    if any("@" in word or ";" in word for word in parsed):
        raise Refused("invalid-requirement", "An address names projects, not URLs or markers")
    return tuple(sorted(parsed))


def ensure_offered(registry: Registry, actor: Actor, request: OfferRequest) -> SyncResult:
    """Offer the projects, once for all who name them; return the result, or the last one.

    Raises Refused: 503 while the work goes on.
    """
    with registry.database.read() as db:
        require_channel(db, actor, request.channel, Action.READ)
    if not has_upstream(registry, request.channel, PYPI):
        return SyncResult()
    offers = registry.proxied_channels.offers
    with registry.proxied_channels.offers_lock:
        known = offers.get(request)
        if known is None or not known.is_current:
            for old in list(offers)[: max(0, len(offers) - _MAX_REMEMBERED)]:
                del offers[old]
            last = known.result if known is not None else None
            known = offers[request] = Offer(last)
            args = (registry, actor, request, known)
            threading.Thread(target=_run, args=args, name="offer", daemon=True).start()
    if known.result is None and not known.done.wait(WAIT_SECONDS):
        raise Refused(
            "offer-running",
            f"{', '.join(request.requirements)[:200]}: still being fetched and converted",
            "try again in some seconds: the work goes on",
            503,
        )
    if known.result is None:
        assert known.error is not None
        raise known.error
    return known.result


def _run(registry: Registry, actor: Actor, request: OfferRequest, known: Offer) -> None:
    try:
        with _slots:
            known.result = offer(registry, actor, request)
    except (TwofoldError, OSError) as error:
        known.error = error
    except Exception as error:
        log.exception("%s cannot be offered", request.requirements)
        known.error = error
    known.ended_at = time.monotonic()
    known.done.set()


def offer(registry: Registry, actor: Actor, request: OfferRequest) -> SyncResult:
    """Fetch and convert these projects with their dependencies; what cannot be is in `missing`."""
    run = PlanRun(registry, actor, request.channel, request.target)
    with ThreadPoolExecutor(PARALLEL) as pool:
        chosen = run.plan(request.requirements, pool)
        list(pool.map(run.fetch, *zip(*chosen.items(), strict=True)) if chosen else ())
    for one in chosen.values():
        wait_converted(registry, run.channel, one.filename, MAX_CONVERSION)
    _explain_unlisted(registry, run, (one.filename for one in chosen.values()))
    return run.result


class PlanRun(SyncRun):
    """Chooses releases by metadata, several projects at a time, before anything is fetched."""

    def __init__(self, registry: Registry, actor: Actor, channel: str, target: Target) -> None:
        super().__init__(registry, actor, channel, target)
        self._required: dict[str, Sequence[str]] = {}  # by file name

    def plan(self, names: Iterable[str], pool: ThreadPoolExecutor) -> dict[str, Candidate]:
        """Choose releases by metadata alone; a wheel is fetched where its index has none.

        Raises Refused when these are more than `MAX_PROJECTS`.
        """
        roots = [(parse_requirement(name), "") for name in names]
        queue = roots
        while queue:
            asked = [one for one, extra in queue if self.applies(one, extra)]
            new = {normalize_name(one.name): one for one in asked}
            list(pool.map(self._read_ahead, [one for key, one in new.items() if self._is_new(key)]))
            queue = [one for each in asked for one in self.choose(each, self._read_newest)]
            if len(self.requested) > MAX_PROJECTS:
                text = f"These are more than {MAX_PROJECTS} projects with their dependencies"
                raise Refused("too-much-required", text, "name fewer at once")
        return self._keep_needed(roots)

    def _is_new(self, key: str) -> bool:
        return key not in self.requested

    def _keep_needed(self, roots: Sequence[tuple[Requirement, str]]) -> dict[str, Candidate]:
        """Return the choices that the roots lead to: others were only tried on the way."""
        found: dict[str, Candidate] = {}
        queue = list(roots)
        while queue:
            requirement, extra = queue.pop()
            key = normalize_name(requirement.name)
            wish = self.requested.get(key)
            if not self.applies(requirement, extra) or wish is None or wish.chosen is None:
                continue
            if key in found:
                continue
            found[key] = wish.chosen
            needed = map(Requirement, self._required.get(wish.chosen.filename, ()))
            queue += [(one, extra) for one in needed for extra in sorted(wish.extras) or [""]]
        named = self._list_named(roots, found)
        missing = self.result.missing.items()
        self.result.missing = {key: reason for key, reason in missing if key in named}
        return found

    def _list_named(
        self, roots: Sequence[tuple[Requirement, str]], found: Mapping[str, Candidate]
    ) -> set[str]:
        """Return the keys that the roots and the chosen releases name."""
        texts = [text for one in found.values() for text in self._required.get(one.filename, ())]
        named = [one for one, _ in roots] + [Requirement(text) for text in texts]
        return {normalize_name(one.name) for one in named}

    def _read_ahead(self, requirement: Requirement) -> None:
        """Read the page and the METADATA that `_read_newest` will need, if nothing is amiss."""
        try:
            best = self.find_best(normalize_name(requirement.name), requirement.specifier)
            if best is not None:
                self._read_required(best)
        except (Unreachable, Refused, BadFile) as error:
            log.debug("%s was not read ahead: %s", requirement, error)  # its own turn reports it

    def _read_newest(self, key: str, requested: RequestedProject) -> Sequence[str] | None:
        """Choose the best matching file; return its requirements, by metadata if there is some."""
        best = self.pick(key, requested)
        if best is None:
            return None
        try:
            required = self._read_required(best)
        except (Unreachable, Refused, BadFile) as error:
            self.result.missing[key] = error.problems[0].message
            return None
        if required is None:
            required = self.fetch(key, best)
            self._required[best.filename] = required or ()
        return required

    def _read_required(self, best: Candidate) -> Sequence[str] | None:
        """Return what a wheel requires, without fetching it; None where that is not possible."""
        if best.filename in self._required:
            return self._required[best.filename]
        required = self.read_stored(best)
        if required is None:
            wanted = FileRequest(self.channel.name, "", best.filename, best.sha256)
            file = find_fetchable(self.registry, self.actor, wanted)
            body = file and read_metadata(self.registry, file)
            required = parse_metadata(body).requires_dist if body else None
        if required is not None:
            self._required[best.filename] = required
        return required


def read_metadata(registry: Registry, file: FetchableFile) -> bytes | None:
    """Return the METADATA of a wheel for a resolution, by parts of the wheel where need be.

    None where its index serves only the whole wheel. Raises Unreachable, Refused.
    """
    args = (registry, file.channel, file.upstream, file.pin)
    body = metadata_cache.cached_wheel_metadata(*args)
    return body or fetch_metadata(metadata_cache.upstream_source(file.upstream), file.pin.url)


def _explain_unlisted(registry: Registry, run: SyncRun, filenames: Iterable[str]) -> None:
    """Add to `missing` why a wheel has no conda package, or none on the channel's pages."""
    with registry.database.read() as db:
        for filename in filenames:
            file = files.find_file(db, run.channel.id, "", filename)
            if file is None:
                continue
            if file.remark and not files.list_converted_packages(db, file.id):
                run.result.missing[file.name] = file.remark
            elif MAIN not in file.labels:
                label = min(file.labels, default=PRE)
                run.result.missing[file.name] = (
                    f"{file.version} is listed at /{run.channel.name}/label/{label} alone"
                )
