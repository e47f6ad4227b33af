"""What a server said: its words found wherever servers put them (body, problem+json, reason)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class HttpResult:
    """An HTTP answer, read whole."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")


def explain(result: HttpResult) -> str:
    """One line of why, from the most telling place: a JSON field, plain text, the reason phrase."""
    said = _find_reason(result.json())
    if not said and "html" not in _read_media_type(result):
        said = result.text().strip().partition("\n")[0][:500]
    if not said and "html" in _read_media_type(result):
        found = re.search(r"<(?:title|h1)>(.*?)</", result.text(), re.I | re.S)
        said = found.group(1).strip() if found else ""
    return " ".join((said or result.reason or "no reason given").split())


def read_hint(answer: HttpResult) -> str:
    """What the server itself says to do (`hint`, as a twofold registry answers); '' for nothing."""
    value = answer.json()
    told = value.get("hint") if isinstance(value, dict) else None
    return " ".join(told.split()) if isinstance(told, str) else ""


def is_name_taken(answer: HttpResult) -> bool:
    """Whether an index refuses because the name is taken.

    409 by RFC 9110; `File already exists` is the legacy API's contract.
    """
    text = f"{answer.reason} {answer.text()}".lower()
    return answer.status == 409 or (
        answer.status in (400, 403)
        and any(
            words in text
            for words in ("already exist", "already been taken", "already uploaded", "duplicate")
        )
    )


def _read_media_type(answer: HttpResult) -> str:
    return {k.lower(): v for k, v in answer.headers.items()}.get("content-type", "")


def _find_reason(value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return ""
    reasons = _join_errors(value.get("errors"))
    for key in ("message", "error", "detail", "title", "code"):
        if isinstance(value.get(key), str) and value[key]:
            return f"{value[key]}: {reasons}" if reasons else str(value[key])
        if isinstance(value.get(key), dict):
            return _find_reason(value[key])
    return reasons


def _join_errors(errors: Any) -> str:
    """The reasons of a list of errors, as PyPI's and Artifactory's answers hold them."""
    told = []
    for error in errors if isinstance(errors, list) else []:
        described = error.get("description") if isinstance(error, dict) else None
        told.append(str(described or _find_reason(error)))
    return "; ".join(filter(None, told))
