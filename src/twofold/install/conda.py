"""Installs into a conda environment, solved and linked by py-rattler."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit
from urllib.request import url2pathname

from twofold.cache_dir import get_cache_dir
from twofold.errors import Problem, SubprocessFailed, TwofoldError, Unreachable
from twofold.extras import require_extra
from twofold.fetching import require_local
from twofold.fetching.client import Endpoint, is_reachable
from twofold.install.auth import Login

if TYPE_CHECKING:
    from rattler import PrefixRecord, RepoDataRecord


@dataclass(frozen=True)
class InstalledPackage:
    """A package of the environment; `channel` is the URL it came from."""

    name: str
    version: str
    build: str
    channel: str


def install_into_prefix(
    specs: Sequence[str],
    channels: Sequence[str | Path],
    prefix: Path,
    *,
    logins: Mapping[str, Login] | None = None,
    cache: Path | None = None,
    upgrade: bool = False,
) -> list[InstalledPackage]:
    """Solve `specs` (MatchSpecs) and link them into `prefix`, created if missing.

    `channels` are URLs, folders or names (`conda-forge`), the first with the highest priority: a
    package that a channel has is not taken from a later one. Packages already in the prefix are
    kept, in their version if the solver can; with `upgrade` not those of `specs`. `logins` are the
    credentials of private channels by URL; each is sent to URLs below it only. Link scripts are
    not run. Returns the whole environment, sorted by name.

    Raises TwofoldError with the solver's reason if there is no solution, Unreachable if a
    channel does not respond, SubprocessFailed if linking fails.
    """
    addresses = [_make_channel_url(channel) for channel in channels]
    try:
        return asyncio.run(
            _install(
                list(specs),
                addresses,
                prefix.absolute(),
                logins or {},
                cache or Path(get_cache_dir()),
                upgrade,
            )
        )
    except TwofoldError as error:
        _redact_error(error, logins or {})
        raise


def has_package(
    spec: str,
    channels: Sequence[str | Path],
    logins: Mapping[str, Login],
    cache: Path | None = None,
) -> bool:
    """Whether a channel has a package of the name of `spec`, in any version."""
    addresses = [_make_channel_url(channel) for channel in channels]
    try:
        return asyncio.run(_query(spec, addresses, logins, cache or Path(get_cache_dir())))
    except TwofoldError as error:
        _redact_error(error, logins)
        raise


async def _query(spec: str, channels: list[str], logins: Mapping[str, Login], cache: Path) -> bool:
    rattler = import_rattler()
    _, gateway = _open_gateway(logins, cache)
    with _explain_errors([spec], channels):
        name = rattler.MatchSpec(spec).name
        subdirs = [rattler.Subdir.current(), "noarch"]
        found = await gateway.query(channels, subdirs, [str(name.normalized)], recursive=False)
    return any(found)


def _redact_error(error: TwofoldError, logins: Mapping[str, Login]) -> None:
    """Redact secrets in py-rattler's messages, which may contain URLs with tokens."""
    for login in logins.values():
        if isinstance(error, SubprocessFailed):
            error.output = login.redact(error.output)
        error.problems = tuple(
            Problem(login.redact(p.message), p.hint, p.where) for p in error.problems
        )


def _make_channel_url(channel: str | Path) -> str:
    """Convert a folder to a file URL; other channels are unchanged."""
    folder = Path(channel)
    if isinstance(channel, Path) or (("/" in channel or "\\" in channel) and "://" not in channel):
        if not folder.is_dir():
            raise TwofoldError(
                f"there is no channel folder {folder}",
                "pass a folder with a noarch/repodata.json, a URL, or a channel's name",
            )
        return folder.absolute().as_uri()
    require_local(str(channel))
    return str(channel).rstrip("/")


async def _install(
    specs: list[str],
    channels: list[str],
    prefix: Path,
    logins: Mapping[str, Login],
    cache: Path,
    upgrade: bool,
) -> list[InstalledPackage]:
    rattler = import_rattler()
    client, gateway = _open_gateway(logins, cache)
    present = _read_installed(prefix)
    records = await _solve(specs, channels, gateway, present, upgrade)
    try:
        await rattler.install(
            records,
            target_prefix=prefix,
            cache_dir=cache / "conda-packages",
            installed_packages=present,
            show_progress=False,
            client=client,
            requested_specs=[_unwrap_spec(rattler.MatchSpec(spec)) for spec in specs],
        )
    except _list_linking_errors() as error:
        raise SubprocessFailed(
            f"the packages were solved but could not be installed into {prefix}",
            "remove the folder and try again",
            output=_read_reason(error),
        ) from error
    return sorted((_describe_record(record) for record in records), key=lambda one: one.name)


def _open_gateway(logins: Mapping[str, Login], cache: Path) -> tuple[Any, Any]:
    """Open a client with the logins, and a gateway that reads repodata again."""
    rattler = import_rattler()
    client = rattler.Client.default_client(max_retries=1) if not logins else _make_client(logins)
    return client, rattler.Gateway(
        cache_dir=cache / "repodata",
        default_config=rattler.SourceConfig(cache_action="no-cache"),
        client=client,
    )


def _list_linking_errors() -> tuple[type[Exception], ...]:
    """The exceptions of py-rattler for failures to fetch, unpack or link."""
    from rattler import exceptions

    names = ("InstallerError", "LinkError", "TransactionError", "ExtractError", "IoError")
    return tuple(getattr(exceptions, name) for name in names)


def import_rattler() -> Any:
    """Import py-rattler; raises TwofoldError with what to install if it is missing."""
    require_extra("conda")
    import rattler
    import rattler.repo_data.gateway

    return rattler


def _make_client(logins: Mapping[str, Login]) -> Any:
    """Make a client that sends each login to its own channel only."""
    from rattler.networking.middleware import AddHeadersMiddleware, MirrorMiddleware

    rattler = import_rattler()
    by_address = {
        str(rattler.Channel(channel).base_url).rstrip("/"): login
        for channel, login in logins.items()
    }
    known = [(urlsplit(address), login) for address, login in by_address.items()]

    def headers(host: str, path: str) -> dict[str, str] | None:
        for address, login in known:
            below = address.path.rstrip("/") + "/"
            if host == address.hostname and path.startswith(below):
                return login.header or None
        return None

    # The token is added to the path on sending: no record and no cache contains it.
    mirrors = {
        a: [one.add_token_to_path(a)] for a, one in by_address.items() if one.style == "path"
    }
    return rattler.Client(
        [
            rattler.networking.RetryMiddleware(1),
            *([MirrorMiddleware(mirrors)] if mirrors else []),
            AddHeadersMiddleware(headers),
            rattler.networking.AuthenticationMiddleware(),
        ]
    )


def _read_installed(prefix: Path) -> list[PrefixRecord]:
    """Read the packages that are installed in the prefix."""
    from rattler import PrefixRecord

    return [PrefixRecord.from_path(file) for file in sorted(prefix.glob("conda-meta/*.json"))]


async def _solve(
    specs: list[str], channels: list[str], gateway: Any, present: list[PrefixRecord], upgrade: bool
) -> list[RepoDataRecord]:
    import rattler

    wanted = specs + [record.name.normalized for record in present]
    with _explain_errors(specs, channels):
        matched = [rattler.MatchSpec(spec).name for spec in specs if upgrade]
        named = {name.normalized for name in matched if name is not None}
        return await rattler.solve(
            sources=channels,
            specs=wanted,
            gateway=gateway,
            locked_packages=[one for one in present if one.name.normalized not in named],
            virtual_packages=rattler.VirtualPackage.detect(),
        )


@contextmanager
def _explain_errors(specs: Sequence[str], channels: Sequence[str]) -> Iterator[None]:
    """Raise py-rattler's errors about specs and channels as ours."""
    from rattler.exceptions import (
        FetchRepoDataError,
        GatewayError,
        InvalidChannelError,
        InvalidMatchSpecError,
        SolverError,
    )

    try:
        yield
    except SolverError as error:
        raise TwofoldError(
            f"cannot solve an environment with {', '.join(specs)} from {', '.join(channels)}:\n"
            + _indent(explain_conflict(_read_reason(error))),
            "add a channel with the missing packages: --channel conda-forge, or a folder",
        ) from error
    except (GatewayError, FetchRepoDataError) as error:
        raise Unreachable(
            f"cannot read a channel: {_read_reason(error)}",
            "check the URL, and that its server is running and reachable",
        ) from error
    except (InvalidChannelError, InvalidMatchSpecError) as error:
        raise TwofoldError(
            _read_reason(error), "write a package as 'name', 'name>=1.2' or 'name=1.2'"
        ) from error


def _unwrap_spec(spec: Any) -> Any:
    """py-rattler 0.28 takes its own inner object here; the type hint says otherwise."""
    return getattr(spec, "_match_spec", spec)


def _describe_record(record: RepoDataRecord) -> InstalledPackage:
    return InstalledPackage(
        record.name.normalized, str(record.version), str(record.build), str(record.channel or "")
    )


def _read_reason(error: BaseException) -> str:
    return str(error).strip()


def explain_conflict(text: str) -> str:
    """Return the solver's text without what follows from the order of the channels alone.

    A package that an earlier channel has too is excluded from the later one, which is no reason
    beside another one. Where it is the only one, it is put in plain words.
    """
    lines = [line for line in text.splitlines() if not _PRIORITY.search(line)]
    while any(is_bare := [_has_no_children(lines, place) for place in range(len(lines))]):
        lines = [line for line, bare in zip(lines, is_bare, strict=True) if not bare]
    plain = r" is not taken from \1: an earlier channel has a package of this name"
    return "\n".join(lines) or _PRIORITY.sub(plain, text)


def _has_no_children(lines: Sequence[str], place: int) -> bool:
    """Whether a line of the solver's tree announces lines below it, and there are none."""
    if not lines[place].endswith((":", "incompatible")):
        return False
    return place + 1 == len(lines) or _find_depth(lines[place + 1]) <= _find_depth(lines[place])


def _find_depth(line: str) -> int:
    branch = re.search("[├└]", line)
    return branch.start() + 1 if branch else 0


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


#: How rattler names a package that an earlier channel has too.
_PRIORITY = re.compile(
    r" is excluded because due to strict channel priority not using this option from: '([^']*)'"
)
#: Enough for a slow connection, and short enough to wait without one (seconds).
REACH_TIMEOUT = 5.0


def is_channel_reachable(channel: str, timeout: float = REACH_TIMEOUT) -> bool:
    """Whether `channel` (a name or a URL) responds within `timeout` seconds.

    py-rattler resolves the name; any status below 500 counts, since a channel need not have the
    requested file.
    """
    from rattler import Channel

    address = urljoin(Channel(channel).base_url, "noarch/repodata_shards.msgpack.zst")
    if address.startswith("file:"):
        return Path(url2pathname(urlsplit(address).path)).is_file()
    return is_reachable(Endpoint(address, timeout=timeout, any_address=True), address)
