"""What a call of the management API is: one row of the table that routes and document come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from twofold.server.auth.required_roles import RequiredRole
from twofold.server.context import Registry
from twofold.server.model import Actor
from twofold.server.web.management import words
from twofold.server.web.management.parameters import Schema

#: Where all calls stand.
BASE = "/api/manage"


@dataclass(frozen=True)
class RequestContext:
    """A request that was found right: who asks, and the words of path, query and body.

    `guess(user)` is held around the check of a password.
    """

    registry: Registry
    actor: Actor
    parameters: Mapping[str, Any]
    rate_limited: Callable[[str], AbstractContextManager[None]]

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.parameters.get(name, default)


@dataclass(frozen=True)
class FieldSpec:
    """The fields of a body or a query: name -> schema, and which must be there."""

    named: Mapping[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResponseSpec:
    """What a call answers with: a name among the shapes ('' for no content), one or a list."""

    schema: str = ""
    is_list: bool = False
    status: int = 200
    media: str = "application/json"


@dataclass(frozen=True)
class Endpoint:
    """`path` begins behind BASE; `act` gives the JSON value of the answer. `text` is a sentence."""

    method: str
    path: str
    name: str
    summary: str
    required_role: RequiredRole
    action: Callable[[RequestContext], Any]
    response: ResponseSpec = field(default_factory=lambda: ResponseSpec(status=204))
    body: FieldSpec | None = None
    query: FieldSpec = field(default_factory=FieldSpec)

    @property
    def path_fields(self) -> dict[str, Schema]:
        """The parameters of the path, in its order."""
        return {name: words.IN_PATH[name] for name in re.findall(r"\{(\w+)\}", self.path)}
