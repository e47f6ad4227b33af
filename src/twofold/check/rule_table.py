"""The table of all rules: code, severity, who refuses a file for it, name, and sentence.

A code is never given to another rule. Each rule has a page of its own in
docs/reference/checks/ and, in tests/check/, a sample that breaks the rule and one that keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from twofold.check.finding import Edit, Finding
from twofold.errors import TwofoldError
from twofold.source_analysis.expressions import expression

ERROR, WARNING = "error", "warning"

#: Every kind of target, in the column of who refuses.
EVERY_TARGET = "all"

#: The columns: code, E(rror), P (an error for the targets that refuse it, of which a build only
#: warns: it is right for a registry of one's own) or W(arning), which kinds of target refuse a
#: built file for it ('all': it goes nowhere), name, and the sentence.
_TABLE = """
TF001 E all           unreadable-project     pyproject.toml cannot be read.
TF002 E all           unknown-key            A key or table is not known.
TF003 E all           bad-name               The project's name is missing or not allowed.
TF004 E all           bad-version            The version is missing or not PEP 440.
TF005 E all           bad-requirement        A dependency does not follow PEP 508.
TF006 E all           bad-requires-python    requires-python is not a version specifier.
TF007 E all           bad-licence            The licence is not SPDX, or its files are not there.
TF008 E all           bad-entry-point        A script or entry point is not 'module:object'.
TF009 E all           bad-readme             The readme is not there or of no known type.
TF010 E all           bad-files              A file to be packed is missing or outside the project.
TF011 E all           bad-value              A value in pyproject.toml has the wrong type or form.
TF020 E pypi,registry unknown-classifier     PyPI does not know a classifier.
TF021 E pypi,registry deprecated-classifier  PyPI no longer accepts a classifier.
TF022 P pypi,registry direct-url             PyPI refuses a dependency on a URL.
TF023 P pypi          local-version          PyPI refuses a version with a local part.
TF024 W -             no-requires-python     requires-python is missing.
TF025 W -             no-licence             The project names no licence.
TF026 E pypi,registry long-summary           PyPI refuses a description of more than 512 characters.
TF027 E pypi,registry bad-url                PyPI refuses a project URL that is not a web address.
TF028 E pypi,registry stdlib-name            PyPI refuses the name of a standard library module.
TF029 E pypi          readme-does-not-render The readme will not be shown on PyPI.
TF030 W -             no-readme              The project's page on an index will be empty.
TF031 W -             licence-classifier     A licence classifier is beside an SPDX expression.
TF032 W -             no-such-import-name    A declared import name is no module of the package.
TF101 E all           syntax-error           A module is not valid Python.
TF102 E all           entry-point-to-nothing The target of a script or entry point does not exist.
TF103 E all           version-mismatch       __version__ is not the project's version.
TF104 E all           missing-in-all         __all__ names what the module does not have.
TF105 E all           missing-import         A name is imported from a module that does not have it.
TF106 E all           failing-cycle          Modules import each other in a way that fails.
TF107 W -             import-cycle           Modules import each other when they are imported.
TF108 E all           newer-syntax           Syntax needs a newer Python than requires-python says.
TF109 E all           newer-stdlib           A standard library import needs a newer Python.
TF110 W -             gone-from-stdlib       A module was removed from the standard library.
TF111 E all           missing-dependency     An import that no dependency provides.
TF112 W -             unused-dependency      A dependency that nothing imports.
TF113 E all           hidden-module          A module is hidden by one of the standard library.
TF201 E all           secret                 A file that looks like a secret would be packed.
TF202 W -             junk                   A file that does not belong in a package.
TF203 E all           empty-package          There is no code in the package.
TF204 W -             modules-not-known      The modules that another backend packs are unknown.
TF205 W -             crowded-name           A top-level module has a generic name.
TF206 E all           compiled-module        A compiled module in a package for every platform.
TF207 E all           unportable-name        A file name is not portable to Windows or macOS.
TF208 W -             runs-uncalled          Code runs that nobody calls, or replaces a command.
TF209 W -             misplaced-file         A file would be in site-packages itself.
TF210 W -             duplicate-module       A module is packed twice.
TF211 W -             no-init                A folder of modules has no __init__.py.
TF212 W -             ignored-file           A file of a package is left out, since git ignores it.
TF213 W -             unlike-git             The sdist differs from what git tracks.
TF301 W -             unknown-conda-name     The conda name of a dependency is unknown.
TF302 W -             not-in-conda           A dependency that conda cannot express.
TF303 W -             recipe-differs         meta.yaml differs from pyproject.toml.
TF401 E all           unreadable-file        A built file is not what its name says.
TF402 E all           unsafe-path            A path in an archive is not safe to unpack everywhere.
TF403 E all           ambiguous-archive      Two readers could see different files in an archive.
TF404 E all           bad-record             The file list of a package is wrong.
TF405 E all           name-mismatch          The file's name and its metadata disagree.
TF406 E all           bad-metadata           The metadata in a built file are not valid.
TF407 W -             platform-tag           PyPI refuses a wheel for this platform.
TF408 E all           wheel-not-in-sdist     The wheel holds code that the sdist does not.
TF409 E all           wheel-unlike-sdist     The metadata of wheel and sdist differ.
TF410 W -             old-file-name          The file name is not normalized.
TF411 E pypi          second-sdist           A release has more than one sdist.
TF412 P pypi          refused-metadata       PyPI refuses the metadata of a built file.
TF413 W -             tag-mismatch           WHEEL names other tags than the file name.
"""


class Violation(NamedTuple):
    """What a rule yields; an empty `severity` means the rule's own."""

    message: str
    hint: str = ""
    where: str = ""
    fix: Edit | None = None
    severity: str = ""


class Rule(NamedTuple):
    """One row of the table; which function applies it say `projects` and `artifacts`, by code.

    Errors in a project stop its build, if `stops_build`. Errors in a built file stop its
    publication to the kinds of target in `refused_by`: `pypi` is PyPI and TestPyPI, `registry` a
    twofold registry, `all` every one.
    """

    code: str
    severity: str
    refused_by: frozenset[str]
    name: str
    sentence: str
    stops_build: bool

    def stops(self, kind: str) -> bool:
        """Whether a target of that kind refuses a built file with such an error."""
        return not self.refused_by.isdisjoint({EVERY_TARGET, kind})

    def make_finding(self, violation: Violation) -> Finding:
        """The finding for a violation of this rule."""
        message, hint, where, fix, severity = violation
        return Finding(self.code, severity or self.severity, message, hint, where, fix)


def _parse_rule(line: str) -> Rule:
    code, severity, refused_by, name, sentence = line.split(None, 4)
    return Rule(
        code,
        WARNING if severity == "W" else ERROR,
        frozenset(refused_by.strip("-").split(",")) - {""},
        name,
        sentence,
        severity == "E",
    )


#: The group of entry points by which other distributions add rules:
#:
#:     [project.entry-points."twofold.rules"]
#:     ACME001 = "acme_rules:NO_CATS"     # the name is the rule's code, the object an ExtraRule
GROUP = "twofold.rules"

#: The form of a code: a prefix of the distribution's own, and a number of three digits.
CODE = expression(r"(?!TF)[A-Z]{2,8}\d{3}")


class ExtraRule(NamedTuple):
    """A rule of another distribution; see `Rule` for its columns.

    `judge_file` gets an ArtifactCode, a built file with its code; `judge_project` a ProjectContext.
    One may be None.
    """

    code: str
    name: str
    sentence: str
    severity: str = WARNING
    refused_by: frozenset[str] = frozenset({"all"})
    judge_file: Callable[[Any], Iterable[Violation]] | None = None
    judge_project: Callable[[Any], Iterable[Violation]] | None = None

    @property
    def row(self) -> Rule:
        """The rule as a row of the table."""
        stopping = self.refused_by if self.severity == ERROR else frozenset[str]()
        return Rule(self.code, self.severity, stopping, self.name, self.sentence, False)


def load_extra_rules() -> Iterator[ExtraRule]:
    """Load the rules of every distribution that extends `twofold.rules`, by their codes."""
    from twofold.plugins import find_extensions, load_extension

    for code, point in sorted(find_extensions(GROUP).items()):
        rule = load_extension(GROUP, point, ExtraRule)
        if rule.code != code or not CODE.fullmatch(code):
            raise TwofoldError(
                f"the extension '{code}' of '{GROUP}' has the code '{rule.code}'",
                "name the entry point as the rule: two to eight letters, not TF, and three digits",
            )
        yield rule


class _RulesByCode(dict[str, Rule]):
    """The rules by code; an unknown code may be that of another distribution's rule."""

    def __missing__(self, code: str) -> Rule:
        for rule in load_extra_rules():
            self.setdefault(rule.code, rule.row)
        if not super().__contains__(code):
            raise KeyError(code)
        return self[code]

    def __contains__(self, code: object) -> bool:
        if super().__contains__(code):
            return True
        try:
            self[str(code)]
        except KeyError:
            return False
        return True


RULES = tuple(_parse_rule(line) for line in _TABLE.strip().splitlines())
BY_CODE = _RulesByCode({rule.code: rule for rule in RULES})
