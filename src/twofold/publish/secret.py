"""A secret that cannot be printed by accident, and the washing of texts that may hold one."""

from __future__ import annotations

import base64
from collections.abc import Iterable


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


def without_secrets(text: str, secrets: Iterable[Secret]) -> str:
    """The text with every secret replaced, plain or as it stands in an HTTP Basic header."""
    for secret in secrets:
        plain = secret.reveal()
        if not plain:
            continue
        for form in (plain, *_basic_forms(plain)):
            text = text.replace(form, "***")
    return text


def _basic_forms(plain: str) -> list[str]:
    """The base64 of `user:secret` for the users that tokens come with."""
    return [base64.b64encode(f"{u}:{plain}".encode()).decode() for u in ("__token__", "", plain)]
