"""The words that requests are made of, each with what it may hold."""

from __future__ import annotations

from twofold.server.auth.accounts import RESERVED
from twofold.server.registry.lifecycle import STATUSES
from twofold.server.web.management.parameters import Schema, choice, flag, list_of, number, text

_NAME = r"[a-z0-9][a-z0-9_-]{0,63}"
_PROJECT = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?"
_VERSION = r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,99}"

USER = text("name of a user or an organisation", _NAME)
CHANNEL = text("name of a channel", _NAME)
NEW_NAME: Schema = {
    **text("lower-case letters, digits, - and _; not a word that addresses begin with", _NAME),
    "not": {"enum": sorted(RESERVED)},
}
PROJECT = text("name of a project, in any spelling", _PROJECT)
VERSION = text("version of a release, as its files have it", _VERSION)
LABEL = text("name of a label", r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
FILE = text("name of a file", r"[A-Za-z0-9_][A-Za-z0-9_.+!~-]{0,254}")
BASENAME = text(
    "name of a file, with its subdir before it if it is conda's", max_length=300, min_length=1
)
SUBDIR = text("conda's subdir; none for files of the PyPI side", r"[a-z0-9][a-z0-9_-]{0,40}")
PASSWORD = text("at least 8 characters", min_length=8, max_length=1000)
REASON = text("shown to people", max_length=1000)
ROLE = choice("each includes the ones before it", "read", "upload", "admin")
ACTION = ROLE
ID = number("as lists show it", minimum=1)
STATUS = choice("PEP 792", *STATUSES)
DELETION = choice("who may delete", "upload", "admin", "never")
KIND = choice("pypi: an index's simple pages; conda: a channel", "pypi", "conda")
AFTER = number("only what comes after this id")
LIMIT = number("how many at most", minimum=1, maximum=1000)
DRY_RUN = flag("only say what would be done")
KEEP = number("how many of a project's newest releases stay", minimum=1, maximum=100_000)
DAYS = number("only what is older than so many days", maximum=100_000)
ADDRESS = text("https address", r"https://[^\s]+", max_length=500)
PREFIX = text("beginning of names, normalised", r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
PREFIXES = list_of(
    text("a name or a beginning of names", max_length=100, min_length=1), "never asked for"
)
CLAIM_VALUES = "claim -> the value a run must have; * stands for any text"

IN_PATH: dict[str, Schema] = {
    "user": {**USER, "examples": ["owner"]},
    "organisation": {**USER, "examples": ["operators"]},
    "channel": {**CHANNEL, "examples": ["main"]},
    "project": {**PROJECT, "examples": ["my-package"]},
    "version": {**VERSION, "examples": ["1.0.0"]},
    "label": {**LABEL, "examples": ["main"]},
    "file": FILE,
    "id": ID,
    "kind": KIND,
    "prefix": PREFIX,
}
