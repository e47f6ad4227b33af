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
    r"|\$\([^()]*\)\Z"
    r"|\{\{[^{}]*\}\}|%\(\w+\)s|@\w+@|%\w+%|\{\w+\}|(?:x{3,}|\*{3,}|\.{3,}|0{6,})\Z|__\w+__\Z"
    r"|(?:an?[-_ ])?(?:example|placeholder|dummy|fake|sample|insert|todo|redacted)(?![a-z0-9])"
    r"|(?:[A-Z]+[-_ ])*(?:HERE|EXAMPLE|PLACEHOLDER|REDACTED)\Z",
    re.IGNORECASE,
)
_PLAIN_VALUES = re.compile(
    r"(?:true|false|yes|no|on|off|null|none|~|\d{1,5}(?:\.\d{1,3}){0,3})?", re.IGNORECASE
)
_HAS_USER = re.compile(r"[a-z][a-z0-9+.-]*://[^\s@/:]*:[^\s@/]+@", re.IGNORECASE)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^\s@]*", re.IGNORECASE)
#: Several words for people: letters and marks only, and no key that asks for a password.
_WORDS = re.compile(
    r"[^\W\d_]+(?:['-][^\W\d_]+)*[,.:;!?]?(?: [^\W\d_]+(?:['-][^\W\d_]+)*[,.:;!?]?)+"
)
#: One word as texts for people have it: letters, a capital at the beginning at most.
_WORD = re.compile(r"[^\W\d_][a-z\u00df-\u00f6\u00f8-\u00ff]{1,20}[,.:;!?]?")
#: A word of a script without capitals.
_FOREIGN_WORD = re.compile(r"[^\W\d_a-zA-Z]{1,20}")
#: A word as programs have it: the value of a type, a kind or a name.
_IDENTIFIER = re.compile(r"[a-z]{1,20}(?:[-_][a-z]{1,20}){0,4}")
_PATH = re.compile(r"(?:\.{1,2}|~)?/[\w./@+-]{0,60}|\.[a-z_]{1,20}")
#: Commands of direnv and of the shell that hold no value.
_COMMAND = re.compile(
    r"(?:use|layout|source_(?:up|env|url)(?:_if_exists)?|(?:PATH|MANPATH|path)_(?:add|rm)|dotenv\w*"
    r"|watch_\w+|strict_env|unset|if|then|else|elif|fi)(?:[ \t;](?![^=]*=\s*[^\s\"']).*)?"
)
_ASKS = re.compile(
    r"pass(?:word|wd|phrase)?|secret|token|credential|private|api_?key", re.IGNORECASE
)
_LINE = re.compile(
    r"(?:export[ \t]++)?(?:-[ \t]++)?[\"']?"
    r"(?P<key>[\w.$ -]{1,100}?)[\"']?[ \t]*+[:=](?P<value>.*)"
)
#: Files of values are small.
_MAX_LENGTH = 64 << 10


def holds_no_secret(text: str, suffix: str) -> bool:
    """Whether every value of a file is known not to be a secret.

    What cannot be read as `key: value` or JSON may be one. By its suffix a file may be JSON, YAML
    (single words are no secrets there), direnv's (commands beside values), prose (`.key`), the
    settings of tests (`.dotenv`: single words too) or their logins (`.netrc`).
    """
    if len(text) > _MAX_LENGTH:
        return False
    if suffix == ".json":
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return False
        return _is_schema(document) or not any(
            _may_be_secret(key, value) for key, value in _leaves("", document)
        )
    # Beside sentences a line of one word is a text too, and no password.
    has_sentence = suffix == ".key" and any(
        map(_WORDS.fullmatch, map(str.strip, text.splitlines()))
    )
    return not any(
        _may_be_secret(key, value) and not ((key or has_sentence) and _is_word(key, value, suffix))
        for key, value in _values(text, suffix)
    )


def _is_word(key: str, value: str, suffix: str) -> bool:
    """Whether a value is a word of a text or of a program, under a key that asks for no secret."""
    forms = {
        ".key": (_WORD,),
        ".yaml": (_IDENTIFIER, _PATH),
        ".envrc": (_PATH,),
        ".dotenv": (_IDENTIFIER, _PATH, _FOREIGN_WORD),
        ".netrc": (_IDENTIFIER,),
    }
    is_word = any(form.fullmatch(value) for form in forms.get(suffix, ()))
    return is_word and not _ASKS.search(key)


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


def _values(text: str, suffix: str) -> Iterator[tuple[str, str]]:
    """Key and value of each line; a line without a key is a value itself."""
    if suffix == ".netrc":
        pairs = re.findall(r"\b(login|account|password|macdef)\s+(\S+)", text)
        yield from pairs or [("", text)]
        return
    is_text = suffix == ".key"
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith(("#", ";", "//", "{%", "{#")) or line in ("---", "..."):
            continue
        if line.startswith("[") and line.endswith("]"):
            continue
        if suffix == ".envrc" and _COMMAND.fullmatch(line):
            continue
        found = _LINE.fullmatch(line)
        if found and not (is_text and _WORDS.fullmatch(line)):
            value = re.sub(r"(?:^|\s)#.*", "", found["value"]).strip().strip("\"'").strip()
            key = found["key"].strip()
            if suffix == ".yaml" and re.fullmatch(r"\{(?!\{).*\}|\[.*\]", value):
                yield from _flow_values(key, value)
            else:
                yield key, value
        else:
            yield "", line.removeprefix("- ").strip("\"'")


def _flow_values(key: str, value: str) -> Iterator[tuple[str, str]]:
    """Key and value of each entry of a flow collection of YAML: `[a, {b: c}]`."""
    for entry in re.split(r"[\[\]{},]", value):
        name, colon, inner = entry.partition(":")
        yield (name.strip() or key, inner.strip(" \"'")) if colon else (key, entry.strip(" \"'"))


def _may_be_secret(key: str, value: str) -> bool:
    if _PLAIN_VALUES.fullmatch(value) or _PLACEHOLDER.match(value) or _ADDRESS.fullmatch(value):
        return bool(_ASKS.search(key) and value.isdigit())
    if _PLAIN_KEYS.fullmatch(key) and not _HAS_USER.match(value):
        return False
    return not _WORDS.fullmatch(value) or bool(_ASKS.search(key))
