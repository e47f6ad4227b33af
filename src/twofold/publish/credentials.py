"""Where a target's token is found, in one order for every kind of target.

1. the environment: `TWOFOLD_TOKEN_<NAME>`, the variable the configuration names, and
   `TWOFOLD_TOKEN` when it can only mean this target; twine's `TWINE_PASSWORD` for PyPI's kind;
2. the keyring, as `twofold login` stores it, and as twine does for the same address;
3. the configuration, and ~/.pypirc for the names in it.

A token found for one target is never sent to another.
"""

from __future__ import annotations

import os
import re

from twofold.publish.authentication import Credentials
from twofold.publish.configuration import TargetSettings
from twofold.publish.secret import Secret

#: The keyring's service begins with this, so that twofold's entries are told from others'.
SERVICE = "twofold"


def environment_name(target: str) -> str:
    """`TWOFOLD_TOKEN_LAB` for a target called `lab`."""
    return "TWOFOLD_TOKEN_" + re.sub(r"[^A-Z0-9]+", "_", target.upper()).strip("_")


def find_credentials(target: TargetSettings, alone: bool) -> Credentials | None:
    """The target's credentials; None when there are none.

    `alone` says that TWOFOLD_TOKEN can only mean this target: it is the only one, or the only
    twofold registry among several.
    """
    return _from_environment(target, alone) or _from_keyring(target) or _from_configuration(target)


def _from_environment(target: TargetSettings, alone: bool) -> Credentials | None:
    names = [environment_name(target.name), target.token_env]
    if alone:
        names.append("TWOFOLD_TOKEN")
    for name in filter(None, names):
        if os.environ.get(name):
            user = target.user or None
            return Credentials(Secret(os.environ[name]), user, f"the environment ({name})")
    if target.kind in ("pypi", "legacy") and alone and os.environ.get("TWINE_PASSWORD"):
        user = os.environ.get("TWINE_USERNAME") or target.user or None
        secret = Secret(os.environ["TWINE_PASSWORD"])
        return Credentials(secret, user, "the environment (TWINE_PASSWORD)")
    return None


def _from_keyring(target: TargetSettings) -> Credentials | None:
    import keyring
    import keyring.errors

    try:
        token = keyring.get_password(f"{SERVICE}:{target.url}", "token")
        if token:
            return Credentials(Secret(token), target.user or None, "the keyring")
        if target.kind in ("pypi", "legacy"):
            found = keyring.get_credential(target.url, target.user or None)
            if found is not None and found.password:
                return Credentials(Secret(found.password), found.username, "the keyring (twine's)")
    except keyring.errors.KeyringError:
        return None  # a locked or broken keyring is as good as none; other places follow
    return None


def _from_configuration(target: TargetSettings) -> Credentials | None:
    if target.token is None:
        return None
    return Credentials(target.token, target.user or None, "the configuration")


def _entry(url: str, user: str) -> tuple[str, str]:
    """The keyring's service and name: twine's own place when there is a user."""
    return (url, user) if user else (f"{SERVICE}:{url}", "token")


def store_in_keyring(url: str, token: Secret, user: str = "") -> bool:
    """Keep a token in the keyring; False when there is no keyring that can."""
    import keyring
    import keyring.errors

    place = _entry(url, user)
    try:
        keyring.set_password(*place, token.reveal())
        return keyring.get_password(*place) == token.reveal()
    except (keyring.errors.KeyringError, RuntimeError):
        return False


def forget_in_keyring(url: str, user: str = "") -> bool:
    """Remove a token from the keyring; whether there was one."""
    import keyring
    import keyring.errors

    place = _entry(url, user)
    try:
        if keyring.get_password(*place) is None:
            return False
        keyring.delete_password(*place)
    except (keyring.errors.KeyringError, RuntimeError):
        return False
    return True
