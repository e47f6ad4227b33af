"""The server's own certificate and its key, and the one of the proxy in front of it."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from twofold.server.doctor.findings import ERROR, OK, WARNING, Finding
from twofold.server.model import now
from twofold.server.run import load_certificate
from twofold.server.settings import Settings

#: Time before the end of a certificate when it ought to be renewed.
RENEWAL = timedelta(days=14)

#: Bits of an RSA key below which OpenSSL's clients refuse it.
LEAST_RSA_BITS = 2048


def check_own_certificate(settings: Settings) -> Iterator[Finding]:
    """Check the certificate that `serve` is given, or whether it needs one."""
    load_certificate(settings)
    if settings.tls_certificate is None:
        url = urlsplit(settings.public_url)
        is_open = settings.host not in ("127.0.0.1", "::1", "localhost")
        if url.scheme == "http" or (is_open and not url.scheme):
            text = "passwords and tokens cross the network in clear"
            hint = "give --tls-cert, or put a proxy with TLS in front and name it by --public-url"
            yield Finding("tls", WARNING, text, hint)
        return
    yield from judge_certificate(settings.tls_certificate, urlsplit(settings.public_url).hostname)
    key = settings.tls_key or settings.tls_certificate
    mode = key.stat().st_mode & 0o777
    if os.name != "nt" and mode & 0o077:
        text = f"the key {key} can be read by other users of the machine ({mode:04o})"
        yield Finding("tls", WARNING, text, f"run chmod 600 {key}")


def judge_certificate(path: Path, host: str | None) -> Iterator[Finding]:
    """Report why clients would refuse the first certificate of a file."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    own = x509.load_pem_x509_certificate(path.read_bytes())
    yield judge_dates(str(path), own.not_valid_before_utc, own.not_valid_after_utc)
    key = own.public_key()
    if isinstance(key, RSAPublicKey) and key.key_size < LEAST_RSA_BITS:
        text = f"the key of {path} has {key.key_size} bits, and clients refuse it"
        yield Finding("tls", ERROR, text, f"make one of at least {LEAST_RSA_BITS} bits")
    hash_name = own.signature_hash_algorithm.name if own.signature_hash_algorithm else ""
    if hash_name in ("md5", "sha1"):
        text = f"{path} is signed with {hash_name}, and clients refuse it"
        yield Finding("tls", ERROR, text, "have it signed with SHA-256")
    try:
        names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        text = f"{path} has no subjectAltName, and clients refuse it"
        yield Finding("tls", ERROR, text, "make one with subjectAltName=DNS:HOST")
        return
    known = [*names.get_values_for_type(x509.DNSName)]
    known += [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    if host and not any(_is_named(host, name.lower()) for name in known):
        text = f"{path} is for {', '.join(known)}, and the public URL's host is {host}"
        yield Finding("tls", ERROR, text, "correct --public-url, or make one for that host")


def _is_named(host: str, name: str) -> bool:
    """Whether a name of a certificate is this host (RFC 9525): `*` is one whole label."""
    if name.startswith("*."):
        return host.partition(".")[2] == name[2:]
    return host == name


def judge_dates(whose: str, begin: datetime, end: datetime) -> Finding:
    """Judge from when to when a certificate is good."""
    left = end - now()
    if begin > now():
        text = f"the certificate of {whose} begins on {begin:%Y-%m-%d %H:%M} UTC"
        return Finding("tls", ERROR, text, "set this machine's clock, or wait: clients refuse it")
    text = f"the certificate of {whose} ends on {end:%Y-%m-%d}"
    if left < timedelta():
        return Finding("tls", ERROR, text, "renew it: clients refuse it")
    if left < RENEWAL:
        return Finding("tls", WARNING, text, "renew it")
    return Finding("tls", OK, text)


def check_public_certificate(url: str) -> Finding | None:
    """Judge the dates of the certificate that clients see; None without TLS.

    Raises OSError where the connection fails, ssl.SSLCertVerificationError too.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return None
    context = ssl.create_default_context()
    with (
        socket.create_connection((parts.hostname, parts.port or 443), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=parts.hostname) as secure,
    ):
        found = secure.getpeercert() or {}
    begin, end = (
        datetime.fromtimestamp(ssl.cert_time_to_seconds(str(found[name])), UTC)
        for name in ("notBefore", "notAfter")
    )
    return judge_dates(parts.hostname, begin, end)
