"""A secret that cannot be printed by accident, and the washing of texts that may hold one."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from urllib.parse import quote


class Secret:
    """A token or password; its text comes out through `reveal` alone."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")


def redact_secrets(text: str, secrets: Iterable[Secret]) -> str:
    """The text with every secret replaced: plain, as in an address, or as in an HTTP Basic header
    of a token."""
    plain = [secret.reveal() for secret in secrets if secret.reveal()]
    forms = {form for one in plain for form in (one, quote(one), quote(one, safe=""))}
    forms |= {form for one in plain for form in _list_basic_forms(one)}
    for form in sorted(forms, key=len, reverse=True):  # the longest that holds another first
        text = text.replace(form, "***")
    return text


def encode_basic(user: str, secret: Secret) -> Secret:
    """A password as it stands in an HTTP Basic header with its user: as secret as itself."""
    return Secret(base64.b64encode(f"{user}:{secret.reveal()}".encode()).decode())


def _list_basic_forms(plain: str) -> list[str]:
    """The base64 of `user:secret` for the users that tokens come with."""
    users = ("__token__", "", plain)
    return [encode_basic(user, Secret(plain)).reveal() for user in users]
