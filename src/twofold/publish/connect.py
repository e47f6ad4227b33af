"""Connects to targets: finds their credentials and opens an HTTP client for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from requests.auth import AuthBase

from twofold.errors import Refused
from twofold.publish import rules
from twofold.publish.addresses import Credentials, encode_basic
from twofold.publish.config import TargetSettings
from twofold.publish.credentials import clean_credentials, find_credentials
from twofold.publish.http import HttpClient, basic_auth
from twofold.publish.responses import AuthContext, RetryPolicy
from twofold.publish.targets.anaconda import AnacondaOrg
from twofold.publish.targets.conda_servers import open_artifactory, open_prefix_dev, open_quetz
from twofold.publish.targets.folder import Folder
from twofold.publish.targets.legacy import LegacyIndex, find_index
from twofold.publish.targets.protocol import Target
from twofold.publish.targets.registry import TwofoldRegistry
from twofold.publish.trusted_publishing import fetch_trusted_credentials


def open_targets(settings: Sequence[TargetSettings], retry_policy: RetryPolicy) -> list[Target]:
    """Open every target with its own credentials; none is sent to another target."""
    return [
        open_target(one, retry_policy, [other for other in settings if other is not one])
        for one in settings
    ]


def open_target(
    settings: TargetSettings, retry_policy: RetryPolicy, others: Sequence[TargetSettings] = ()
) -> Target:
    """Open one target; `others` are the other targets of the command."""
    credentials = find_credentials(settings, others)
    if credentials is None:
        http = HttpClient(retry_policy, settings.ca or None)
        try:
            credentials = fetch_trusted_credentials(settings, http)
        finally:
            http.close()
    return connect(settings, credentials, retry_policy)


def connect(
    settings: TargetSettings, credentials: Credentials | None, retry_policy: RetryPolicy
) -> Target:
    """Open one target with known credentials."""
    credentials = clean_credentials(settings, credentials) if credentials else None
    caller = AuthContext(settings.name, settings.kind, credentials.source if credentials else "")
    reader = settings.read_login
    logins = [(credentials.user, credentials.secret)] if credentials else []
    logins += [(reader.user, reader.secret)] if reader and reader.secret else []
    secrets = [secret for _, secret in logins]
    secrets += [encode_basic(user, secret) for user, secret in logins if user]
    http = HttpClient(retry_policy, settings.ca or None, secrets, credentials, caller)
    return OPENERS[settings.kind](settings, http, credentials)


def _open_legacy(
    settings: TargetSettings, http: HttpClient, credentials: Credentials | None
) -> Target:
    auth = basic_auth(credentials) if credentials else None
    index = settings.index
    try:
        index = index or find_index(http, settings.url, auth)
    except Refused:
        if settings.verify:
            raise
    return LegacyIndex(
        replace(settings, index=index), http, auth, read_auth=_make_read_auth(settings)
    )


def _open_pypi(
    settings: TargetSettings, http: HttpClient, credentials: Credentials | None
) -> Target:
    auth = basic_auth(credentials) if credentials else None
    return LegacyIndex(
        settings, http, auth, rules.PYPI, is_open=False, read_auth=_make_read_auth(settings)
    )


def _make_read_auth(settings: TargetSettings) -> AuthBase | None:
    """The login in the URL of the index."""
    found = settings.read_login
    return basic_auth(Credentials(found.secret, found.user)) if found and found.secret else None


def _open_registry(
    settings: TargetSettings, http: HttpClient, credentials: Credentials | None
) -> Target:
    return TwofoldRegistry(settings, http, credentials)


def _open_anaconda(
    settings: TargetSettings, http: HttpClient, credentials: Credentials | None
) -> Target:
    return AnacondaOrg(settings, http, credentials)


def _open_folder(
    settings: TargetSettings, _http: HttpClient, _credentials: Credentials | None
) -> Target:
    return Folder(settings)


def _open_bucket(
    settings: TargetSettings, _http: HttpClient, _credentials: Credentials | None
) -> Target:
    from twofold.publish.targets.s3 import Bucket

    return Bucket(settings)


#: Kind -> its opener.
OPENERS: dict[str, Callable[[TargetSettings, HttpClient, Credentials | None], Target]] = {
    "registry": _open_registry,
    "legacy": _open_legacy,
    "pypi": _open_pypi,
    "anaconda": _open_anaconda,
    "prefix": open_prefix_dev,
    "quetz": open_quetz,
    "artifactory": open_artifactory,
    "folder": _open_folder,
    "s3": _open_bucket,
}
