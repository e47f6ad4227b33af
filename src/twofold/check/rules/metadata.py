"""Rules about the metadata of a project or a built file: above all, PyPI's refusals.

They judge the same metadata for a project (from pyproject.toml) and a built file (from its
METADATA). PyPI's limits are those of Warehouse's upload form.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator

from twofold.check.finding import Edit
from twofold.check.rule_table import WARNING, Violation
from twofold.check.rules.project_mistakes import remove_item
from twofold.check.subject import Metadata

#: Projects on PyPI that bring a module of the standard library to older Pythons.
_BACKPORT_WORDS = """
    argparse asyncio configparser contextvars ctypes dataclasses enum hashlib importlib ipaddress
    multiprocessing pathlib ssl statistics typing uuid wsgiref
"""
BACKPORTS = frozenset(_BACKPORT_WORDS.split())
PRIVATE = "Private :: Do Not Upload"
MAX_SUMMARY = 512
#: Unknown classifiers that are compared with all known ones: each takes some milliseconds.
MAX_NEAREST = 20


def is_private(metadata: Metadata) -> bool:
    """Whether the project says that it will never go to PyPI, which refuses this classifier."""
    return any(classifier.startswith("Private ::") for classifier in metadata.classifiers)


def licence_classifier(metadata: Metadata) -> Iterator[Violation]:
    """TF031: PEP 639 deprecates them, and lets a build tool choose; indexes take both."""
    for classifier in metadata.classifiers if metadata.licence_expression else ():
        if classifier.startswith("License ::"):
            where = metadata.location("classifiers", classifier)
            yield Violation(
                f"the classifier '{classifier}' is deprecated beside a licence expression",
                "remove the licence classifiers: the expression replaces them (PEP 639)",
                where,
                remove_item(metadata.line(where), _line_number(where), classifier),
            )


def unknown_classifier(metadata: Metadata) -> Iterator[Violation]:
    """TF020"""
    if not metadata.classifiers:
        return
    from trove_classifiers import classifiers as known
    from trove_classifiers import deprecated_classifiers as deprecated

    unknown = [
        classifier
        for classifier in dict.fromkeys(metadata.classifiers)
        if not (
            classifier in known or classifier in deprecated or classifier.startswith("Private ::")
        )
    ]
    folded = {_fold(name): name for name in known} if unknown else {}
    for number, classifier in enumerate(unknown):
        where = metadata.location("classifiers", classifier)
        same = folded.get(_fold(classifier), "")
        nearest = _nearest_classifier(classifier, known) if number < MAX_NEAREST else ""
        yield Violation(
            f"'{classifier}' is not a classifier that PyPI knows",
            nearest or "choose one from the list of classifiers on PyPI",
            where,
            _replacement(metadata, where, classifier, same) if same else None,
        )


def deprecated_classifier(metadata: Metadata) -> Iterator[Violation]:
    """TF021"""
    if not metadata.classifiers:
        return
    from trove_classifiers import deprecated_classifiers as deprecated

    for classifier in metadata.classifiers:
        instead = deprecated.get(classifier)
        if instead is None:
            continue
        where = metadata.location("classifiers", classifier)
        fix = None
        if len(instead) == 1 and instead[0] not in metadata.classifiers:
            fix = _replacement(metadata, where, classifier, instead[0])
        elif len(instead) == 1:
            fix = remove_item(metadata.line(where), _line_number(where), classifier)
        hint = " or ".join(f"'{name}'" for name in instead)
        yield Violation(
            f"'{classifier}' is deprecated, and PyPI refuses it",
            f"write {hint}" if hint else "remove it",
            where,
            fix,
        )


def direct_url(metadata: Metadata) -> Iterator[Violation]:
    """TF022"""
    if is_private(metadata):
        return
    for key, requirement in metadata.dependencies:
        if re.match(r"\s*+[A-Za-z0-9][\w.-]*+\s*+(?:\[[^\]]*+\])?\s*+@", requirement):
            yield Violation(
                f"'{requirement}' names an address, which PyPI refuses",
                "for PyPI, depend on a released version, or keep the project from PyPI with the "
                f"classifier '{PRIVATE}'",
                metadata.location(key, requirement),
            )


def local_version(metadata: Metadata) -> Iterator[Violation]:
    """TF023"""
    if "+" in metadata.version and not is_private(metadata):
        yield Violation(
            f"the version {metadata.version} has a local part, which PyPI refuses",
            f"for PyPI, release it as {metadata.version.partition('+')[0]}; a registry of your own "
            f"takes it, and the classifier '{PRIVATE}' keeps it from PyPI",
            metadata.location("version"),
            severity=WARNING if metadata.is_version_dynamic else "",
        )


def no_requires_python(metadata: Metadata) -> Iterator[Violation]:
    """TF024"""
    if not metadata.has_requires_python:
        yield Violation(
            "'requires-python' is not written: installers will offer the project to any Python",
            'write requires-python = ">=3.11", with the oldest version you support',
            metadata.location(""),
        )


def no_licence(metadata: Metadata) -> Iterator[Violation]:
    """TF025"""
    if not metadata.has_licence and not is_private(metadata):
        yield Violation(
            "no licence is named: nobody but you may use the project",
            'write license = "MIT" (an SPDX expression) and add a LICENSE file',
            metadata.location(""),
        )


def long_summary(metadata: Metadata) -> Iterator[Violation]:
    """TF026"""
    if len(metadata.summary) > MAX_SUMMARY:
        yield Violation(
            f"the description has {len(metadata.summary)} characters, PyPI takes {MAX_SUMMARY}",
            "keep one sentence, and put the rest into the readme",
            metadata.location("description"),
        )


def bad_url(metadata: Metadata) -> Iterator[Violation]:
    """TF027"""
    for label, address in metadata.urls.items():
        if not re.fullmatch(r"https?://[^\s/?#]\S*", address, re.IGNORECASE):
            yield Violation(
                f"'{address}' is not a web address, which PyPI refuses",
                "write it with https:// in front",
                metadata.location(f"urls.{label}"),
            )


def stdlib_name(metadata: Metadata) -> Iterator[Violation]:
    """TF028. A warning for the backports that were on PyPI before it kept these names."""
    plain = re.sub(r"[-_.]+", "_", metadata.name).lower()
    if is_private(metadata):
        return
    if plain in BACKPORTS:
        yield Violation(
            f"'{metadata.name}' is a module of Python's standard library: PyPI takes no new "
            "project of that name",
            "go on with it if the project is yours and there already, else choose another name",
            metadata.location("name"),
            severity=WARNING,
        )
    elif plain in {name.lower() for name in sys.stdlib_module_names if not name.startswith("_")}:
        yield Violation(
            f"'{metadata.name}' is a module of Python's standard library: PyPI refuses the name",
            "choose another name",
            metadata.location("name"),
        )


def no_readme(metadata: Metadata) -> Iterator[Violation]:
    """TF030"""
    if not metadata.has_readme:
        yield Violation(
            "there is no readme: the project's page will be empty",
            'write README.md and readme = "README.md"',
            metadata.location(""),
        )


def _nearest_classifier(classifier: str, known: set[str]) -> str:
    import difflib

    close = difflib.get_close_matches(classifier, known, n=1, cutoff=0.7)
    return f"did you mean '{close[0]}'?" if close else ""


def _fold(classifier: str) -> str:
    return " :: ".join(part.strip() for part in classifier.split("::")).lower()


def _replacement(metadata: Metadata, where: str, old: str, new: str) -> Edit | None:
    line = _line_number(where)
    return Edit("pyproject.toml", line, old, new) if metadata.line(where).count(old) == 1 else None


def _line_number(where: str) -> int:
    found = re.match(r"pyproject\.toml:(\d+)", where)
    return int(found.group(1)) if found else 0


def readme_does_not_render(metadata: Metadata) -> Iterator[Violation]:
    """reStructuredText with a mistake in it is shown as plain text; PyPI refuses the upload.

    Markdown and plain text always render.
    """
    kind = metadata.readme_type.partition(";")[0].strip().lower()
    if kind not in ("text/x-rst", "") or not metadata.readme.strip():
        return
    if (
        not kind
        and not metadata.readme.lstrip().startswith(("..", "="))
        and "::" not in metadata.readme
    ):
        return  # no type written: PyPI takes it as reStructuredText, and plain words are that too
    from twofold.check.restructured_text import find_mistake

    mistake = find_mistake(metadata.readme)
    if mistake is not None:
        yield Violation(
            f"line {mistake.line} of the readme is not valid reStructuredText: {mistake.message}"
            if mistake.line
            else "the readme is not valid reStructuredText",
            "correct it there, or write the readme in Markdown",
            metadata.location("readme"),
        )


#: The rules about metadata, which judge projects and built files alike.
METADATA_RULES: dict[str, Callable[[Metadata], Iterator[Violation]]] = {
    "TF020": unknown_classifier,
    "TF021": deprecated_classifier,
    "TF022": direct_url,
    "TF023": local_version,
    "TF024": no_requires_python,
    "TF025": no_licence,
    "TF026": long_summary,
    "TF027": bad_url,
    "TF028": stdlib_name,
    "TF029": readme_does_not_render,
    "TF030": no_readme,
    "TF031": licence_classifier,
}
