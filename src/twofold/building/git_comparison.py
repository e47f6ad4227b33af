"""The end of a build: its sdist against what git tracks (TF213), as warnings."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from twofold.building.options import BuildRequest

_CODE = "TF213"


class GitComparison:
    """Asks git at the start, and compares at the end, so that the build does not wait for it.

    Nothing is compared where no sdist is built, the rule is left out by [tool.twofold.check], or
    the source is somebody else's.
    """

    def __init__(self, root: str, request: BuildRequest, document: dict[str, Any]) -> None:
        from twofold.check.git_listing import GitListing

        table = document.get("tool", {}).get("twofold", {}).get("check", {})
        is_ignored = _CODE in table.get("ignore", ())
        is_wanted = "sdist" in request.kinds and request.is_checked and not is_ignored
        self._report = request.report
        self._listing = GitListing(root) if is_wanted else None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to compare with."""
        return self._listing is None or self._listing.is_empty

    def finish(self, packed: Collection[str], excluded: Collection[str] = ()) -> None:
        """Report the differences. `packed` are paths in the project, `excluded` globs."""
        if self._listing is not None and not self.is_empty:
            from twofold.check.rules.tracked_files import compare_with_git

            for found in compare_with_git(self._listing, packed, excluded):
                self._report(f"warning: {found.message} ({_CODE})")
