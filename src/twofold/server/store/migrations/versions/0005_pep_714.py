"""Removes `dist-info-metadata` from the stored JSON pages, on which pip 22.3 to 23.1 fails.

PEP 714 has renamed the key for that reason.
"""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_PAGES = sa.table(
    "pages",
    sa.column("channel_id", sa.BigInteger()),
    sa.column("key", sa.Text()),
    sa.column("etag", sa.Text()),
    sa.column("body", sa.LargeBinary()),
)


def upgrade() -> None:
    db = op.get_bind()
    simple = _PAGES.c.key.like("simple/%/json/%")
    found = db.execute(sa.select(_PAGES.c.channel_id, _PAGES.c.key).where(simple)).all()
    for channel_id, key in found:
        here = (_PAGES.c.channel_id == channel_id) & (_PAGES.c.key == key)
        page = json.loads(db.execute(sa.select(_PAGES.c.body).where(here)).scalar_one())
        for file in page.get("files", ()):
            file.pop("dist-info-metadata", None)
        body = json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        db.execute(sa.update(_PAGES).where(here).values(body=body, etag=etag))
