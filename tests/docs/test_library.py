"""The public names of the library are those of its page, with the signatures written there."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[2] / "docs/reference/library.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `([\w.]+)`\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
STUBS = [
    pytest.param(module, stub, id=f"{module}.{stub.name}")
    for module, text in SECTIONS.items()
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for stub in ast.parse(block).body
    if isinstance(stub, ast.FunctionDef | ast.ClassDef)
]


@pytest.mark.parametrize("module", SECTIONS)
def test_the_page_names_what_the_module_exports(module: str) -> None:
    mentioned = set(re.findall(r"\b[A-Za-z_]\w+", SECTIONS[module]))
    exported = set(importlib.import_module(module).__all__)
    stubs = {one.values[1].name for one in STUBS if one.values[0] == module}
    assert exported - mentioned == set()
    assert stubs - exported == set()


@pytest.mark.parametrize(("module", "stub"), STUBS)
def test_the_signature_is_the_documented_one(
    module: str, stub: ast.FunctionDef | ast.ClassDef
) -> None:
    found = getattr(importlib.import_module(module), stub.name)
    if isinstance(stub, ast.FunctionDef):
        compare(found, stub)
        return
    known = {name for kind in found.__mro__ for name in (*vars(kind), *_annotations(kind))}
    for part in stub.body:
        if isinstance(part, ast.AnnAssign):
            assert ast.unparse(part.target) in known
        elif isinstance(part, ast.FunctionDef):
            compare(getattr(found, part.name), part)


def _annotations(kind: type) -> dict[str, Any]:
    slots = dict.fromkeys(vars(kind).get("__slots__", ()))
    assigned = re.findall(r"self\.(\w+)(?:: [^=]+)? = ", inspect.getsource(kind)) if slots else []
    return {**slots, **dict.fromkeys(assigned), **vars(kind).get("__annotations__", {})}


def compare(found: Any, stub: ast.FunctionDef) -> None:
    """The documented parameters come first and as written; any other has a default."""
    there = list(inspect.signature(found).parameters.values())
    arguments = stub.args
    plain = arguments.posonlyargs + arguments.args
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    rows = [*zip(plain, defaults, strict=True)]
    rows += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    for parameter, (argument, default) in zip(there, rows, strict=False):
        assert parameter.name == argument.arg
        if argument.annotation is not None:
            assert parameter.annotation == ast.unparse(argument.annotation)
        documented = "" if default is None else ast.unparse(default)
        assert _default(parameter) == documented or documented.isupper() or "." in documented
    assert len(there) >= len(rows)
    further = there[len(rows) :]
    assert [p.name for p in further if p.default is p.empty and p.kind < p.VAR_POSITIONAL] == []
    if stub.returns is not None:
        assert inspect.signature(found).return_annotation == ast.unparse(stub.returns)


def _default(parameter: inspect.Parameter) -> str:
    return "" if parameter.default is parameter.empty else repr(parameter.default)


def test_importing_the_library_imports_next_to_nothing() -> None:
    names = ", ".join(sorted(set(SECTIONS) - {"twofold.errors"}))
    code = f"import sys, {names}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    slow = {"argparse", "asyncio", "dataclasses", "tomllib", "urllib3", "zstandard", "ssl"}
    assert slow & set(ran.stdout.split()) == set()
