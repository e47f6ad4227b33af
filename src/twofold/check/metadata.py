"""Rules about what a project or a built file says of itself: above all, PyPI's refusals.

They judge a `Said`: the same for a project (from pyproject.toml) and a built file (from its
METADATA). PyPI's limits are those of Warehouse's upload form.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from twofold.check.finding import Edit
from twofold.check.mistakes import without_item
from twofold.check.rules import WARNING, Told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Said(Protocol):
        """What is judged here; `at` tells where a key (and one of its values) is written."""

        name: str
        version: str
        is_version_dynamic: bool
        summary: str
        readme: str
        readme_type: str
        requires_python: str
        has_licence: bool
        classifiers: list[str]
        dependencies: list[tuple[str, str]]
        urls: dict[str, str]

        def at(self, key: str, value: str = "") -> str: ...

        def line(self, where: str) -> str: ...


#: Projects on PyPI that bring a module of the standard library to older Pythons.
_BACKPORT_WORDS = """
    argparse asyncio configparser contextvars ctypes dataclasses enum hashlib importlib ipaddress
    multiprocessing pathlib ssl statistics typing uuid wsgiref
"""
BACKPORTS = frozenset(_BACKPORT_WORDS.split())
PRIVATE = "Private :: Do Not Upload"
SUMMARY = 512


def is_private(said: Said) -> bool:
    """Whether the project says that it will never go to PyPI, which refuses this classifier."""
    return any(classifier.startswith("Private ::") for classifier in said.classifiers)


def unknown_classifier(said: Said) -> Iterator[Told]:
    """TF020"""
    from trove_classifiers import classifiers as known
    from trove_classifiers import deprecated_classifiers as deprecated

    for classifier in said.classifiers:
        if classifier in known or classifier in deprecated or classifier.startswith("Private ::"):
            continue
        where = said.at("classifiers", classifier)
        same = {_folded(name): name for name in known}.get(_folded(classifier), "")
        yield Told(
            f"'{classifier}' is not a classifier that PyPI knows",
            _nearest(classifier, known) or "choose one from the list of classifiers on PyPI",
            where,
            _replaced(said, where, classifier, same) if same else None,
        )


def deprecated_classifier(said: Said) -> Iterator[Told]:
    """TF021"""
    from trove_classifiers import deprecated_classifiers as deprecated

    for classifier in said.classifiers:
        instead = deprecated.get(classifier)
        if instead is None:
            continue
        where = said.at("classifiers", classifier)
        fix = None
        if len(instead) == 1 and instead[0] not in said.classifiers:
            fix = _replaced(said, where, classifier, instead[0])
        elif len(instead) == 1:
            fix = without_item(said.line(where), _line(where), classifier)
        hint = " or ".join(f"'{name}'" for name in instead)
        yield Told(
            f"'{classifier}' is deprecated, and PyPI refuses it",
            f"write {hint}" if hint else "remove it",
            where,
            fix,
        )


def direct_url(said: Said) -> Iterator[Told]:
    """TF022"""
    if is_private(said):
        return
    for key, requirement in said.dependencies:
        if re.match(r"\s*[A-Za-z0-9][\w.-]*\s*(?:\[[^\]]*\])?\s*@", requirement):
            yield Told(
                f"'{requirement}' names an address, which PyPI refuses",
                "depend on a released version, or keep the project from PyPI with the "
                f"classifier '{PRIVATE}'",
                said.at(key, requirement),
            )


def local_version(said: Said) -> Iterator[Told]:
    """TF023"""
    if "+" in said.version and not is_private(said):
        yield Told(
            f"the version {said.version} has a local part, which PyPI refuses",
            f"release it as {said.version.partition('+')[0]}, or keep it to a registry of your own",
            said.at("version"),
            severity=WARNING if said.is_version_dynamic else "",
        )


def no_requires_python(said: Said) -> Iterator[Told]:
    """TF024"""
    if not said.requires_python:
        yield Told(
            "'requires-python' is not written: installers will offer the project to any Python",
            'write requires-python = ">=3.11", with the oldest version you support',
            said.at(""),
        )


def no_licence(said: Said) -> Iterator[Told]:
    """TF025"""
    if not said.has_licence and not is_private(said):
        yield Told(
            "no licence is named: nobody may use the project but you",
            'write license = "MIT" (an SPDX expression) and add a LICENSE file',
            said.at(""),
        )


def long_summary(said: Said) -> Iterator[Told]:
    """TF026"""
    if len(said.summary) > SUMMARY:
        yield Told(
            f"the description has {len(said.summary)} characters, PyPI takes {SUMMARY}",
            "keep one sentence, and put the rest into the readme",
            said.at("description"),
        )


def bad_url(said: Said) -> Iterator[Told]:
    """TF027"""
    for label, address in said.urls.items():
        if not re.fullmatch(r"https?://[^\s/?#]+\.?[^\s]*", address, re.IGNORECASE):
            yield Told(
                f"'{address}' is not a web address, which PyPI refuses",
                "write it with https:// in front",
                said.at(f"urls.{label}"),
            )


def stdlib_name(said: Said) -> Iterator[Told]:
    """TF028. A warning for the backports that were on PyPI before it kept these names."""
    plain = re.sub(r"[-_.]+", "_", said.name).lower()
    if is_private(said):
        return
    if plain in BACKPORTS:
        yield Told(
            f"'{said.name}' is a module of Python's standard library: PyPI takes no new project "
            "of that name",
            "go on with it if the project is yours and there already, else choose another name",
            said.at("name"),
            severity=WARNING,
        )
    elif plain in {name.lower() for name in sys.stdlib_module_names if not name.startswith("_")}:
        yield Told(
            f"'{said.name}' is a module of Python's standard library: PyPI refuses the name",
            "choose another name",
            said.at("name"),
        )


def no_readme(said: Said) -> Iterator[Told]:
    """TF030"""
    if not said.readme.strip():
        yield Told(
            "there is no readme: the project's page will be empty",
            'write README.md and readme = "README.md"',
            said.at(""),
        )


def _nearest(classifier: str, known: set[str]) -> str:
    import difflib

    close = difflib.get_close_matches(classifier, known, n=1, cutoff=0.7)
    return f"did you mean '{close[0]}'?" if close else ""


def _folded(classifier: str) -> str:
    return " :: ".join(part.strip() for part in classifier.split("::")).lower()


def _replaced(said: Said, where: str, old: str, new: str) -> Edit | None:
    line = _line(where)
    return Edit("pyproject.toml", line, old, new) if said.line(where).count(old) == 1 else None


def _line(where: str) -> int:
    found = re.match(r"pyproject\.toml:(\d+)", where)
    return int(found.group(1)) if found else 0
