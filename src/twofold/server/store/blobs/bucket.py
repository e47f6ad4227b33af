"""Objects in a bucket of S3, through obstore."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from twofold.errors import StoreUnreachable, TwofoldError
from twofold.extras import require_extra
from twofold.server.store.blobs.backend import BlobReader, BlobVersion, StoredBlob, make_key
from twofold.server.store.blobs.bucket_errors import explain_bucket_error

#: For an unreachable object store: an early 503 is better for clients than obstore's default of
#: waiting for minutes.
_RETRY_CONFIG: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=10)}

#: How long a signed address is valid: a client follows a redirect at once.
SIGNED_FOR = timedelta(minutes=5)


class Bucket:
    """Objects in `s3://bucket/prefix?endpoint=http://host:port&region=...`.

    Credentials come from the environment. Raises TwofoldError for a URL without a bucket.
    """

    def __init__(self, url: str) -> None:
        require_extra("s3")
        import obstore
        from obstore.store import S3Store

        parts = urlsplit(url)
        if not parts.netloc:
            raise TwofoldError(f"'{url}' has no bucket name", "use s3://bucket/prefix?endpoint=...")
        options: dict[str, Any] = dict(parse_qsl(parts.query))
        endpoint = options.pop("endpoint", None)
        if endpoint is not None and not re.match("https?://[^/]", endpoint):
            raise TwofoldError(f"'{endpoint}' is not an endpoint", "give it as https://host:port")
        if endpoint:
            options["endpoint"] = endpoint
            options["virtual_hosted_style_request"] = False
            options["client_options"] = {"allow_http": endpoint.startswith("http://")}
        prefix = parts.path.strip("/") or None
        self._obstore: Any = obstore
        try:
            self._store: Any = S3Store(
                parts.netloc, prefix=prefix, retry_config=_RETRY_CONFIG, **options
            )
        except obstore.exceptions.BaseError as error:
            message = f"the bucket's settings are wrong: {str(error).splitlines()[0]}"
            raise TwofoldError(message, "use s3://bucket/prefix?endpoint=...&region=...") from error

    def put(self, sha256: str, path: Path) -> None:
        """Store a file's bytes."""
        with _ErrorTranslator("write"):
            self._obstore.put(self._store, make_key(sha256), path)

    def flush(self, path: Path) -> None:
        """Do nothing: the file itself is not kept."""

    def take(self, sha256: str, path: Path) -> None:
        """Store a file's bytes."""
        self.put(sha256, path)

    def read(self, sha256: str) -> tuple[bytes, BlobVersion]:
        """Return all bytes and their version."""
        with _ErrorTranslator("read"):
            response = self._obstore.get(self._store, make_key(sha256))
            version = _make_version(response.meta)
            return bytes(response.bytes()), version

    async def read_soon(self, sha256: str) -> tuple[bytes, BlobVersion]:
        """Return what `read` does, without a thread."""
        with _ErrorTranslator("read"):
            response = await self._obstore.get_async(self._store, make_key(sha256))
            version = _make_version(response.meta)
            return bytes(await response.bytes_async()), version

    def open(self, sha256: str) -> BlobReader:
        """Open an object: each part is a request, so that no connection waits for a reader."""
        return _ObjectReader(self._obstore, self._store, make_key(sha256))

    def find_version(self, sha256: str) -> BlobVersion:
        """Return the version of an object."""
        with _ErrorTranslator("read"):
            return _make_version(self._obstore.head(self._store, make_key(sha256)))

    def sign(self, sha256: str) -> str:
        """Return an address at which anybody can get an object for a while."""
        with _ErrorTranslator("sign"):
            return str(self._obstore.sign(self._store, "GET", make_key(sha256), SIGNED_FOR))

    def delete(self, sha256: str) -> None:
        """Delete an object, if it exists."""
        with _ErrorTranslator("delete"):
            self._obstore.delete(self._store, make_key(sha256))

    def list_all(self) -> Iterator[StoredBlob]:
        """Yield every object, in no order."""
        with _ErrorTranslator("list"):
            for batch in self._obstore.list(self._store, prefix="blobs"):
                for item in batch:
                    name = str(item["path"]).rpartition("/")[2]
                    if len(name) == 64:
                        yield StoredBlob(name, int(item["size"]), item["last_modified"])

    def list_leftovers(self, before: datetime) -> list[Path]:  # noqa: ARG002
        """Return nothing: S3 lists only complete objects."""
        return []

    def check_reachable(self) -> None:
        """Check that the bucket can be listed now. Raises StoreUnreachable."""
        with _ErrorTranslator("list"):
            self._obstore.list_with_delimiter(self._store, prefix="blobs")


class _ObjectReader:
    def __init__(self, obstore: Any, store: Any, key: str) -> None:
        self._obstore = obstore
        self._store = store
        self._key = key

    def read_part(self, start: int, end: int) -> tuple[bytes, BlobVersion]:
        """Return the bytes from `start` to `end`, fewer at the object's end, and its version."""
        with _ErrorTranslator("read"):
            options = {"range": (start, end)}
            response = self._obstore.get(self._store, self._key, options=options)
            version = _make_version(response.meta)
            return bytes(response.bytes()), version

    def close(self) -> None:
        """Nothing is held."""


def _make_version(meta: Any) -> BlobVersion:
    return BlobVersion(meta.get("e_tag") or str(meta["last_modified"]), int(meta["size"]))


class _ErrorTranslator:
    """Context manager that translates obstore's errors into twofold's."""

    def __init__(self, verb: str) -> None:
        self.verb = verb

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None:
            return
        from obstore.exceptions import BaseError, NotFoundError

        if isinstance(error, (NotFoundError, FileNotFoundError)):
            raise FileNotFoundError(str(error).splitlines()[0]) from error
        if isinstance(error, BaseError):
            reason, hint = explain_bucket_error(str(error))
            message = f"the object store failed to {self.verb}: {reason}"
            raise StoreUnreachable(message, hint) from error
