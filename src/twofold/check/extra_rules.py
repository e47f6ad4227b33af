"""Rules from other distributions: entry points of the group `twofold.rules`.

    [project.entry-points."twofold.rules"]
    ACME001 = "acme_rules:no_cat_pictures"

The name is the rule's code and the object an `ExtraRule`. Extra rules judge when a user checks and
publishes; they stop no build and no upload to a registry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from twofold.check.artifact_code import ArtifactCode
from twofold.check.context import ProjectContext
from twofold.check.rule_table import ERROR, WARNING, Rule, Violation
from twofold.errors import TwofoldError
from twofold.plugins import find_extensions, load_extension

GROUP = "twofold.rules"

#: The form of a code: a prefix of the distribution's own, and a number of three digits.
CODE = re.compile(r"(?!TF)[A-Z]{2,8}\d{3}")


@dataclass(frozen=True)
class ExtraRule:
    """A rule of another distribution; see `Rule` for its columns.

    `judge_file` gets a built file with its code, `judge_project` a project; one may be None.
    """

    code: str
    name: str
    sentence: str
    severity: str = WARNING
    refused_by: frozenset[str] = frozenset({"all"})
    judge_file: Callable[[ArtifactCode], Iterable[Violation]] | None = None
    judge_project: Callable[[ProjectContext], Iterable[Violation]] | None = None

    @property
    def row(self) -> Rule:
        """The rule as a row of the table."""
        stopping = self.refused_by if self.severity == ERROR else frozenset[str]()
        return Rule(self.code, self.severity, stopping, self.name, self.sentence, False)


def load_extra_rules() -> Iterator[ExtraRule]:
    """Load the rules of every distribution that extends `twofold.rules`, by their codes."""
    for code, point in sorted(find_extensions(GROUP).items()):
        rule = load_extension(GROUP, point, ExtraRule)
        if rule.code != code or not CODE.fullmatch(code):
            raise TwofoldError(
                f"the extension '{code}' of '{GROUP}' has the code '{rule.code}'",
                "name the entry point as the rule: two to eight letters, not TF, and three digits",
            )
        yield rule
