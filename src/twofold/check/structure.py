"""TF401 to TF406: what `formats` says against a built file, told apart; one predicate a rule.

`formats` looks at archives without trusting them and tells every problem; here each gets its
code. What no other rule owns is TF401.
"""

from __future__ import annotations

import re

from twofold_build.errors import Problem

_PATHS = re.compile(
    r"climbs out|path is absolute|holds a backslash|control characters|not plain|has no name"
    r"|folders deep|name is longer|link leaves|symbolic link|leads out|differ only in case"
    r"|Windows cannot hold"
)
_ZIP = re.compile(
    r"two (?:names|sizes|ways)|sizes or checksums|twice|has a comment|hidden data|overlaps"
    r"|data descriptor|encrypted|unknown flags|method other|another disk|a file and a folder"
    r"|neither a file|not UTF-8|not marked|second name|extra field|ZIP64|has content|a bomb"
    r"|sparse|unknown kind|renames members|something follows the end|lists \d+"
)
_NAMES = re.compile(
    r"names the project|tells version|tells (?:name|version|build) '|file name|\.dist-info folders"
    r"|may not be renamed|tells the tags"
)
_METADATA = re.compile(r"the metadata|Metadata-Version|entry point|METADATA|no usable '|is no name")


def unsafe_path(problem: Problem) -> bool:
    """TF402"""
    return _PATHS.search(problem.message) is not None


def bad_record(problem: Problem) -> bool:
    """TF404"""
    return re.search(r"RECORD|paths\.json|info/files", problem.message) is not None


def ambiguous_archive(problem: Problem) -> bool:
    """TF403"""
    return _ZIP.search(problem.message) is not None


def name_mismatch(problem: Problem) -> bool:
    """TF405"""
    return _NAMES.search(problem.message) is not None


def bad_metadata(problem: Problem) -> bool:
    """TF406"""
    return _METADATA.search(problem.message) is not None


def unreadable_file(problem: Problem) -> bool:
    """TF401"""
    del problem
    return True
