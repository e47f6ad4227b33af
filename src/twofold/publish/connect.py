"""Connects to targets: finds their credentials and opens an HTTP client for each."""

from __future__ import annotations

from collections.abc import Sequence

from twofold.publish.addresses import Credentials, encode_basic
from twofold.publish.credentials import clean_credentials, find_credentials
from twofold.publish.http import HttpClient
from twofold.publish.responses import AuthContext, RetryPolicy
from twofold.publish.targets.kinds import KINDS
from twofold.publish.targets.protocol import Target
from twofold.publish.targets.settings import TargetSettings
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
    kind = KINDS[settings.kind]
    source = credentials.source if credentials else ""
    caller = AuthContext(settings.name, kind.name, source, kind.permission, kind.url_hint)
    reader = settings.read_login
    logins = [(credentials.user, credentials.secret)] if credentials else []
    logins += [(reader.user, reader.secret)] if reader and reader.secret else []
    secrets = [secret for _, secret in logins]
    secrets += [encode_basic(user, secret) for user, secret in logins if user]
    http = HttpClient(retry_policy, settings.ca or None, secrets, credentials, caller)
    return kind.open(settings, http, credentials)
