"""The re-exports of a package's `__init__.py`, kept in step with its modules.

    the package's folder -> plan.read_public_api -> PublicApi (module -> names)
                                                        |
    __init__.py's text -> source_edits.SourceFile ------+--> lazy_form (both forms) -> new text

Nothing is imported; everything that is not a re-export stays byte for byte.
"""

from __future__ import annotations

from twofold.exports.sync import FileChange, SyncResult, find_packages, sync_exports

__all__ = ["FileChange", "SyncResult", "find_packages", "sync_exports"]
