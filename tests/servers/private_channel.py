"""A conda channel that requires a token."""

from __future__ import annotations

import http.server
from typing import ClassVar


class PrivateChannel(http.server.SimpleHTTPRequestHandler):
    """A channel below /private/ that requires a token; records the tokens sent to other paths."""

    elsewhere: ClassVar[list[str]] = []

    def log_request(self, *_: object) -> None:
        return None

    def do_GET(self) -> None:
        login = self.headers.get("Authorization", "")
        if self.path.startswith("/private/"):
            if login != "Bearer secret-token":
                self.send_error(401)
                return
            self.path = self.path.removeprefix("/private")
        else:
            self.elsewhere.append(login)
        super().do_GET()

    do_HEAD = do_GET
