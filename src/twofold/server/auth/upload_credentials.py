"""What an upload was made with: a token, a password, a browser, a CI run; recorded with the file.

The uploader of a file is a user; of a trusted publisher's it is the channel's owner, for whom the
publisher's token was minted, so that the credential says more than the name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twofold.server.model import Actor

#: Kinds of credentials. UPSTREAM and IMPORT are the registry's own, not a user's.
TOKEN, PASSWORD, BROWSER, PUBLISHER = "token", "password", "browser", "publisher"
OPERATOR, UPSTREAM, IMPORT = "operator", "upstream", "import"


@dataclass(frozen=True, slots=True)
class UploadCredential:
    """A kind of credential; `name` is the token's, `claims` are those of a CI run."""

    kind: str
    name: str = ""
    claims: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_users(self) -> bool:
        """Whether it is a user's own, and not that of a CI run or of the registry."""
        return self.kind in (TOKEN, PASSWORD, BROWSER)


def describe_credential(actor: Actor, is_fetched: bool, is_imported: bool) -> str:
    """Return the JSON to record with a file that this actor uploads."""
    if is_fetched or is_imported:
        return json.dumps({"kind": UPSTREAM if is_fetched else IMPORT})
    token = actor.token
    if token is not None and "publisher" in token.application:
        return json.dumps({"kind": PUBLISHER, "claims": token.application["publisher"]})
    if actor.session is not None:
        return json.dumps({"kind": BROWSER})
    if token is not None:
        return json.dumps({"kind": TOKEN, "name": token.name})
    return json.dumps({"kind": OPERATOR if actor.operator else PASSWORD})


def parse_credential(text: str | None) -> UploadCredential | None:
    """Return what was recorded; None for a file of the time before."""
    if text is None:
        return None
    found: dict[str, Any] = json.loads(text)
    return UploadCredential(found["kind"], found.get("name", ""), found.get("claims", {}))
