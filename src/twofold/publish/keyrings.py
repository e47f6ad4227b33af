"""The keyring's door. A keyring that is locked or not there holds nothing: other places follow. One
that is set up wrongly, or breaks, is told: its user believes that the tokens are in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from twofold.errors import TwofoldError
from twofold.publish.secret import Secret

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
