"""Whether the values in a file of settings can be secrets: a schema, a template with placeholders
and a text for people hold none, whatever the file is called."""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: Keys whose value is known not to be a secret, in files that hold credentials.
_PLAIN_KEYS = re.compile(
    r"\$.*|type|version|name|title|description|comment|help|label|kind|apiversion|namespace"
    r"|.*ur[il]s?|scopes?|region|output|project(?:_?id)?|e?mail|client_?(?:id|email)|user(?:name)?"
    r"|host(?:name)?|port|provider|repository|index-servers|javascript_origins|universe_domain",
    re.IGNORECASE,
)
#: Text that stands where a value is to be written.
_PLACEHOLDER = re.compile(
    r"[<\[{(\"']*your|change[-_ ]?(?:me|it|this)|replace[-_ ]|<[^<>]*>|\$\{[^{}]*\}|\$\w+"
    r"|\{\{[^{}]*\}\}|%\(\w+\)s|@\w+@|%\w+%|\{\w+\}|(?:x{3,}|\*{3,}|\.{3,}|0{6,})\Z|__\w+__\Z"
    r"|(?:an?[-_ ])?(?:example|placeholder|dummy|fake|sample|insert|todo|redacted)(?![a-z0-9])"
    r"|(?:[A-Z]+[-_ ])*(?:HERE|EXAMPLE|PLACEHOLDER|REDACTED)\Z",
    re.IGNORECASE,
)
_PLAIN_VALUES = re.compile(
    r"(?:true|false|yes|no|on|off|null|none|~|\d{1,5}(?:\.\d{1,3})?)?", re.IGNORECASE
)
_HAS_USER = re.compile(r"[a-z][a-z0-9+.-]*://[^\s@/]*:[^\s@/]+@", re.IGNORECASE)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^\s@]*", re.IGNORECASE)
#: Several words for people: letters and marks only, and no key that asks for a password.
_WORDS = re.compile(
    r"[^\W\d_]+(?:['-][^\W\d_]+)*[,.:;!?]?(?: [^\W\d_]+(?:['-][^\W\d_]+)*[,.:;!?]?)+"
)
#: One word as texts for people have it: letters, a capital at the beginning at most.
_WORD = re.compile(r"[^\W\d_][a-z\u00df-\u00f6\u00f8-\u00ff]{1,20}[,.:;!?]?")
_ASKS = re.compile(
    r"pass(?:word|wd|phrase)?|secret|token|credential|private|api_?key", re.IGNORECASE
)
_LINE = re.compile(
    r"(?:export[ \t]+)?(?:-[ \t]+)?[\"']?(?P<key>[\w.$ -]{1,100}?)[\"']?[ \t]*[:=](?P<value>.*)"
)
#: Files of values are small.
_MAX_LENGTH = 64 << 10


def holds_no_secret(text: str, is_json: bool, is_text: bool) -> bool:
    """Whether every value of a file is known not to be a secret.

    What cannot be read as `key: value` or JSON may be one. `is_text` admits plain prose too.
    """
    if len(text) > _MAX_LENGTH:
        return False
    if is_json:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return False
        return _is_schema(document) or not any(
            _may_be_secret(key, value) for key, value in _leaves("", document)
        )
    return not any(
        _may_be_secret(key, value) and not (is_text and key and _is_word(key, value))
        for key, value in _values(text, is_text)
    )


def _is_word(key: str, value: str) -> bool:
    """Whether a value is a single word, as a translation has it, under a key that asks for none."""
    return bool(_WORD.fullmatch(value)) and not _ASKS.search(key)


def _is_schema(document: object) -> bool:
    """Whether a JSON document describes the form of others."""
    if not isinstance(document, dict):
        return False
    names_schema = "json-schema" in str(document.get("$schema", ""))
    properties = document.get("properties")
    describes = isinstance(properties, dict) and all(
        isinstance(p, dict) for p in properties.values()
    )
    return describes and (names_schema or document.get("type") == "object")


def _leaves(key: str, value: object) -> Iterator[tuple[str, str]]:
    waiting = [(key, value)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(key, item) for item in value]
        else:
            yield key, "" if value is None else str(value)


def _values(text: str, is_text: bool) -> Iterator[tuple[str, str]]:
    """Key and value of each line; a line without a key is a value itself."""
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith(("#", ";", "//", "{%", "{#")) or line in ("---", "..."):
            continue
        if line.startswith("[") and line.endswith("]"):
            continue
        found = _LINE.fullmatch(line)
        if found and not (is_text and _WORDS.fullmatch(line)):
            value = re.sub(r"(?:^|\s)#.*", "", found["value"]).strip().strip("\"'").strip()
            yield found["key"].strip(), value
        else:
            yield "", line.removeprefix("- ").strip("\"'")


def _may_be_secret(key: str, value: str) -> bool:
    if _PLAIN_VALUES.fullmatch(value) or _PLACEHOLDER.match(value) or _ADDRESS.fullmatch(value):
        return bool(_ASKS.search(key) and value.isdigit())
    if _PLAIN_KEYS.fullmatch(key) and not _HAS_USER.match(value):
        return False
    return not _WORDS.fullmatch(value) or bool(_ASKS.search(key))
