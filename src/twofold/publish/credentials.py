"""Where a target's token is found, in one order for every kind of target.

1. the address itself, where the user wrote it there;
2. the environment: `TWOFOLD_TOKEN_<NAME>`, the variable the configuration names, `TWOFOLD_TOKEN`,
   and twine's `TWINE_PASSWORD` or anaconda-client's `ANACONDA_API_TOKEN`, these where they can
   only mean this target;
3. the keyring, as `twofold login` stores it;
4. the configuration, and ~/.pypirc for the names in it;
5. the keyring as twine uses it, and what `anaconda login` stored.

A token found for one target is never sent to another.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from twofold.errors import TwofoldError
from twofold.publish.addresses import Credentials, Secret
from twofold.publish.config import TargetSettings
from twofold.publish.external_config import read_anaconda_token

HINT = (
    "mend PYTHON_KEYRING_BACKEND or keyringrc.cfg ('keyring diagnose' tells of both), or do "
    "without: PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring"
)


class NoKeyringError(Exception):
    """There is none that answers."""


def read_keyring_password(service: str, user: str) -> Secret | None:
    """What a keyring holds for a user of a service."""
    import keyring

    try:
        with _translate_errors():
            found = keyring.get_password(service, user)
    except NoKeyringError:
        return None
    return Secret(found) if found else None


def read_keyring_login(service: str, user: str | None) -> tuple[str, Secret] | None:
    """A user, any where none is named, with the password: as twine asks for it."""
    import keyring

    try:
        with _translate_errors():
            found = keyring.get_credential(service, user)
    except NoKeyringError:
        return None
    return (found.username, Secret(found.password)) if found and found.password else None


def save_keyring_password(service: str, user: str, secret: Secret) -> bool:
    """Keep it; False when there is no keyring that can."""
    import keyring

    try:
        with _translate_errors():
            keyring.set_password(service, user, secret.reveal())
            return keyring.get_password(service, user) == secret.reveal()
    except NoKeyringError:
        return False


def delete_keyring_password(service: str, user: str) -> bool:
    """Remove it; whether there was one."""
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
    """Turns what keyrings raise, of whatever maker, into NoKeyring or an error with a hint."""
    from keyring.errors import KeyringError

    try:
        yield
    except KeyringError as error:
        raise NoKeyringError from error
    except Exception as error:
        told = str(error).partition("\n")[0]
        raise TwofoldError(f"the keyring fails: {type(error).__name__}: {told}", HINT) from error


#: The keyring's service begins with this, so that twofold's entries are told from others'.
SERVICE = "twofold"

#: The kinds that twine uploads to.
TWINE_KINDS = ("pypi", "legacy")


def get_token_variable(target: str) -> str:
    """`TWOFOLD_TOKEN_LAB` for a target called `lab`."""
    return "TWOFOLD_TOKEN_" + re.sub(r"[^A-Z0-9]+", "_", target.upper()).strip("_")


def find_credentials(
    target: TargetSettings, others: Sequence[TargetSettings] = ()
) -> Credentials | None:
    """The target's credentials; None when there are none.

    `others` are the targets beside it. TWOFOLD_TOKEN can only mean this one where there are none,
    or where it is the only twofold registry; a tool's own variable, where no other target is of a
    kind that tool knows.
    """
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
    """The credentials as they can be sent: without the line break that files and CI's settings end
    in, and, where they go into a header as they are, in its letters.

    Raises TwofoldError, which names the source and never the token, for what cannot be one.
    """
    is_encoded = settings.kind in TWINE_KINDS or (
        settings.kind == "artifactory" and credentials.user
    )
    text = (
        credentials.secret.reveal().strip("\r\n")
        if credentials.user
        else credentials.secret.reveal().strip()
    )
    if not text:
        raise TwofoldError(f"the token from {credentials.source} is blank", "set it, or remove it")
    if not is_encoded and not (text.isascii() and text.isprintable() and " " not in text):
        raise TwofoldError(
            f"the token from {credentials.source} cannot be one: it holds a space, a line break "
            "or a letter that no token has",
            "put it there again, alone and whole",
        )
    return replace(credentials, secret=Secret(text))


def _read_address(target: TargetSettings) -> Credentials | None:
    return _read_configuration(target) if target.token_source == "the address" else None


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
    return None


def _has_kind(targets: Sequence[TargetSettings], kinds: Sequence[str]) -> bool:
    return any(target.kind in kinds for target in targets)


def _can_use_twine(target: TargetSettings, others: Sequence[TargetSettings]) -> bool:
    return target.kind in TWINE_KINDS and not _has_kind(others, TWINE_KINDS)


def _choose_user(target: TargetSettings, others: Sequence[TargetSettings]) -> str | None:
    """The user to go with a secret of the environment."""
    twines = os.environ.get("TWINE_USERNAME", "") if _can_use_twine(target, others) else ""
    return twines or target.user or None


def _read_keyring(target: TargetSettings) -> Credentials | None:
    token = read_keyring_password(*_keyring_entry(target.url, ""))
    return Credentials(token, target.user or None, "the keyring") if token else None


def _read_twine_keyring(target: TargetSettings) -> Credentials | None:
    if target.kind not in TWINE_KINDS:
        return None
    for address in (target.url, target.url.rstrip("/")):  # twine keeps what .pypirc says
        found = read_keyring_login(address, target.user or None)
        if found is not None:
            user, password = found
            return Credentials(password, user, "the keyring (twine's)")
    return None


def _read_anaconda_client(target: TargetSettings) -> Credentials | None:
    if target.kind != "anaconda":
        return None
    token = read_anaconda_token(target.url)
    return Credentials(Secret(token), None, "anaconda-client's login") if token else None


def _read_configuration(target: TargetSettings) -> Credentials | None:
    if target.token is None:
        return None
    return Credentials(target.token, target.user or None, target.token_source)


def _keyring_entry(url: str, user: str) -> tuple[str, str]:
    """The keyring's service and name: twine's own place when there is a user."""
    return (url, user) if user else (f"{SERVICE}:{url}", "token")


def store_in_keyring(url: str, token: Secret, user: str = "") -> bool:
    """Keep a target's token in the keyring; False when there is no keyring that can."""
    return save_keyring_password(*_keyring_entry(url, user), token)


def remove_from_keyring(url: str, user: str = "") -> bool:
    """Remove a target's token from the keyring; whether there was one."""
    return delete_keyring_password(*_keyring_entry(url, user))
