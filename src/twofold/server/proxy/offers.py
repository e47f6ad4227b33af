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
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from platform import machine

from twofold.errors import Refused, TwofoldError
from twofold.names.platforms import find_subdir
from twofold.server.context import Registry, require_channel
from twofold.server.model import Action, Actor
from twofold.server.proxy.fetch import has_upstream
from twofold.server.proxy.metadata_cache import PYPI
from twofold.server.proxy.sync import SyncResult, SyncRun, parse_requirement
from twofold.server.proxy.target_environment import PLATFORMS, TargetEnvironment
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

#: The most addresses remembered.
_MAX_REMEMBERED = 1000

_slots = threading.BoundedSemaphore(MAX_OFFERS)


@dataclass(frozen=True)
class OfferRequest:
    """The projects wanted from a channel, as requirements, for one target."""

    channel: str
    requirements: tuple[str, ...]
    target: TargetEnvironment


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
    platform = subdir if subdir in PLATFORMS else ""
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


def make_target(python: str | None, platform: str | None) -> TargetEnvironment:
    """Return the target; by default the Python and the platform of this machine.

    Where projects cannot be offered for that platform it is linux-64. Raises UsageError.
    """
    here = find_subdir(sys.platform, machine())
    default = here if here in PLATFORMS else "linux-64"
    return TargetEnvironment(python or f"3.{sys.version_info.minor}", platform or default)


def split_requirements(text: str) -> tuple[str, ...]:
    """Split names joined with `,` or `+`; a further condition (`numpy>=2,<3`) stays with its name.

    Raises Refused for URLs and markers.
    """
    found: list[str] = []
    for word in re.split(r"[,+](?![^\[]*\])", text):
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
    run = SyncRun(registry, actor, request.channel, request.target)
    chosen = run.plan(request.requirements, MAX_PROJECTS)
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(run.fetch, *zip(*chosen.items(), strict=True)) if chosen else ())
    _explain_unconverted(registry, run, (one.filename for one in chosen.values()))
    return run.result


def _explain_unconverted(registry: Registry, run: SyncRun, filenames: Iterable[str]) -> None:
    """Add to `missing` why a wheel has no conda package."""
    with registry.database.read() as db:
        for filename in filenames:
            file = files.find_file(db, run.channel.id, "", filename)
            if file is not None and file.remark and not files.list_converted_packages(db, file.id):
                run.result.missing[file.name] = file.remark
