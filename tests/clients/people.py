"""Somebody with a browser: cookies, forms with their tokens, no script."""

from __future__ import annotations

import html
import re
from typing import Any

import requests

_INPUT = re.compile(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"')


class Person:
    """A browser on one registry. Redirects are followed; `token` fills a form's field `csrf`."""

    def __init__(self, url: str, ca: str | None = None) -> None:
        self.url = url
        self.http = requests.Session()
        self.http.headers.update({"Accept": "text/html", "User-Agent": "Test/1.0"})
        self.http.trust_env = False
        self.http.verify = ca or True

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.http.get(f"{self.url}{path}", timeout=60, **options)

    def token(self, path: str = "/-/sign-in") -> str:
        """Return the token of the forms on a page."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(path).text)
        assert found, f"{path} has no form"
        return found[1]

    def send(self, path: str, **fields: Any) -> requests.Response:
        """Send the fields as they are."""
        return self.http.post(
            f"{self.url}{path}",
            data={name.rstrip("_"): value for name, value in fields.items()},
            headers={"Origin": self.url, "Sec-Fetch-Site": "same-origin"},
            timeout=60,
        )

    def sign_in(self, user: str, password: str, target: str = "/-/account") -> requests.Response:
        return self.send("/-/sign-in", csrf=self.token(), user=user, password=password, next=target)

    def act(self, name: str, /, **fields: Any) -> requests.Response:
        """Send the form of a call of the management API, with what it has hidden."""
        page = self.get(f"/-/manage/act/{name}", params=_simple(fields))
        assert page.ok, page.text
        hidden = {
            key: html.unescape(value)
            for key, value in _INPUT.findall(page.text)
            if key == "csrf" or key.startswith("before-")
        }
        return self.http.post(
            f"{self.url}/-/manage/act/{name}",
            data={**hidden, **fields},
            headers={"Origin": self.url},
            timeout=60,
        )

    @property
    def cookies(self) -> str:
        """The cookies as the browser sends them."""
        return "; ".join(f"{one.name}={one.value}" for one in self.http.cookies)

    @property
    def is_signed_in(self) -> bool:
        answer = self.get("/-/account", allow_redirects=False)
        return answer.status_code == 200


def _simple(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in ("channel", "project", "user")}
