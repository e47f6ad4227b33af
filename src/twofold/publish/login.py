"""Logging in and out of targets, and asking them who one is."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from twofold.errors import TwofoldError
from twofold.publish.authentication import Credentials, basic
from twofold.publish.configuration import (
    TargetSettings,
    config_file,
    read_targets,
    write_token,
)
from twofold.publish.credentials import (
    find_credentials,
    remove_from_keyring,
    store_in_keyring,
)
from twofold.publish.failures import Patience
from twofold.publish.http import Http
from twofold.publish.open import open_with
from twofold.publish.resolve import resolve_targets
from twofold.publish.secret import Secret

#: Kinds whose protocol can say who a token stands for.
CAN_TELL = ("registry", "anaconda")


@dataclass(frozen=True)
class LoggedIn:
    """`stored` says where the token is kept; `who` is '' where the target cannot tell, and
    `checked` False where it was not asked."""

    target: str
    who: str
    stored: str
    checked: bool = True


@dataclass(frozen=True)
class Who:
    target: str
    who: str
    source: str


def log_in(word: str, secret: str, user: str = "", *, check: bool = True) -> LoggedIn:
    """Store a token for a target, after the target has said whose it is (where it can).

    With `user`, `secret` is a password: Anaconda.org's API gives a token for it, indexes with
    the legacy API are used with both.
    """
    settings = _one(word)
    if settings.kind in ("folder", "s3"):
        hints = {
            "folder": "publish to it as it is: files are written directly",
            "s3": "use your AWS configuration: environment, profile or role",
        }
        raise TwofoldError(
            f"a target of the kind {settings.kind} has no token", hints[settings.kind]
        )
    token = Secret(secret)
    if user and settings.kind == "anaconda":
        token = _anaconda_token(settings, user, token)
        user = ""
    who = ""
    asked = check and settings.kind in CAN_TELL
    if asked:
        who = _ask(settings, Credentials(token, user or None, "standard input"))
    return LoggedIn(settings.name, who or user, _store(settings, token, user), asked)


def _store(settings: TargetSettings, token: Secret, user: str) -> str:
    if store_in_keyring(settings.url, token, user):
        if user != settings.user:  # the keyring gives a secret to whoever knows the user's name
            write_token(_configured_name(settings), settings, None, user)
        return "the keyring"
    path = write_token(_configured_name(settings), settings, token, user)
    return f"{path} (there is no keyring here)"


@dataclass(frozen=True)
class LoggedOut:
    """`places` the token was removed from; `left` is where another one is still found, or ''."""

    places: tuple[str, ...]
    left: str


def log_out(word: str) -> LoggedOut:
    """Forget what twofold stored for a target; what other tools stored is named and left."""
    settings = _one(word)
    users = dict.fromkeys(["", settings.user])
    forgotten = [remove_from_keyring(settings.url, user) for user in users]
    places = ["the keyring"] if any(forgotten) else []
    name = _configured_name(settings)
    known = read_targets().get(name)
    if known is not None and known.token is not None:
        write_token(name, settings, None, "")
        places.append(str(config_file()))
    left = find_credentials(_one(word))
    return LoggedOut(tuple(places), left.source if left else "")


def who_am_i(word: str) -> Who:
    """Ask a target who the credentials found for it stand for."""
    settings = _one(word)
    if settings.kind in ("folder", "s3"):
        return Who(settings.name, "it asks for no token: files are written directly", "")
    found = find_credentials(settings)
    if found is None:
        return Who(settings.name, "nobody: no token was found", "")
    if settings.kind not in CAN_TELL:
        user = found.user or "a token"
        return Who(
            settings.name, f"{user} (a {settings.kind} target cannot be asked)", found.source
        )
    return Who(settings.name, _ask(settings, found), found.source)


def _one(word: str) -> TargetSettings:
    (settings,) = resolve_targets([word])
    return settings


def _ask(settings: TargetSettings, credentials: Credentials) -> str:
    target = open_with(settings, credentials, Patience(attempts=2))
    try:
        return target.who()
    finally:
        target.close()


def _configured_name(settings: TargetSettings) -> str:
    """The table a token is written to: the target's own, else one named by its address."""
    for name, known in read_targets().items():
        if known.url == settings.url or name == settings.name:
            return name
    return settings.name


def _anaconda_token(settings: TargetSettings, user: str, password: Secret) -> Secret:
    """Exchange a password for a token of the API (POST /authentications)."""
    http = Http(Patience(attempts=2), settings.ca or None, [password])
    url = f"{settings.url.rstrip('/')}/authentications"
    body = {
        "scopes": ["api"],
        "note": f"twofold on {socket.gethostname()}",
        "hostname": socket.gethostname(),
        "fail-if-exists": False,
    }
    try:
        answer = http.once("POST", url, basic(Credentials(password, user)), json=body)
        value = answer.json()
        if not answer.ok or not isinstance(value, dict) or not value.get("token"):
            raise http.refused(answer, url, "check user and password")
        return Secret(str(value["token"]))
    finally:
        http.close()
