"""Read the arguments of `setup()` from the syntax tree of setup.py, as far as they are constant.

Literals and names bound once at the top level are followed; `+`, `%` and `.format` are not. Reading
a whole file (`open("README.md").read()`) is recognised. Any other value is `Computed`. Nothing of
the file is run.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from twofold.source_analysis import parse_module
from twofold_build.version import read_assigned_version


@dataclass(frozen=True, slots=True)
class Computed:
    """A value that only running the program computes; `text` is its source."""

    text: str


@dataclass(frozen=True, slots=True)
class FileText:
    """The text of a file of the project."""

    name: str


@dataclass(frozen=True, slots=True)
class FindPackages:
    """A call of find_packages or find_namespace_packages."""

    where: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    namespaces: bool = True


@dataclass(slots=True)
class SetupCall:
    """The arguments of `setup()`; `is_whole` is False when some came by `**` of a computed dict.

    `lines` has the line of each argument, `texts` its source; `comments` those beside a string.
    """

    arguments: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    is_whole: bool = True


def read_setup_py(path: Path) -> SetupCall | None:
    """Read the call of `setup()`; None for none or several. Raises BadFile on bad syntax."""
    tree = parse_module(path)
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and _is_setup_call(n.func)]
    if len(calls) != 1:
        return None
    reader = _Evaluator(tree, path.parent)
    found = SetupCall(comments=_find_comments(path))
    for keyword in calls[0].keywords:
        value = reader.evaluate(keyword.value)
        if keyword.arg is None:
            if isinstance(value, dict):
                found.arguments |= value
            else:
                found.is_whole = False
        else:
            found.arguments[keyword.arg] = value
            found.lines[keyword.arg] = keyword.value.lineno
            found.texts[keyword.arg] = ast.unparse(keyword.value)
    return found


def _is_setup_call(function: ast.expr) -> bool:
    return ast.unparse(function) in (
        "setup",
        "setuptools.setup",
        "core.setup",
        "distutils.core.setup",
    )


def _find_comments(path: Path) -> dict[str, str]:
    """Find comments: string literal -> the comment that follows it on its line."""
    import io
    import tokenize

    found: dict[str, str] = {}
    last = ""
    for token in tokenize.tokenize(io.BytesIO(path.read_bytes()).readline):
        if token.type == tokenize.STRING:
            last = token.string
        elif token.type == tokenize.COMMENT and last:
            value = ast.literal_eval(last) if last[0] in "'\"" else ""
            found.setdefault(str(value), token.string)
        elif token.type in (tokenize.NEWLINE, tokenize.NL):
            last = ""
    return found


class _Evaluator:
    """Evaluates expressions of one module without running it."""

    def __init__(self, tree: ast.Module, root: Path) -> None:
        self.root = root
        self.names: dict[str, ast.expr | None] = {}
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For):
                targets = [node.target]
            if isinstance(node, ast.withitem) and node.optional_vars:
                targets = [node.optional_vars]
            for target in (name for t in targets for name in ast.walk(t)):
                if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                    self.names[target.value.id] = None
                elif isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store):
                    again = target.id in self.names
                    plain = isinstance(node, ast.Assign) and node.targets == [target]
                    self.names[target.id] = node.value if plain and not again else None  # type: ignore[attr-defined]
            # x.append(...), x.update(...): the name is not what it was bound to.
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                changed = node.func.attr in ("append", "extend", "update", "insert", "remove")
                if changed and isinstance(node.func.value, ast.Name):
                    self.names[node.func.value.id] = None
        self.files = _find_opened(tree)
        self.depth = 0

    def evaluate(self, node: ast.expr) -> Any:
        """Evaluate an expression: plain Python values, or one of this module's three classes."""
        self.depth += 1
        try:
            found = self._evaluate_node(node) if self.depth < 50 else None
        finally:
            self.depth -= 1
        return Computed(ast.unparse(node)) if found is None else found

    def _evaluate_node(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return "" if node.value is None else node.value
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            items = [self.evaluate(item) for item in node.elts]
            return None if any(isinstance(i, Computed | FileText) for i in items) else items
        if isinstance(node, ast.Dict):
            return self._evaluate_dict(node)
        if isinstance(node, ast.Name):
            bound = self.names.get(node.id)
            return None if bound is None else self._evaluate_node(bound)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self.evaluate(node.left), self.evaluate(node.right)
            if type(left) is type(right) and isinstance(left, str | list):
                return left + right
            return None
        if isinstance(node, ast.JoinedStr):
            parts = [
                self.evaluate(v.value if isinstance(v, ast.FormattedValue) else v)
                for v in node.values
            ]
            return "".join(parts) if all(isinstance(part, str) for part in parts) else None
        if isinstance(node, ast.Call):
            return self._evaluate_call(node)
        if isinstance(node, ast.IfExp):
            # open("README").read() if exists("README") else "": the file is there, or is nothing.
            found = self._evaluate_node(node.body)
            return found if isinstance(found, FileText) else None
        return None

    def _evaluate_dict(self, node: ast.Dict) -> dict[Any, Any] | None:
        pairs: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            name = self.evaluate(key) if key is not None else None
            held = self.evaluate(value)
            if not isinstance(name, str) or isinstance(held, Computed):
                return None
            pairs[name] = held
        return pairs

    def _evaluate_call(self, node: ast.Call) -> Any:
        name = ast.unparse(node.func)
        if name.rpartition(".")[2] in ("find_packages", "find_namespace_packages"):
            return self._evaluate_find_packages(node)
        if name == "dict" and not node.args:
            values = {k.arg: self.evaluate(k.value) for k in node.keywords if k.arg}
            computed = len(values) < len(node.keywords) or _has_computed(values)
            return None if computed else values
        if name.endswith((".read", ".read_text")):
            return self._evaluate_text(node)
        if name.endswith(".strip") and isinstance(node.func, ast.Attribute):
            inner = self.evaluate(node.func.value)
            return inner.strip() if isinstance(inner, str) else inner
        if isinstance(node.func, ast.Name) and node.args:
            # A helper such as read("README.rst"): the file's name is all that it is given.
            names = [a.value for a in node.args if isinstance(a, ast.Constant)]
            if len(names) == len(node.args) == 1 and self._is_text_file(names[0]):
                return FileText(str(names[0]))
        return None

    def _evaluate_find_packages(self, node: ast.Call) -> FindPackages | None:
        given: dict[str, Any] = dict(zip(("where", "exclude", "include"), node.args, strict=False))
        given |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
        values = {name: self.evaluate(value) for name, value in given.items()}
        if _has_computed(values):
            return None
        lists = {name: tuple(values.get(name, ())) for name in ("include", "exclude")}
        namespaces = ast.unparse(node.func).endswith("find_namespace_packages")
        where = str(values.get("where", "")).strip("./")
        return FindPackages(where, lists["include"], lists["exclude"], namespaces)

    def _evaluate_text(self, node: ast.Call) -> FileText | None:
        """Evaluate reading a whole file.

        `open("README.md").read()`, `Path("README.md").read_text()`, `f.read()` in a with.
        """
        assert isinstance(node.func, ast.Attribute)
        inside = node.func.value
        if isinstance(inside, ast.Name):
            opened = self.files.get(inside.id) or self.names.get(inside.id)
            inside = opened if opened is not None else inside
        words = [n.value for n in ast.walk(inside) if isinstance(n, ast.Constant)]
        names = [word for word in words if self._is_text_file(word)]
        return FileText(str(names[0])) if len(names) == 1 else None

    def _is_text_file(self, word: object) -> bool:
        if not isinstance(word, str) or len(word) > 100 or word in ("", "."):
            return False
        return (self.root / word).is_file() and not word.endswith((".py", ".cfg", ".toml"))


def _has_computed(values: Mapping[str, Any]) -> bool:
    return any(isinstance(value, Computed) for value in values.values())


def _find_opened(tree: ast.Module) -> dict[str, ast.expr]:
    """Find names bound by `with open(...) as name`."""
    return {
        item.optional_vars.id: item.context_expr
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name)
    }


def is_plain_version(root: Path, path: str) -> bool:
    """Whether a Python file assigns `__version__` as a plain string."""
    file = root / path
    return (
        file.is_file() and file.suffix == ".py" and bool(read_assigned_version(file.read_bytes()))
    )


def find_version_file(root: Path, place: str) -> str:
    """Find the file that assigns a module's `__version__`: itself, or one it imports it from.

    Returns '' if the version is computed.
    """
    for _ in range(5):
        if is_plain_version(root, place):
            return place
        tree = parse_module(root / place)
        imported = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            and any(alias.name == alias.asname or alias.asname is None
                    for alias in node.names if alias.name == "__version__")
        ]  # fmt: skip
        if not imported:
            return ""
        place = _find_imported_file(root, place, imported[-1])
        if not place:
            return ""
    return ""


def _find_imported_file(root: Path, place: str, node: ast.ImportFrom) -> str:
    """Find the file of the module that an import in `place` names, in the same project."""
    parts = (node.module or "__init__").split(".")
    folder = PurePosixPath(place).parent
    starts = [folder, *folder.parents]
    starts = starts[node.level - 1 : node.level] if node.level else starts
    for start in starts:
        for name in (f"{'/'.join(parts)}.py", f"{'/'.join(parts)}/__init__.py"):
            if (root / start / name).is_file():
                return (start / name).as_posix()
    return ""
