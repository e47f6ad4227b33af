"""Checks of what a registry stands on: folder, database, objects, disk, clock, TLS and proxy.

Each check returns findings and raises nothing, so that one thing that is wrong hides no other.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from twofold.errors import TwofoldError
from twofold.server.connections.limits import parse_proxies
from twofold.server.model import now
from twofold.server.settings import Settings
from twofold.server.store import Blobs, Database, audit
from twofold.server.store.copy_database import check_no_move
from twofold.server.store.revisions import list_revisions
from twofold.server.web.origin import parse_public_url

OK, WARNING, ERROR = "ok", "warning", "error"

#: Free space of the disk below which the operator is warned, and below which uploads fail soon.
LITTLE_SPACE, NO_SPACE = 5 << 30, 256 << 20

#: How far a clock may be off before tokens and identity tokens are refused.
CLOCK_SKEW = timedelta(seconds=30)

#: Time before the end of a certificate when it ought to be renewed.
RENEWAL = timedelta(days=14)


@dataclass(frozen=True)
class Finding:
    """A result: `state` is ok, warning or error."""

    check: str
    state: str
    message: str
    hint: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Return the findings of every check, in order."""
    checks: tuple[tuple[str, Callable[[Settings], Iterator[Finding]]], ...] = (
        ("folder", _check_folder),
        ("disk", _check_disk),
        ("database", _check_database),
        ("objects", _check_objects),
        ("tls", _check_certificate),
        ("proxy", _check_proxies),
        ("public", _check_public_url),
        ("limits", _check_limits),
    )
    found: list[Finding] = []
    for name, check in checks:
        try:
            found += check(settings)
        except (TwofoldError, OSError, ValueError) as error:
            problem = error.problems[0] if isinstance(error, TwofoldError) else None
            message = problem.message if problem else str(error)
            found.append(Finding(name, ERROR, message, (problem.hint or "") if problem else ""))
    return found


def _check_folder(settings: Settings) -> Iterator[Finding]:
    data = settings.data
    if not data.is_dir():
        yield Finding("folder", ERROR, f"{data} does not exist", "name the --data of 'serve'")
        return
    if not os.access(data, os.W_OK | os.X_OK):
        yield Finding("folder", ERROR, f"{data} is not writable for this user", "run as the server")
        return
    mode = data.stat().st_mode & 0o777
    if os.name != "nt" and mode & 0o077:
        text = f"{data} is open to other users of the machine ({mode:04o})"
        yield Finding("folder", ERROR, text, f"run chmod 700 {data}")
        return
    yield Finding("folder", OK, str(data))


def _check_disk(settings: Settings) -> Iterator[Finding]:
    places = {settings.data} if settings.data.is_dir() else set()
    if "://" not in settings.objects_url and Path(settings.objects_url).is_dir():
        places.add(Path(settings.objects_url))
    seen = set()
    for place in sorted(places):
        if (device := place.stat().st_dev) in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(place).free
        state = ERROR if free < NO_SPACE else WARNING if free < LITTLE_SPACE else OK
        hint = "free space, or run 'twofold admin sweep' and 'retain'" if state != OK else ""
        yield Finding("disk", state, f"{free / (1 << 30):.1f} GiB are free in {place}", hint)
        if state == OK and place == settings.data and settings.spool_quota > free:
            text = "the quota of the spool is more than the disk has free"
            yield Finding("disk", WARNING, text, f"set --spool-quota below {free}")


def _check_database(settings: Settings) -> Iterator[Finding]:
    if not settings.database and not (settings.data / "registry.sqlite").is_file():
        text = f"there is no registry in {settings.data}"
        yield Finding("database", ERROR, text, "name the --data of 'serve', or start it once")
        return
    database = Database(settings.database_url)
    try:
        schema = _compare_schema(database)
        yield schema
        if schema.state != OK:
            return
        before, clock = now(), database.read_clock()
        with database.read() as db:
            check_no_move(db)
            newest = audit.find_newest_time(db)
        for problem in database.find_damage():
            yield Finding("database", ERROR, f"SQLite: {problem}", "restore a backup")
        if clock is not None:
            yield _compare_clocks("the database server", clock, before)
        elif newest is not None and newest > now() + CLOCK_SKEW:
            text = f"the audit log's newest entry is of {newest:%Y-%m-%d %H:%M:%S}, in the future"
            yield Finding("clock", ERROR, text, "set this machine's clock by NTP")
        else:
            yield Finding("clock", OK, f"{before:%Y-%m-%d %H:%M:%S} UTC")
    finally:
        database.close()


def _compare_schema(database: Database) -> Finding:
    own, known = database.read_revision(), list_revisions()
    newest = known[-1]
    if own == newest:
        return Finding("database", OK, f"{database.url.get_backend_name()}, schema {own}")
    if own in ("", *known):
        text = f"the schema is {own or 'empty'}; starting this twofold upgrades it to {newest}"
        return Finding("database", WARNING, text, "back the database up before")
    text = f"the schema {own} is of a newer twofold than this"
    return Finding("database", ERROR, text, "install that version, or restore a backup")


def _compare_clocks(where: str, there: datetime, here: datetime) -> Finding:
    skew = abs(there - here)
    text = f"the clocks of this machine and of {where} differ by {skew.total_seconds():.0f} s"
    if skew > CLOCK_SKEW:
        return Finding("clock", ERROR, text, "set both by NTP: tokens end by the clock")
    return Finding("clock", OK, text)


def _check_objects(settings: Settings) -> Iterator[Finding]:
    if "://" not in settings.objects_url and not Path(settings.objects_url).is_dir():
        text = f"there is no folder {settings.objects_url}"
        yield Finding("objects", ERROR, text, "name the --objects of 'serve', or start it once")
        return
    blobs = Blobs(settings.objects_url)
    blobs.check_reachable()
    content = f"probe of twofold admin doctor {os.urandom(8).hex()}".encode()
    sha256 = hashlib.sha256(content).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / sha256
        probe.write_bytes(content)
        blobs.put(sha256, probe)
    try:
        is_kept = blobs.read(sha256) == content
    finally:
        blobs.delete(sha256)
    place = settings.objects_url.partition("?")[0]
    if is_kept:
        yield Finding("objects", OK, f"written, read and deleted in {place}")
    else:
        yield Finding("objects", ERROR, f"{place} returns other bytes than were written")


def _check_certificate(settings: Settings) -> Iterator[Finding]:
    if settings.tls_certificate is None:
        url = urlsplit(settings.public_url)
        is_open = settings.host not in ("127.0.0.1", "::1", "localhost")
        if url.scheme == "http" or (is_open and not url.scheme):
            text = "passwords and tokens cross the network in clear"
            hint = "give --tls-cert, or put a proxy with TLS in front and name it by --public-url"
            yield Finding("tls", WARNING, text, hint)
        return
    from cryptography.x509 import load_pem_x509_certificate

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except ssl.SSLError as error:
        text = f"{settings.tls_certificate} is not a certificate with its key: {error.reason}"
        yield Finding("tls", ERROR, text, "give both as PEM")
        return
    own = load_pem_x509_certificate(settings.tls_certificate.read_bytes())
    yield _judge_end(str(settings.tls_certificate), own.not_valid_after_utc)


def _judge_end(whose: str, end: datetime) -> Finding:
    left = end - now()
    text = f"the certificate of {whose} ends on {end:%Y-%m-%d}"
    if left < timedelta():
        return Finding("tls", ERROR, text, "renew it: clients refuse it")
    if left < RENEWAL:
        return Finding("tls", WARNING, text, "renew it")
    return Finding("tls", OK, text)


def _check_proxies(settings: Settings) -> Iterator[Finding]:
    networks = parse_proxies(settings.trusted_proxies)
    if any(network.prefixlen == 0 for network in networks):
        text = "every client is believed what it says of its own address (X-Forwarded-For)"
        yield Finding("proxy", ERROR, text, "name the proxy's address alone with --trusted-proxy")
        return
    yield Finding("proxy", OK, f"believed: {', '.join(settings.trusted_proxies) or 'none'}")


def _check_public_url(settings: Settings) -> Iterator[Finding]:
    """Ask the registry through its own public URL, as a client would."""
    public = parse_public_url(settings.public_url)
    if public is None:
        return
    base = settings.public_url.rstrip("/")
    here = now()
    path = quote("/main/legacy/")
    request = Request(f"{base}/.well-known/pytp?discover={path}", headers={"Origin": "null"})
    with urlopen(request, timeout=10) as answer:
        body = answer.read(100_000).decode("utf-8", "replace")
        date = answer.headers.get("Date")
    if f'"{base}/main/_/oidc/' in body:
        yield Finding("public", OK, f"{base} leads here")
    else:
        text = f"{base} is answered by something that does not know this public URL"
        hint = "start the server with the same --public-url, and let the proxy pass every path on"
        yield Finding("public", ERROR, text, hint)
    if date:
        there = parsedate_to_datetime(date).astimezone(UTC)
        yield _compare_clocks(urlsplit(base).netloc, there, here)


def _check_limits(settings: Settings) -> Iterator[Finding]:
    if os.name == "nt":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    text = f"{'any number of' if unlimited else hard} files may be open"
    if not unlimited and hard < 4 * settings.connections_per_address:
        hint = "raise LimitNOFILE of the unit, or ulimit -n, to 65536"
        yield Finding("limits", WARNING, text, hint)
    else:
        yield Finding("limits", OK, text)
