"""TLS: the authorities a server's certificate may come from, and the client's own certificate.

The first of these counts: `ca` of the target (TWINE_CERT, `ca_cert` in ~/.pypirc),
REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, PIP_CERT, SSL_CERT_FILE and SSL_CERT_DIR, certifi's bundle.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from twofold.errors import TwofoldError
from twofold.publish.targets.settings import TlsSettings

#: The variables of requests, curl and pip for a bundle or a folder of certificates.
BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
#: The variables of uv and pip for a file with the client's certificate and its key.
CLIENT_VARIABLES = ("SSL_CLIENT_CERT", "PIP_CLIENT_CERT")


def make_tls_context(settings: TlsSettings) -> ssl.SSLContext:
    """Make the context that verifies servers, with the client's certificate if there is one.

    Raises TwofoldError, which names the setting, if a file is missing or holds no certificate.
    """
    from urllib3.util.ssl_ import create_urllib3_context

    context = create_urllib3_context()
    bundles = _find_bundles(settings.ca)
    loaded = [_load_bundle(context, path) for _, path in bundles]
    if not any(loaded):
        source, path = bundles[0]
        raise TwofoldError(
            f"the CA bundle {path} ({source}) "
            + ("contains no certificate" if path.exists() else "does not exist"),
            "name a file of certificates in PEM format (-----BEGIN CERTIFICATE-----), or a folder "
            "of them",
        )
    client = _find_client_certificate(settings.client_cert)
    if client:
        _load_client_certificate(context, *client)
    return context


def _find_bundles(own: str) -> list[tuple[str, Path]]:
    """The bundles and folders to trust, each with the setting that names it."""
    if own:
        return [("`ca` of the target, or TWINE_CERT", Path(own).expanduser())]
    for name in BUNDLE_VARIABLES:
        if os.environ.get(name):
            return [(name, Path(os.environ[name]).expanduser())]
    openssl = [("SSL_CERT_FILE", os.environ.get("SSL_CERT_FILE", ""))]
    folders = os.environ.get("SSL_CERT_DIR", "").split(os.pathsep)
    openssl += [("SSL_CERT_DIR", folder) for folder in folders]
    found = [(name, Path(value).expanduser()) for name, value in openssl if value]
    if found:
        return found
    import certifi

    return [("certifi", Path(certifi.where()))]


def _load_bundle(context: ssl.SSLContext, path: Path) -> bool:
    """Trust the certificates of a file, or of all files in a folder; returns if there are some."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    loaded = [_load_file(context, file) for file in files if file.is_file()]
    return any(loaded)


def _load_file(context: ssl.SSLContext, file: Path) -> bool:
    try:
        context.load_verify_locations(cafile=file)
    except (ssl.SSLError, OSError):
        return False
    return True


def _find_client_certificate(own: str) -> tuple[str, Path] | None:
    if own:
        return "`client-cert` of the target", Path(own).expanduser()
    name = next((name for name in CLIENT_VARIABLES if os.environ.get(name)), "")
    return (name, Path(os.environ[name]).expanduser()) if name else None


def _load_client_certificate(context: ssl.SSLContext, source: str, path: Path) -> None:
    shown = f"the client certificate {path} ({source})"
    if not path.is_file():
        raise TwofoldError(f"{shown} does not exist", "correct the path")

    def refuse_passphrase() -> str:
        raise TwofoldError(
            f"the key of {shown} has a passphrase",
            "name a file whose key has none: 'openssl pkey' writes one",
        )

    try:
        context.load_cert_chain(path, password=refuse_passphrase)
    except (ssl.SSLError, OSError):
        raise TwofoldError(
            f"{shown} cannot be used: it is no PEM file with a certificate and its key",
            "name one file with both: the certificate, those that issued it, and its private key",
        ) from None
