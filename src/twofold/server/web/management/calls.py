"""What a call of the management API is: one row of the table that routes and document come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from twofold.server.model import Actor
from twofold.server.registry import Registry
from twofold.server.registry.managing import Needs
from twofold.server.web.management import words
from twofold.server.web.management.schema import Schema

#: Where all calls stand.
BASE = "/api/manage"


@dataclass(frozen=True)
class Asked:
    """A request that was found right: who asks, and the words of path, query and body.

    `guess(user)` is held around the check of a password.
    """

    registry: Registry
    actor: Actor
    words: Mapping[str, Any]
    guess: Callable[[str], AbstractContextManager[None]]

    def __getitem__(self, name: str) -> Any:
        return self.words[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.words.get(name, default)


@dataclass(frozen=True)
class Fields:
    """The fields of a body or a query: name -> schema, and which must be there."""

    named: Mapping[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What a call answers with: a name among the shapes ('' for no content), one or a list."""

    shape: str = ""
    is_list: bool = False
    status: int = 200
    media: str = "application/json"


@dataclass(frozen=True)
class Call:
    """`path` begins behind BASE; `act` gives the JSON value of the answer. `text` is a sentence."""

    method: str
    path: str
    name: str
    text: str
    needs: Needs
    act: Callable[[Asked], Any]
    answer: Answer = field(default_factory=lambda: Answer(status=204))
    body: Fields | None = None
    query: Fields = field(default_factory=Fields)

    @property
    def in_path(self) -> dict[str, Schema]:
        """The parameters of the path, in its order."""
        return {name: words.IN_PATH[name] for name in re.findall(r"\{(\w+)\}", self.path)}
