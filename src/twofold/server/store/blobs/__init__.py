"""File contents by their SHA-256, in a local folder or in a bucket of S3."""

from twofold.server.store.blobs.backend import StoredBlob
from twofold.server.store.blobs.contents import Blobs

__all__ = ["Blobs", "StoredBlob"]
