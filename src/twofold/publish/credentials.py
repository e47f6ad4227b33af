"""Find a target's token, in the same order for every kind of target.

1. the URL itself;
2. the environment: `TWOFOLD_TOKEN_<NAME>`, the configured variable, `TWOFOLD_TOKEN`, and
   twine's `TWINE_PASSWORD`, uv's `UV_PUBLISH_TOKEN` and `UV_PUBLISH_PASSWORD` or anaconda-client's
   `ANACONDA_API_TOKEN`, if only this target can be meant;
3. the keyring entry of `twofold login`;
4. the configuration, and ~/.pypirc for the names in it;
5. twine's keyring entry, and the token stored by `anaconda login`;
6. in CI, trusted publishing (`twofold.publish.trusted_publishing`);
7. the entry of the target's host in ~/.netrc (or the file that `NETRC` names).

A token found for one target is never sent to another.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from twofold.errors import TwofoldError
from twofold.publish.addresses import Credentials, Secret, toggle_slash
from twofold.publish.external_config import read_anaconda_token
from twofold.publish.targets.kinds import KINDS
from twofold.publish.targets.settings import TargetSettings, get_token_variable

HINT = (
    "correct PYTHON_KEYRING_BACKEND or keyringrc.cfg (see 'keyring diagnose'), or turn the keyring "
    "off: PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring"
)


class NoKeyringError(Exception):
    """No keyring is available."""


def read_keyring_password(service: str, user: str) -> Secret | None:
    """Read the password of a user of a service; None too where no keyring is installed."""
    try:
        with _translate_errors():
            import keyring

            found = keyring.get_password(service, user)
    except NoKeyringError:
        return None
    return Secret(found) if found else None


def read_keyring_login(service: str, user: str | None) -> tuple[str, Secret] | None:
    """Read a user and password of a service, for any user if None, as twine does.

    None too where no keyring is installed: a base install reads private indexes with tokens.
    """
    try:
        with _translate_errors():
            import keyring

            found = keyring.get_credential(service, user)
    except NoKeyringError:
        return None
    return (found.username, Secret(found.password)) if found and found.password else None


def save_keyring_password(service: str, user: str, secret: Secret) -> bool:
    """Store the password; False if no keyring is available."""
    import keyring

    try:
        with _translate_errors():
            keyring.set_password(service, user, secret.reveal())
            return keyring.get_password(service, user) == secret.reveal()
    except NoKeyringError:
        return False


def delete_keyring_password(service: str, user: str) -> bool:
    """Delete the password; returns whether there was one."""
    import keyring

    try:
        with _translate_errors():
            if keyring.get_password(service, user) is None:
                return False
            keyring.delete_password(service, user)
    except NoKeyringError:
        return False
    return True


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate the exceptions of any keyring backend into ours."""
    try:
        from keyring.errors import KeyringError
    except ModuleNotFoundError as error:
        raise NoKeyringError from error
    try:
        yield
    except KeyringError as error:
        raise NoKeyringError from error
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise TwofoldError(f"the keyring failed: {type(error).__name__}: {reason}", HINT) from error


#: Prefix of the keyring's service names, to distinguish twofold's entries.
SERVICE = "twofold"


def find_credentials(
    target: TargetSettings, others: Sequence[TargetSettings] = ()
) -> Credentials | None:
    """Find the target's credentials; None if there are none.

    `others` are the other targets of the command. TWOFOLD_TOKEN counts if there are none, or if
    this is the only twofold registry; a tool's own variable, if no other target is of a kind
    that the tool knows.
    """
    if KINDS[target.kind].no_login:
        return None
    places = (
        _read_address,
        partial(_read_environment, others=others),
        _read_keyring,
        _read_configuration,
        _read_twine_keyring,
        _read_anaconda_client,
    )
    return next((found for place in places if (found := place(target)) is not None), None)


def clean_credentials(settings: TargetSettings, credentials: Credentials) -> Credentials:
    """Strip the line break that files and CI settings end in, and check the characters.

    Raises TwofoldError, which names the source and never the token, if the text cannot be sent
    in an HTTP header.
    """
    basic = KINDS[settings.kind].basic
    is_encoded = basic == "always" or (basic == "with user" and bool(credentials.user))
    text = (
        credentials.secret.reveal().strip("\r\n")
        if credentials.user
        else credentials.secret.reveal().strip()
    )
    if not text:
        raise TwofoldError(f"the token from {credentials.source} is empty", "set it, or remove it")
    if text[0] == text[-1] and text[0] in "\"'" and credentials.user in (None, "__token__"):
        raise TwofoldError(
            f"the token from {credentials.source} is in quotes", "set it without the quotes"
        )
    if not is_encoded and not (text.isascii() and text.isprintable() and " " not in text):
        raise TwofoldError(
            f"the token from {credentials.source} is malformed: it contains a space, a line break "
            "or a character that tokens never have",
            "copy the complete token again, without anything else",
        )
    return replace(credentials, secret=Secret(text))


def _read_address(target: TargetSettings) -> Credentials | None:
    return _read_configuration(target) if target.token_source == "the URL" else None


def _read_environment(
    target: TargetSettings, others: Sequence[TargetSettings]
) -> Credentials | None:
    names = [get_token_variable(target.name), target.token_env]
    is_registry = target.kind == "registry"
    if not others or (is_registry and not _has_kind(others, ("registry",))):
        names.append("TWOFOLD_TOKEN")
    if target.kind == "anaconda" and not _has_kind(others, ("anaconda",)):
        names += ["BINSTAR_API_TOKEN", "ANACONDA_API_TOKEN"]
    for name in filter(None, names):
        if os.environ.get(name):
            user = _choose_user(target, others)
            return Credentials(Secret(os.environ[name]), user, f"the environment ({name})")
    if _can_use_twine(target, others) and os.environ.get("TWINE_PASSWORD"):
        secret = Secret(os.environ["TWINE_PASSWORD"])
        return Credentials(secret, _choose_user(target, others), "the environment (TWINE_PASSWORD)")
    return _read_uv_environment(target) if _can_use_twine(target, others) else None


def _read_uv_environment(target: TargetSettings) -> Credentials | None:
    """uv's variables; its token has precedence over its password, as in uv."""
    for name in ("UV_PUBLISH_TOKEN", "UV_PUBLISH_PASSWORD"):
        if os.environ.get(name):
            is_token = name == "UV_PUBLISH_TOKEN"
            user = "" if is_token else os.environ.get("UV_PUBLISH_USERNAME", "") or target.user
            return Credentials(Secret(os.environ[name]), user or None, f"the environment ({name})")
    return None


def _has_kind(targets: Sequence[TargetSettings], kinds: Sequence[str]) -> bool:
    return any(target.kind in kinds for target in targets)


def _can_use_twine(target: TargetSettings, others: Sequence[TargetSettings]) -> bool:
    """Whether twine's variables can only mean this target: no other one is of twine's kinds."""
    return _is_twines(target) and not any(map(_is_twines, others))


def _is_twines(target: TargetSettings) -> bool:
    return KINDS[target.kind].is_uploaded_by_twine


def _choose_user(target: TargetSettings, others: Sequence[TargetSettings]) -> str | None:
    """The user that belongs to a secret from the environment."""
    twines = os.environ.get("TWINE_USERNAME", "") if _can_use_twine(target, others) else ""
    return twines or target.user or None


def _read_keyring(target: TargetSettings) -> Credentials | None:
    entries = (_keyring_entry(url, "") for url in _spell(target.url))
    token = next(filter(None, (read_keyring_password(*entry) for entry in entries)), None)
    return Credentials(token, target.user or None, "the keyring") if token else None


def _read_twine_keyring(target: TargetSettings) -> Credentials | None:
    if not _is_twines(target):
        return None
    for url in _spell(target.url):  # twine uses the URL as written in .pypirc
        found = read_keyring_login(url, target.user or None)
        if found is not None:
            user, password = found
            return Credentials(password, user, "the keyring (twine's)")
    return None


def _read_anaconda_client(target: TargetSettings) -> Credentials | None:
    if target.kind != "anaconda":
        return None
    token = read_anaconda_token(target.url)
    return Credentials(Secret(token), None, "anaconda-client's login") if token else None


def read_netrc_login(target: TargetSettings) -> Credentials | None:
    """The entry of the target's host, never the `default` one.

    Raises TwofoldError if the file is invalid.
    """
    if not KINDS[target.kind].is_web:
        return None
    host = urlsplit(target.url).hostname or ""
    places = [os.environ["NETRC"]] if os.environ.get("NETRC") else ["~/.netrc", "~/_netrc"]
    for place in places:
        path = Path(place).expanduser()
        if not path.is_file():
            continue
        logins = {name.casefold(): login for name, login in _read_netrc(path).items()}
        found = logins.get(host)
        if found is not None and found[2]:
            user = found[0] or target.user
            plain = None if user in ("__token__", "token") else user
            return Credentials(Secret(found[2]), plain or None, f"{place}")
    return None


def _read_netrc(path: Path) -> dict[str, tuple[str, str, str]]:
    """The entries of a netrc file by host: login, account and password.

    Raises TwofoldError if the file is invalid; its text, which holds passwords, is not repeated.
    """
    import netrc

    hint = "write one line for each: machine HOST login USER password PASSWORD"
    try:
        data = path.read_bytes()
        data.decode()
        # netrc takes no text: it opens a descriptor behind the byte order mark of some editors.
        descriptor = os.open(path, os.O_RDONLY)
        os.lseek(descriptor, 3 if data.startswith(codecs.BOM_UTF8) else 0, os.SEEK_SET)
        found = netrc.netrc(cast("str", descriptor)).hosts
    except netrc.NetrcParseError as error:
        message = f"line {error.lineno} is not valid"
        raise TwofoldError(message, hint, str(path)) from None
    except UnicodeDecodeError:
        raise TwofoldError("it is not encoded in UTF-8", "save it as UTF-8", str(path)) from None
    except OSError as error:
        message = f"it cannot be read: {error.strerror}"
        raise TwofoldError(message, "correct its permissions", str(path)) from None
    entries = ((host, [part or "" for part in entry]) for host, entry in found.items())
    return {host: (entry[0], entry[1], entry[2]) for host, entry in entries if host != "default"}


def _read_configuration(target: TargetSettings) -> Credentials | None:
    if target.token is None:
        return None
    return Credentials(target.token, target.user or None, target.token_source)


def _spell(url: str) -> tuple[str, str]:
    """A URL as it is written, and with or without a slash at its end."""
    return url, toggle_slash(url)


def _keyring_entry(url: str, user: str) -> tuple[str, str]:
    """The keyring's service and user name: twine's own entry if there is a user."""
    return (url, user) if user else (f"{SERVICE}:{url}", "token")


def store_in_keyring(url: str, token: Secret, user: str = "") -> bool:
    """Store a target's token in the keyring; False if no keyring is available."""
    return save_keyring_password(*_keyring_entry(url, user), token)


def remove_from_keyring(url: str, user: str = "") -> bool:
    """Remove a target's token from the keyring; returns whether there was one."""
    removed = [delete_keyring_password(*_keyring_entry(one, user)) for one in _spell(url)]
    return any(removed)
