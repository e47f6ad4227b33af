"""The imports of a notebook: those of its code cells, without what only IPython understands."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twofold.errors import BadFile
from twofold.source_analysis.imports import module_imports
from twofold.source_analysis.model import Import

#: IPython's own lines: magics, shell commands, questions.
_NOT_PYTHON = re.compile(
    r"(?P<indent>\s*+)(?:[%!?]|(?:[^#'\"=]*+=)+?\s*+[%!]|[^#'\"?]*+(?<=[\w)])\?{1,2}\s*$)"
)
#: Magics of a whole cell whose body is Python all the same.
_PYTHON_CELL = re.compile(r"\s*%%(?:time|timeit|capture|prun|python3?|debug)\b")


def notebook_imports(path: Path) -> tuple[Import, ...]:
    """Every import of a Python notebook; `line` is that of its file. Raises BadFile.

    A cell that is no Python is left out: a tutorial may show what fails.
    """
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"cannot be read: {error}", "mend the notebook first", str(path)) from error
    found: list[Import] = []
    at, number = 0, 1
    is_escaped = text.isascii()
    for lines in _list_cells(document):
        places = []
        for line in lines:
            start = max(text.find(json.dumps(line, ensure_ascii=is_escaped)[1:-1], at), at)
            number += text.count("\n", at, start)
            at = start
            places.append(number)
        found += [one._replace(line=places[one.line - 1]) for one in _read_cell(lines)]
    return tuple(found)


def _list_cells(document: Any) -> Iterator[list[str]]:
    """The lines of each code cell; none of a notebook in another language."""
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        return
    metadata = document.get("metadata")
    info = metadata.get("language_info") if isinstance(metadata, dict) else None
    language = info.get("name", "python") if isinstance(info, dict) else "python"
    for cell in document["cells"] if language == "python" else ():
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source", "")
            yield (source if isinstance(source, str) else "".join(map(str, source))).splitlines()


def _read_cell(lines: list[str]) -> tuple[Import, ...]:
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith("%%") and not _PYTHON_CELL.match(first):
        return ()
    plain = [f"{odd['indent']}pass" if (odd := _NOT_PYTHON.match(one)) else one for one in lines]
    try:
        return module_imports(ast.parse("\n".join(plain)))
    except (SyntaxError, ValueError, RecursionError):
        return ()
