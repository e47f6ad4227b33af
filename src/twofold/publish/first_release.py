"""Help for a project's first release: is its name free, is it too close to another, what next.

PyPI compares names more loosely than it writes them: `-`, `_` and `.` do not count, and `0` and
`o`, `1`, `l` and `i` are the same (its rule against confusable names).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from twofold.names import normalize_name
from twofold.names.same import load_further_names
from twofold.publish.config import TargetSettings
from twofold.publish.connect import connect
from twofold.publish.credentials import find_credentials
from twofold.publish.external_config import is_test_pypi
from twofold.publish.failures import RetryPolicy
from twofold.publish.targets.legacy import LegacyIndex
from twofold.publish.targets.lookup import fetch_files
from twofold.publish.targets.protocol import Target
from twofold.publish.targets.registry import TwofoldRegistry


@dataclass(frozen=True)
class NameReport:
    """What a target says of a name: whether it is there, and names that are too close to it.

    `service` is PyPI or TestPyPI where the target is one of them.
    """

    target: str
    name: str
    files: int
    similar_names: tuple[str, ...] = ()
    service: str = ""

    @property
    def is_new(self) -> bool:
        return self.files == 0

    def describe(self, *, is_first: bool = True) -> list[str]:
        """Sentences for the user; none when there is nothing to say.

        `is_first` says that this project is not known to have been released: then a name that is
        there may be somebody else's.
        """
        told = []
        if not self.is_new and is_first:
            told.append(
                f"'{self.name}' is at {self.target} already ({self.files} files): "
                "if it is not your project, choose another name"
            )
        elif self.is_new and self.similar_names:
            told.append(
                f"'{self.name}' is new at {self.target} and very close to "
                f"{', '.join(self.similar_names)}: it may be refused; choose a name further off"
            )
        return told


def get_confusable_form(name: str) -> str:
    """The form in which PyPI compares names: what is equal here cannot stand side by side."""
    bare = re.sub(r"[-_.]", "", normalize_name(name))
    return bare.replace("0", "o").replace("1", "l").replace("i", "l")


def report_name(target: Target, name: str) -> NameReport | None:
    """Ask a target's simple index about a name; None for targets without one."""
    index = target.index if isinstance(target, TwofoldRegistry) else target
    if not isinstance(index, LegacyIndex) or not index.settings.index:
        return None
    here = target.settings.name
    found = fetch_files(index.http, index.settings.index, name, index.auth)
    if found:
        return NameReport(here, name, len(found))
    service = ""
    if target.settings.kind == "pypi":
        service = "TestPyPI" if is_test_pypi(target.settings.url) else "PyPI"
    close = set(_find_similar(name, load_further_names())) if service else set()
    for other in _list_spellings(name):
        if fetch_files(index.http, index.settings.index, other, index.auth):
            close.add(other)
    return NameReport(here, name, 0, tuple(sorted(close)), service)


def report_names(settings: Sequence[TargetSettings], name: str) -> list[NameReport]:
    """What every target with a simple index says of a name, before there is anything to publish.

    Asked with stored credentials only: an identity of the CI is good once, and kept for the upload.
    """
    reports = []
    for one in settings:
        others = [other for other in settings if other is not one]
        target = connect(one, find_credentials(one, others), RetryPolicy())
        try:
            found = report_name(target, name)
        finally:
            target.close()
        reports += [found] if found else []
    return reports


def _find_similar(name: str, names: Iterable[str]) -> list[str]:
    own, form = normalize_name(name), get_confusable_form(name)
    return [other for other in names if other != own and get_confusable_form(other) == form]


def _list_spellings(name: str) -> list[str]:
    """At most three names that would be confused with this one and are likely to be there."""
    own = normalize_name(name)
    bare = own.replace("-", "")
    letters = bare.replace("0", "o").replace("1", "l")
    with_dash = re.sub(r"(?<=[a-z])(?=\d)", "-", own)
    return [n for n in dict.fromkeys([bare, letters, with_dash]) if n != own]
