"""The contract of a rule of `twofold check`, as a pytest class.

    from twofold.contracts.rules import RuleContract

    class TestNoCatPictures(RuleContract):
        code = "ACME001"

        def make_broken(self, folder):
            ...  # a wheel, an sdist, a conda package or a project's folder that breaks the rule

        def make_sound(self, folder):
            ...  # the same that keeps it

The distribution with the rule is installed, so that its entry point is found.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from twofold.check import Finding, check_file, check_project
from twofold.check.rule_table import BY_CODE, ERROR, WARNING


class RuleContract:
    """What `twofold check` and `publish` rely on; subclass it with a code and two samples."""

    code: str

    def make_broken(self, folder: Path) -> Path:
        """Make what breaks the rule."""
        raise NotImplementedError("write make_broken")

    def make_sound(self, folder: Path) -> Path:
        """Make what keeps the rule."""
        raise NotImplementedError("write make_sound")

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Path:
        """The sample that breaks the rule."""
        return self.make_broken(tmp_path)

    def find(self, path: Path) -> list[Finding]:
        """The findings of this rule."""
        found = check_project(path) if path.is_dir() else check_file(path)
        return [finding for finding in found if finding.code == self.code]

    def test_its_row_is_complete(self) -> None:
        rule = BY_CODE[self.code]
        assert rule.code == self.code
        assert rule.severity in (ERROR, WARNING)
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
        assert rule.sentence.endswith(".")
        assert len(rule.sentence) <= 100

    def test_it_speaks_in_its_sample(self, broken: Path) -> None:
        found = self.find(broken)
        assert found
        for finding in found:
            assert finding.message and finding.message == finding.message.strip()
            assert finding.severity in (ERROR, WARNING)

    def test_it_is_silent_in_a_sound_one(self, tmp_path: Path) -> None:
        assert self.find(self.make_sound(tmp_path)) == []

    def test_it_says_the_same_twice_and_changes_nothing(self, broken: Path) -> None:
        before = _read_all(broken)
        assert self.find(broken) == self.find(broken)
        assert _read_all(broken) == before


def _read_all(path: Path) -> dict[str, bytes]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {str(file): file.read_bytes() for file in files if file.is_file()}
