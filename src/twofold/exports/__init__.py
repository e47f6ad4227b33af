"""The re-exports of a package's `__init__.py`, written and kept from its modules.

    the package's folder -> offer.read_offer -> Offer (module -> names, conflicts told)
                                                  |
    __init__.py's text -> rewriting.Source -------+--> eager.rewrite | lazy.rewrite -> new text

Nothing is imported; everything that is not a re-export stays byte for byte.
"""

from __future__ import annotations

from twofold.exports.sync import FileChange, SyncResult, find_packages, sync_exports

__all__ = ["FileChange", "SyncResult", "find_packages", "sync_exports"]
