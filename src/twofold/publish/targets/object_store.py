"""The objects of an S3 bucket, by obstore: read, put with conditions, errors in our words."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from twofold.errors import Problem, TwofoldError, Unreachable
from twofold.extras import require_extra
from twofold.fetching import require_online
from twofold.publish.addresses import redact_url
from twofold.publish.responses import LARGEST_ANSWER
from twofold.publish.transport.response_bodies import get_file_limit

OPTIONS = ("endpoint", "region")

#: Error codes of S3 -> the hint.
_HINTS = {
    "NoSuchBucket": "create it first, or check its name, region and endpoint",
    "AccessDenied": "give this key the permission to read and write objects in the bucket",
    "RequestTimeTooSkewed": "correct this machine's clock",
    "PermanentRedirect": "write the bucket's region: s3://BUCKET/PATH?region=REGION",
    "AuthorizationHeaderMalformed": "write the bucket's region: s3://BUCKET/PATH?region=REGION",
}
_KEYS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or your AWS profile"
_CONNECTION = "check the endpoint (s3://BUCKET/PATH?endpoint=https://HOST), and the network"


class ObjectExistsError(Exception):
    """An object that must be new is there, or one that must be unchanged is not."""


class ObjectStore:
    """The objects below a prefix of a bucket; keys are relative to it."""

    def __init__(self, url: str) -> None:
        """Raises TwofoldError if the URL or its options are invalid, or obstore is missing."""
        self.name = url.partition("?")[0].rstrip("/")
        require_online(self.name)
        self._store = _open_store(url)

    def find_problem(self) -> Problem | None:
        """Why the bucket cannot be used; None too if the key may not list it, as is common."""
        import obstore
        from obstore.exceptions import PermissionDeniedError

        try:
            with self._translate("list"):
                next(iter(obstore.list(self._store, chunk_size=1)), None)
        except Unreachable as error:
            is_denied = isinstance(error.__cause__, PermissionDeniedError)
            return None if is_denied else error.problems[0]
        return None

    def read(self, key: str) -> tuple[bytes, str] | None:
        """The bytes of an object, and its ETag; None if there is none."""
        found = self._get(key)
        if found is None:
            return None
        with self._translate(f"read {key}"):
            if found.meta["size"] > LARGEST_ANSWER:
                raise TwofoldError(
                    f"{self.name}/{key} has more than {LARGEST_ANSWER >> 20} MiB",
                    "check the path of the bucket: this is no page of an index",
                )
            return bytes(found.bytes()), str(found.meta["e_tag"] or "")

    def read_page(self, key: str) -> tuple[dict[str, Any], str]:
        """A page in JSON, and its ETag; an empty page and '' if there is none.

        Raises TwofoldError if it is no JSON object.
        """
        found = self.read(key)
        if found is None:
            return {}, ""
        try:
            page = json.loads(found[0])
        except ValueError:
            page = None
        if not isinstance(page, dict):
            raise TwofoldError(
                f"{self.name}/{key} is not a JSON object, so no file can be added to it",
                "restore it, or make the pages again: 'twofold index' of a copy of the folder",
            )
        return page, found[1]

    def compute_sha256(self, key: str, size: int) -> str | None:
        """The SHA-256 of an object, which ours has `size` bytes of; None if there is none."""
        found = self._get(key)
        if found is None:
            return None
        digest = hashlib.sha256()
        with self._translate(f"read {key}"):
            if found.meta["size"] > get_file_limit(size):
                raise TwofoldError(
                    f"{self.name}/{key} has {found.meta['size']} bytes, our file {size}",
                    "it is another file: publish under a new version",
                )
            for block in found.stream():
                digest.update(block)
        return digest.hexdigest()

    def put(self, key: str, data: Any, *, mode: Any = None, media: str = "") -> None:
        """Write bytes or a file.

        `mode` is "create" for an object that must be new, or {"e_tag": ...} for one that must be
        unchanged; else raises ObjectExistsError.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        more: dict[str, Any] = {"mode": mode} if mode else {}
        if media:
            more["attributes"] = {"Content-Type": media}
        try:
            with self._translate(f"write {key}"):
                obstore.put(self._store, key, data, **more)
        except Unreachable as error:
            if isinstance(error.__cause__, (AlreadyExistsError, PreconditionError)):
                raise ObjectExistsError(key) from None
            raise

    def _get(self, key: str) -> Any:
        import obstore
        from obstore.exceptions import NotFoundError

        try:
            with self._translate(f"read {key}"):
                return obstore.get(self._store, key)
        except Unreachable as error:
            if isinstance(error.__cause__, (NotFoundError, FileNotFoundError)):
                return None
            raise

    @contextmanager
    def _translate(self, action: str) -> Iterator[None]:
        """Translate obstore's exceptions; they stay the cause of ours."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError) as error:
            reason, hint = describe_error(str(error))
            raise Unreachable(f"{self.name}: cannot {action}: {reason}", hint) from error


def describe_error(text: str) -> tuple[str, str]:
    """Reason and hint of an error of obstore, whose text holds the server's XML."""
    code = re.search(r"<Code>([\w.]{1,60})</Code>", text)
    if code is not None:
        message = re.search(r"<Message>(.{1,300}?)</Message>", text, re.S)
        if code[1] == "NoSuchBucket":
            return "there is no such bucket", _HINTS["NoSuchBucket"]
        reason = f"{code[1]}: {' '.join(message[1].split())}" if message else code[1]
        return f"it was refused ({reason})", _HINTS.get(code[1], _KEYS)
    status = re.search(r"status code: (\d{3}[^:\n]*)", text)
    if status is not None:
        return f"the server answered {status[1]}", _KEYS
    if "edirect" in text:
        return "the bucket is in another region", _HINTS["PermanentRedirect"]
    if "HTTP error" in text or "error sending request" in text:
        return "the server cannot be reached, or does not speak HTTP", _CONNECTION
    return text.partition("\n")[0][:300], _KEYS


def _open_store(url: str) -> Any:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = next((name for name in options if name not in OPTIONS), "")
    if unknown:
        raise TwofoldError(
            f"{redact_url(url)}: there is no option '{unknown}'",
            f"the options are {' and '.join(OPTIONS)}: s3://BUCKET/PATH?region=REGION",
        )
    endpoint = options.get("endpoint", "")
    if endpoint and not _is_web_url(endpoint):
        raise TwofoldError(f"{redact_url(url)}: its endpoint is not a URL", _CONNECTION)
    require_extra("s3")
    from obstore.store import S3Store

    config: Any = {}
    if options.get("region"):
        config["region"] = options["region"]
    if endpoint:
        config["endpoint"] = endpoint
        config["virtual_hosted_style_request"] = False
    client: Any = {"allow_http": endpoint.startswith("http://")}
    return S3Store(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        config=config,
        client_options=client,
        retry_config={"max_retries": 4, "retry_timeout": timedelta(seconds=60)},
    )


def _is_web_url(text: str) -> bool:
    """Whether a text is a URL of http or https with a host."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
