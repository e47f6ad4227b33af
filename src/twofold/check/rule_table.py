"""The table of all rules: code, severity, name, where it is judged, what it says.

A code is never given to another rule. Each rule has a page of its own in
docs/reference/checks/ and, in tests/check/, a sample that makes it speak and one that does not.
"""

from __future__ import annotations

from typing import NamedTuple

from twofold.check.finding import Edit

ERROR, WARNING = "error", "warning"

#: Every kind of target, in the column of who refuses.
EVERY_TARGET = "all"

#: The columns: code, E(rror) or W(arning), which kinds of target refuse a built file for it ('all':
#: it goes nowhere), name, the module whose function of that name judges a project, the one that
#: judges a built file ('-' for none), and the sentence.
_TABLE = """
TF001 E all           unreadable-project     mistakes     -         pyproject.toml cannot be read.
TF002 E all           unknown-key            mistakes     -         A key or table is not known.
TF003 E all           bad-name               mistakes     -         The project's name is missing or not allowed.
TF004 E all           bad-version            mistakes     -         The version is missing or not PEP 440.
TF005 E all           bad-requirement        mistakes     -         A dependency is not written as PEP 508 says.
TF006 E all           bad-requires-python    mistakes     -         requires-python is not a version specifier.
TF007 E all           bad-licence            mistakes     -         The licence is not SPDX, or its files are not there.
TF008 E all           bad-entry-point        mistakes     -         A script or entry point is not written as 'module:object'.
TF009 E all           bad-readme             mistakes     -         The readme is not there or of no known type.
TF010 E all           bad-files              mistakes     -         What is to be packed is not there, or leads out of the project.
TF011 E all           bad-value              mistakes     -         A value in pyproject.toml is not what its key asks for.
TF020 E pypi,registry unknown-classifier     metadata     metadata  PyPI does not know a classifier.
TF021 E pypi,registry deprecated-classifier  metadata     metadata  PyPI no longer takes a classifier.
TF022 E pypi,registry direct-url             metadata     metadata  PyPI refuses a dependency on an address.
TF023 E pypi          local-version          metadata     metadata  PyPI refuses a version with a local part.
TF024 W -             no-requires-python     metadata     metadata  Nothing says which Python the project needs.
TF025 W -             no-licence             metadata     metadata  Nothing says under which licence the project may be used.
TF026 E pypi,registry long-summary           metadata     metadata  PyPI refuses a description of more than 512 characters.
TF027 E pypi,registry bad-url                metadata     metadata  PyPI refuses a project URL that is no web address.
TF028 E pypi,registry stdlib-name            metadata     metadata  PyPI refuses the name of a standard library module.
TF029 E pypi          readme-does-not-render readme       readme    The readme will not be shown on PyPI.
TF030 W -             no-readme              metadata     metadata  The project's page on an index will be empty.
TF101 E all           syntax-error           code         code      A module is not valid Python.
TF102 E all           entry-point-to-nothing code         code      A script or entry point leads to nothing.
TF103 E all           version-mismatch       code         code      __version__ is not the project's version.
TF104 E all           missing-in-all         code         code      __all__ names what the module does not have.
TF105 E all           missing-import         code         code      A name is imported from a module that does not have it.
TF106 E all           failing-cycle          cycles       cycles    Modules import each other in a way that fails.
TF107 W -             import-cycle           cycles       -         Modules import each other when they are imported.
TF108 E all           newer-syntax           pythons      pythons   The code needs a newer Python than requires-python says.
TF109 E all           newer-stdlib           pythons      pythons   The standard library has it only in a newer Python.
TF110 W -             gone-from-stdlib       pythons      -         The standard library no longer has it.
TF111 E all           missing-dependency     dependencies dependencies An import that no dependency provides.
TF112 W -             unused-dependency      dependencies -         A dependency that nothing imports.
TF113 E all           hidden-module          code         -         A module is hidden by one of the standard library.
TF201 E all           secret                 secrets      secrets   What looks like a key or a credential would be packed.
TF202 W -             junk                   junk         junk      A file that hardly belongs into a package.
TF203 E all           empty-package          junk         files     There is no code in the package.
TF204 W -             modules-not-known      junk         -         What another backend packs is not known here.
TF205 W -             crowded-name           junk         junk      A module has a name that many projects would take.
TF206 E all           compiled-module        junk         files     A compiled module in a package that says it runs everywhere.
TF207 E all           unportable-name        junk         files     A file's name is none on Windows, or another file's on Windows and macOS.
TF301 W -             unknown-conda-name     conda_side   -         What conda calls a dependency is not known.
TF302 W -             not-in-conda           conda_side   -         A dependency says what conda cannot say.
TF303 W -             recipe-differs         meta_yaml    -         meta.yaml says something else than pyproject.toml.
TF401 E all           unreadable-file        -            structure A built file is not what its name says.
TF402 E all           unsafe-path            -            structure A path in an archive cannot be unpacked safely everywhere.
TF403 E all           ambiguous-archive      -            structure Two readers could see different files in an archive.
TF404 E all           bad-record             -            structure The list of files in a package is not true.
TF405 E all           name-mismatch          -            structure The file's name and its metadata disagree.
TF406 E all           bad-metadata           -            structure The metadata in a built file are not valid.
TF407 W -             platform-tag           -            files     PyPI refuses a wheel for this platform.
TF408 E all           wheel-not-in-sdist     -            pairs     The wheel holds code that the sdist does not.
TF409 E all           wheel-unlike-sdist     -            pairs     Wheel and sdist say different things of themselves.
TF410 W -             old-file-name          -            files     The file's name is not spelt in normal form.
TF411 E pypi          second-sdist           -            releases  A release has more than one sdist.
"""  # noqa: E501 (a table reads better unbroken)


class Violation(NamedTuple):
    """What a rule's function yields; the code, and the severity where '', are the rule's."""

    message: str
    hint: str = ""
    where: str = ""
    fix: Edit | None = None
    severity: str = ""


class Rule(NamedTuple):
    """`in_project` and `in_file` are modules of this package, '' for none.

    Errors of a project stop its build. Errors of a built file stop its publication to the kinds
    of target in `refused_by`: `pypi` is PyPI and TestPyPI, `registry` a twofold registry, `all`
    every one.
    """

    code: str
    severity: str
    refused_by: frozenset[str]
    name: str
    in_project: str
    in_file: str
    sentence: str

    def stops(self, kind: str) -> bool:
        """Whether a target of that kind refuses a built file with such an error."""
        return not self.refused_by.isdisjoint({EVERY_TARGET, kind})

    @property
    def function(self) -> str:
        """What the rule's function is called, in each of its modules."""
        return self.name.replace("-", "_")


def _parse_rule(line: str) -> Rule:
    code, severity, refused_by, name, in_project, in_file, sentence = line.split(None, 6)
    return Rule(
        code,
        ERROR if severity == "E" else WARNING,
        frozenset(refused_by.strip("-").split(",")) - {""},
        name,
        in_project.strip("-"),
        in_file.strip("-"),
        sentence,
    )


RULES = tuple(_parse_rule(line) for line in _TABLE.strip().splitlines())
#: What `read_project` says, told apart: the first of these that owns a mistake gives its code.
MISTAKES = tuple(rule for rule in RULES if rule.in_project == "mistakes")
BY_CODE = {rule.code: rule for rule in RULES}
