"""Whatever stands in `__init__.py`: kept, proved by examples that hypothesis makes up."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twofold.exports import sync_exports

NAMES = ["Class1", "Other", "function1", "fn", "LIMIT", "value", "gone", "_own"]
COMMENTS = ["# a comment", "#é ü  ", "#!odd", "# ends with \\\\", "\f# form feed"]
#: Statements of a user that are not ours: each keeps its very text.
OTHERS = [
    "import os, sys",
    "from typing import Any   as   A",
    "x  =  {'__all__' : 1}",
    "if x:\n    y = 1\nelse:\n    y = 2",
    "def f_user(a,\n           b=2): return a",
    "text = '''from .a import Class1\n__all__ = []'''",
    "z = 1; zz = 2",
    "long = (1 +\n   2)",
    "joined = 1 + \\\n  2",
    "try:\n    import numpy\nexcept ImportError: pass",
    "__version__ = '1.0'",
    "from .a import fn as _fn",
    "class User:\n\n    def g(self): ...  # inside",
    "@print\ndef decorated(): ...",
]


@st.composite
def own_statements(draw: st.DrawFn) -> str:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    module = draw(st.sampled_from(["a", "b", "missing"]))
    form = draw(
        st.sampled_from(
            ["from .{m} import {n}", "from .{m} import ({n},)", "from .{m} import (  # why\n {n})"]
        )
    )
    return form.format(m=module, n=", ".join(names))


@st.composite
def inits(draw: st.DrawFn) -> str:
    """A module's text: statements, comments and blank lines in any order, any line ends."""
    doc = draw(st.sampled_from(["", "'''Doc.'''", '"""Doc\n\n  more."""; w = 1', "# licence"]))
    piece = st.one_of(
        st.sampled_from(OTHERS), st.sampled_from(COMMENTS), st.sampled_from(["", "   "]),
        own_statements(),
    )  # fmt: skip
    lines = [doc, *draw(st.lists(piece, max_size=8))]
    declared = draw(st.sampled_from(["", "__all__ = ['fn', 'gone']", "__all__ = (  # c\n'fn',)"]))
    lines.insert(draw(st.integers(0, len(lines))) or len(lines), declared)
    # Tails on the same line as a statement.
    tail = st.sampled_from(["", "  ", "  # tail"])
    text = "\n".join(line + (draw(tail) if line and "#" not in line else "") for line in lines)
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    return (text + draw(st.sampled_from(["", "\n", "\n\n"]))).replace("\n", ending)


MODULES = st.fixed_dictionaries(
    {
        "a": st.lists(st.sampled_from(NAMES[:3]), unique=True),
        "b": st.lists(st.sampled_from(NAMES[3:6]), unique=True),
    }
)


@contextmanager
def package(init: str, modules: dict[str, list[str]]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder)
        for name, names in modules.items():
            text = "".join(f"{name} = 1\n" for name in names)
            (found / f"{name}.py").write_text(text, encoding="utf-8")
        (found / "__init__.py").write_bytes(init.encode())
        yield found


def comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if "#" in line]


def others(text: str) -> list[str]:
    """The text of each statement that is no re-export and no `__all__`."""
    found = []
    for node in ast.parse(text).body:
        output = ast.get_source_segment(text, node) or ""
        plain = isinstance(node, ast.ImportFrom) and node.level and " as " not in output
        if not plain and not output.startswith("__all__"):
            found.append(output)
    return found


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(inits(), MODULES)
def test_twice_is_as_once_and_what_is_not_ours_is_kept(
    init: str, modules: dict[str, list[str]]
) -> None:
    with package(init, modules) as found:
        sync_exports(found)
        once = (found / "__init__.py").read_bytes().decode()
        assert sync_exports(found).changes == ()
        assert (found / "__init__.py").read_bytes().decode() == once
    assert others(once) == others(init)
    assert once.count("#") == init.count("#")
    if "\r\n" in init:
        assert once.count("\n") == once.count("\r\n")
    bound = {name for names in modules.values() for name in names}
    for node in ast.parse(once).body:
        if isinstance(node, ast.ImportFrom) and node.level and node.names[0].asname is None:
            assert {alias.name for alias in node.names} <= bound


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(inits(), MODULES)
def test_the_lazy_form_holds_for_anything_too(init: str, modules: dict[str, list[str]]) -> None:
    with package(init, modules) as found:
        sync_exports(found, is_lazy=True)
        once = (found / "__init__.py").read_bytes().decode()
        assert sync_exports(found).changes == ()
    kept = others(once)
    assert all(output in kept for output in others(init))
