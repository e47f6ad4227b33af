"""Text of other programs and files is read in a named encoding: Windows' own is no UTF-8."""

from __future__ import annotations

import ast

import pytest

from tests.house.source import ROOT

CALLS = {"run", "Popen", "check_output", "call", "check_call"}


def list_unnamed(source: str) -> list[int]:
    """The lines of calls that read or write text in the system's encoding."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        keys = {word.arg for word in node.keywords}
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        is_text = name in CALLS and keys & {"text", "universal_newlines"} and "encoding" not in keys
        reads = name == "read_text" and not node.args and "encoding" not in keys
        writes = name == "write_text" and len(node.args) == 1 and "encoding" not in keys
        if is_text or reads or writes:
            found.append(node.lineno)
    return found


def test_a_call_without_an_encoding_is_found() -> None:
    assert list_unnamed("subprocess.run(x, text=True)\np.read_text()\np.write_text(a)") == [1, 2, 3]
    assert list_unnamed("run(x, text=True)\np.read_text('utf-8')\ns.run(x, encoding='utf-8')") == []


@pytest.mark.parametrize("folder", ["src", "backend/src"])
def test_every_text_has_its_encoding(folder: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in list_unnamed(path.read_text(encoding="utf-8"))
    ]
    assert wrong == []
