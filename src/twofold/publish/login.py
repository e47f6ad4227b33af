"""Log in to targets, log out, and query the account."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from twofold.errors import TwofoldError
from twofold.publish.addresses import Credentials, Secret
from twofold.publish.config import get_config_file, read_targets, write_token
from twofold.publish.credentials import find_credentials, remove_from_keyring, store_in_keyring
from twofold.publish.http import HttpClient, basic_auth
from twofold.publish.resolve import resolve_targets
from twofold.publish.responses import RetryPolicy
from twofold.publish.targets.kinds import KINDS
from twofold.publish.targets.settings import TargetSettings
from twofold.publish.trusted_publishing import connect


@dataclass(frozen=True)
class LoginResult:
    """The result of a login.

    `stored` is where the token was written; `who` is the account ('' if the target cannot
    return it); `checked` is False if the target was not queried.
    """

    target: str
    who: str
    stored: str
    checked: bool = True


@dataclass(frozen=True)
class AccountReport:
    """The account of a target's credentials, and where they were found."""

    target: str
    account: str
    source: str


def log_in(target: str, secret: str, user: str = "", *, check: bool = True) -> LoginResult:
    """Store a token for a target, after the target has verified it (if it can).

    With `user`, `secret` is a password: Anaconda.org's API exchanges it for a token, indexes
    with the legacy API take user and password.
    """
    settings = require_login(target)
    kind = KINDS[settings.kind]
    token = Secret(secret)
    if user and settings.kind == "anaconda":
        token = _exchange_password(settings, user, token)
        user = ""
    who = ""
    is_checked = check and kind.names_account
    if is_checked:
        who = _query_account(settings, Credentials(token, user or None, "standard input"))
    return LoginResult(settings.name, who or user, _store_token(settings, token, user), is_checked)


def require_login(target: str) -> TargetSettings:
    """The settings of a target; raises TwofoldError if its kind has no login."""
    settings = _resolve_one(target)
    kind = KINDS[settings.kind]
    if kind.no_login:
        raise TwofoldError(f"a target of the kind {kind.name} needs no login", kind.no_login)
    return settings


def _store_token(settings: TargetSettings, token: Secret, user: str) -> str:
    if store_in_keyring(settings.url, token, user):
        if user != settings.user:  # without the user's name its keyring entry is not found
            write_token(_find_table_name(settings), settings, None, user)
        return "the keyring"
    path = write_token(_find_table_name(settings), settings, token, user)
    return f"{path} (no keyring is available)"


@dataclass(frozen=True)
class LogoutResult:
    """Where the token was removed from, and where another one is still found ('': nowhere)."""

    removed_from: tuple[str, ...]
    still_in: str


def log_out(target: str) -> LogoutResult:
    """Remove the token that twofold stored; tokens of other tools are reported and kept."""
    settings = _resolve_one(target)
    users = dict.fromkeys(["", settings.user])
    forgotten = [remove_from_keyring(settings.url, user) for user in users]
    places = ["the keyring"] if any(forgotten) else []
    name = _find_table_name(settings)
    known = read_targets().get(name)
    if known is not None and known.token is not None:
        write_token(name, settings, None, "")
        places.append(str(get_config_file()))
    left = find_credentials(_resolve_one(target))
    return LogoutResult(tuple(places), left.source if left else "")


def find_account(target: str) -> AccountReport:
    """Return the account that the target's credentials belong to."""
    settings = _resolve_one(target)
    kind = KINDS[settings.kind]
    if kind.no_login:
        return AccountReport(settings.name, "no login needed: files are written directly", "")
    found = find_credentials(settings)
    if found is None:
        return AccountReport(settings.name, "nobody: no token was found", "")
    if not kind.names_account:
        user = found.user or "a token"
        return AccountReport(
            settings.name,
            f"{user} (targets of the kind {settings.kind} cannot verify it)",
            found.source,
        )
    return AccountReport(settings.name, _query_account(settings, found), found.source)


def _resolve_one(target: str) -> TargetSettings:
    (settings,) = resolve_targets([target])
    return settings


def _query_account(settings: TargetSettings, credentials: Credentials) -> str:
    target = connect(settings, credentials, RetryPolicy(attempts=2))
    try:
        return target.whoami()
    finally:
        target.close()


def _find_table_name(settings: TargetSettings) -> str:
    """The configuration table for a token: the target's own, else one named by its URL."""
    for name, known in read_targets().items():
        if known.url == settings.url or name == settings.name:
            return name
    return settings.name


def _exchange_password(settings: TargetSettings, user: str, password: Secret) -> Secret:
    """Exchange a password for a token of the API (POST /authentications)."""
    http = HttpClient(RetryPolicy(attempts=2), settings.tls, [password])
    url = f"{settings.url.rstrip('/')}/authentications"
    body = {
        "scopes": ["api"],
        "note": f"twofold on {socket.gethostname()}",
        "hostname": socket.gethostname(),
        "fail-if-exists": False,
    }
    try:
        answer = http.request_once("POST", url, basic_auth(Credentials(password, user)), json=body)
        value = answer.json()
        if not answer.ok or not isinstance(value, dict) or not value.get("token"):
            raise http.make_refusal(answer, url, "check user and password")
        return Secret(str(value["token"]))
    finally:
        http.close()
