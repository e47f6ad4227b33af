"""The table of all rules: code, severity, name, where it is judged, what it says.

A code is never given to another rule. Each rule has a page of its own in
docs/reference/checks/ and, in tests/check/, a sample that makes it speak and one that does not.
"""

from __future__ import annotations

from typing import NamedTuple

from twofold.check.finding import Edit

ERROR, WARNING = "error", "warning"

#: The columns: code, E(rror) or W(arning), name, the module whose function of that name judges a
#: project, the one that judges a built file ('-' for none), and the sentence.
_TABLE = """
TF001 E unreadable-project     mistakes     -         pyproject.toml cannot be read.
TF002 E unknown-key            mistakes     -         A key or table is not known.
TF003 E bad-name               mistakes     -         The project's name is missing or not allowed.
TF004 E bad-version            mistakes     -         The version is missing or not PEP 440.
TF005 E bad-requirement        mistakes     -         A dependency is not written as PEP 508 says.
TF006 E bad-requires-python    mistakes     -         requires-python is not a version specifier.
TF007 E bad-licence            mistakes     -         The licence is not SPDX, or its files are not there.
TF008 E bad-entry-point        mistakes     -         A script or entry point is not written as 'module:object'.
TF009 E bad-readme             mistakes     -         The readme is not there or of no known type.
TF010 E bad-files              mistakes     -         What is to be packed is not there, or leads out of the project.
TF011 E bad-value              mistakes     -         A value in pyproject.toml is not what its key asks for.
TF020 E unknown-classifier     metadata     metadata  PyPI does not know a classifier.
TF021 E deprecated-classifier  metadata     metadata  PyPI no longer takes a classifier.
TF022 E direct-url             metadata     metadata  PyPI refuses a dependency on an address.
TF023 E local-version          metadata     metadata  PyPI refuses a version with a local part.
TF024 W no-requires-python     metadata     metadata  Nothing says which Python the project needs.
TF025 W no-licence             metadata     metadata  Nothing says under which licence the project may be used.
TF026 E long-summary           metadata     metadata  PyPI refuses a description of more than 512 characters.
TF027 E bad-url                metadata     metadata  PyPI refuses a project URL that is no web address.
TF028 E stdlib-name            metadata     metadata  PyPI refuses the name of a standard library module.
TF029 E readme-does-not-render readme       readme    The readme will not be shown on PyPI.
TF030 W no-readme              metadata     metadata  The project's page on an index will be empty.
TF101 E syntax-error           code         code      A module is not valid Python.
TF102 E entry-point-to-nothing code         code      A script or entry point leads to nothing.
TF103 E version-mismatch       code         code      __version__ is not the project's version.
TF104 E missing-in-all         code         code      __all__ names what the module does not have.
TF105 E missing-import         code         code      A name is imported from a module that does not have it.
TF106 E failing-cycle          cycles       cycles    Modules import each other in a way that fails.
TF107 W import-cycle           cycles       -         Modules import each other when they are imported.
TF108 E newer-syntax           pythons      pythons   The code needs a newer Python than requires-python says.
TF109 E newer-stdlib           pythons      pythons   The standard library has it only in a newer Python.
TF110 W gone-from-stdlib       pythons      -         The standard library no longer has it.
TF111 E missing-dependency     dependencies dependencies An import that no dependency provides.
TF112 W unused-dependency      dependencies -         A dependency that nothing imports.
TF201 E secret                 secrets      secrets   What looks like a key or a credential would be packed.
TF202 W junk                   junk         junk      A file that hardly belongs into a package.
TF203 E empty-package          junk         files     There is no code in the package.
TF204 W modules-not-known      junk         -         What another backend packs is not known here.
TF301 W unknown-conda-name     conda_side   -         What conda calls a dependency is not known.
TF302 W not-in-conda           conda_side   -         A dependency says what conda cannot say.
TF303 W recipe-differs         meta_yaml    -         meta.yaml says something else than pyproject.toml.
TF401 E unreadable-file        -            structure A built file is not what its name says.
TF402 E unsafe-path            -            structure A path in an archive cannot be unpacked safely everywhere.
TF403 E ambiguous-archive      -            structure Two readers could see different files in an archive.
TF404 E bad-record             -            structure The list of files in a package is not true.
TF405 E name-mismatch          -            structure The file's name and its metadata disagree.
TF406 E bad-metadata           -            structure The metadata in a built file are not valid.
TF407 W platform-tag           -            files     PyPI refuses a wheel for this platform.
TF408 E wheel-not-in-sdist     -            pairs     The wheel holds code that the sdist does not.
TF409 E wheel-unlike-sdist     -            pairs     Wheel and sdist say different things of themselves.
TF410 W old-file-name          -            files     The file's name is not spelt in normal form.
TF411 E second-sdist           -            releases  A release has more than one sdist.
"""  # noqa: E501 (a table reads better unbroken)


class Told(NamedTuple):
    """What a rule's function yields; the code, and the severity where '', are the rule's."""

    message: str
    hint: str = ""
    where: str = ""
    fix: Edit | None = None
    severity: str = ""


class Rule(NamedTuple):
    """`in_project` and `in_file` are modules of this package, '' for none.

    Errors of a project stop its build.
    """

    code: str
    severity: str
    name: str
    in_project: str
    in_file: str
    sentence: str

    @property
    def function(self) -> str:
        """What the rule's function is called, in each of its modules."""
        return self.name.replace("-", "_")


def _rule(line: str) -> Rule:
    code, severity, name, in_project, in_file, sentence = line.split(None, 5)
    return Rule(
        code,
        ERROR if severity == "E" else WARNING,
        name,
        in_project.strip("-"),
        in_file.strip("-"),
        sentence,
    )


RULES = tuple(_rule(line) for line in _TABLE.strip().splitlines())
#: What `read_project` says, told apart: the first of these that owns a mistake gives its code.
MISTAKES = tuple(rule for rule in RULES if rule.in_project == "mistakes")
BY_CODE = {rule.code: rule for rule in RULES}
