"""Opens targets: finds their credentials and makes the connection that speaks their protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from requests.auth import AuthBase

from twofold.errors import Refused
from twofold.publish import rules
from twofold.publish.advice import Caller
from twofold.publish.authentication import Credentials, basic
from twofold.publish.configuration import TargetSettings
from twofold.publish.credentials import find_credentials, usable
from twofold.publish.failures import Patience
from twofold.publish.http import Http
from twofold.publish.secret import as_basic
from twofold.publish.targets.anaconda import AnacondaOrg
from twofold.publish.targets.conda_servers import artifactory, prefix_dev, quetz
from twofold.publish.targets.folder import Folder
from twofold.publish.targets.legacy import LegacyIndex, index_beside
from twofold.publish.targets.protocol import Target
from twofold.publish.targets.registry import TwofoldRegistry
from twofold.publish.trusted import trusted_credentials


def open_targets(settings: Sequence[TargetSettings], patience: Patience) -> list[Target]:
    """Every target with its own credentials; a token found for one is never sent to another."""
    return [
        open_target(one, patience, [other for other in settings if other is not one])
        for one in settings
    ]


def open_target(
    settings: TargetSettings, patience: Patience, others: Sequence[TargetSettings] = ()
) -> Target:
    """One target, ready to be asked; `others` are those beside it."""
    credentials = find_credentials(settings, others)
    if credentials is None:
        http = Http(patience, settings.ca or None)
        try:
            credentials = trusted_credentials(settings, http)
        finally:
            http.close()
    return open_with(settings, credentials, patience)


def open_with(
    settings: TargetSettings, credentials: Credentials | None, patience: Patience
) -> Target:
    """One target with credentials that are known already."""
    credentials = usable(settings, credentials) if credentials else None
    caller = Caller(settings.name, settings.kind, credentials.source if credentials else "")
    reader = settings.reader
    logins = [(credentials.user, credentials.secret)] if credentials else []
    logins += [(reader.user, reader.secret)] if reader and reader.secret else []
    secrets = [secret for _, secret in logins]
    secrets += [as_basic(user, secret) for user, secret in logins if user]
    http = Http(patience, settings.ca or None, secrets, credentials, caller)
    return OPENERS[settings.kind](settings, http, credentials)


def _legacy(settings: TargetSettings, http: Http, credentials: Credentials | None) -> Target:
    auth = basic(credentials) if credentials else None
    index = settings.index
    try:
        index = index or index_beside(http, settings.url, auth)
    except Refused:
        if settings.verify:
            raise
    return LegacyIndex(replace(settings, index=index), http, auth, reader=_reader(settings))


def _pypi(settings: TargetSettings, http: Http, credentials: Credentials | None) -> Target:
    auth = basic(credentials) if credentials else None
    return LegacyIndex(settings, http, auth, rules.PYPI, is_open=False, reader=_reader(settings))


def _reader(settings: TargetSettings) -> AuthBase | None:
    """The login that stands in the address of the index."""
    found = settings.reader
    return basic(Credentials(found.secret, found.user)) if found and found.secret else None


def _registry(settings: TargetSettings, http: Http, credentials: Credentials | None) -> Target:
    return TwofoldRegistry(settings, http, credentials)


def _anaconda(settings: TargetSettings, http: Http, credentials: Credentials | None) -> Target:
    return AnacondaOrg(settings, http, credentials)


def _folder(settings: TargetSettings, _http: Http, _credentials: Credentials | None) -> Target:
    return Folder(settings)


def _bucket(settings: TargetSettings, _http: Http, _credentials: Credentials | None) -> Target:
    from twofold.publish.targets.s3 import Bucket

    return Bucket(settings)


#: Kind -> what opens it.
OPENERS: dict[str, Callable[[TargetSettings, Http, Credentials | None], Target]] = {
    "registry": _registry,
    "legacy": _legacy,
    "pypi": _pypi,
    "anaconda": _anaconda,
    "prefix": prefix_dev,
    "quetz": quetz,
    "artifactory": artifactory,
    "folder": _folder,
    "s3": _bucket,
}
