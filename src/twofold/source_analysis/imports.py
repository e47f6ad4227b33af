"""A module's imports, read from its syntax tree, with what surrounds each of them."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from twofold.errors import BadFile
from twofold.source_analysis.model import Import


def parse_module(path: Path) -> ast.Module:
    """The syntax tree of a file, by its own coding line; raises BadFile on a syntax error."""
    try:
        with warnings.catch_warnings():
            # An invalid escape in the user's strings is not ours to print.
            warnings.simplefilter("ignore")
            return ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        where = f"{path}:{error.lineno}" if error.lineno else str(path)
        raise BadFile(f"syntax error: {error.msg}", "mend the file first", where) from error
    except (ValueError, RecursionError) as error:
        raise BadFile(f"cannot be parsed: {error}", "mend the file first", str(path)) from error


def module_imports(source: Path | ast.Module, may_call_import: bool = True) -> tuple[Import, ...]:
    """Every import of a module, in the order of its lines, those inside functions too.

    Calls that import count where the name is a literal: `importlib.import_module("yaml")` and,
    unless the caller knows that the text lacks the word (not `may_call_import`), `__import__`.
    """
    tree = parse_module(source) if isinstance(source, Path) else source
    if isinstance(source, Path):
        may_call_import = b"__import__" in source.read_bytes()
    found = _Imports()
    _collect(tree.body, _NO_FLAGS, found)
    functions = _Functions()
    if any(one.module.partition(".")[0] == "importlib" for one in found):
        functions.read_names(tree)
    if may_call_import or functions.modules or functions.names:
        found = _Imports(functions)
        _collect(tree.body, _NO_FLAGS, found)
    return tuple(found)


class _Functions:
    """What a module calls the functions that import: `names`, or attributes of `modules`."""

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self.names: set[str] = set()

    def read_names(self, tree: ast.Module) -> None:
        """Read the names that the module binds importlib and its functions to."""
        for node in all_statements(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name == "importlib" or (
                        alias.name.startswith("importlib.") and not alias.asname
                    ):
                        self.modules.add(alias.asname or "importlib")
            elif isinstance(node, ast.ImportFrom) and node.module == "importlib":
                self.names |= {
                    alias.asname or alias.name
                    for alias in node.names
                    if alias.name in ("import_module", "__import__")
                }

    def has(self, function: ast.expr) -> bool:
        """Whether the expression that is called is one of the functions."""
        if isinstance(function, ast.Name):
            return function.id == "__import__" or function.id in self.names
        if not isinstance(function, ast.Attribute):
            return False
        if function.attr not in ("import_module", "__import__"):
            return False
        owner = function.value
        return isinstance(owner, ast.Name) and (owner.id in self.modules or owner.id == "builtins")


class _Imports(list[Import]):
    """The imports of a module, with those by calls of `functions` unless they are None."""

    def __init__(self, functions: _Functions | None = None) -> None:
        super().__init__()
        self.functions = functions

    def add_calls(self, node: ast.AST, around: Import) -> None:
        """Add what calls in an expression or a plain statement import."""
        if self.functions is None:
            return
        self += [
            _place_import(around, name, 0, (), call.lineno)
            for call in ast.walk(node)
            if isinstance(call, ast.Call)
            and self.functions.has(call.func)
            and (name := _read_imported_name(call))
        ]


#: Around the statements of a module there is nothing.
_NO_FLAGS = Import("", 0, (), 0)
#: Statements that hold no other statement: most of a module, passed over at once.
_PLAIN_WORDS = "Expr Assign AugAssign AnnAssign Return Raise Assert Delete Pass Break Continue"
PLAIN_STATEMENTS = frozenset(
    getattr(ast, word) for word in (*_PLAIN_WORDS.split(), "Global", "Nonlocal")
)


def _collect(body: Sequence[ast.AST], around: Import, found: _Imports) -> None:
    """Walk statements; `around` carries the flags of the blocks we are in."""
    for node in body:
        if node.__class__ in PLAIN_STATEMENTS:
            found.add_calls(node, around)
            continue
        if found.functions is not None:
            for child in ast.iter_child_nodes(node):
                if not isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
                    found.add_calls(child, around)  # a test, a decorator, a default
        _collect_statement(node, around, found)


def _read_imported_name(call: ast.Call) -> str:
    """Return the absolute name that `import_module("name")` imports; '' where it is not written."""
    by_name = (word.value for word in call.keywords if word.arg == "name")
    first = next(iter((*call.args[:1], *by_name)), None)
    is_relative = len(call.args) > 4 or any(word.arg == "level" for word in call.keywords)
    if is_relative or not isinstance(first, ast.Constant):
        return ""
    value = first.value
    is_absolute = isinstance(value, str) and all(part.isidentifier() for part in value.split("."))
    return str(value) if is_absolute else ""


def _collect_statement(node: ast.AST, around: Import, found: _Imports) -> None:
    if isinstance(node, ast.Import):
        found += [_place_import(around, alias.name, 0, (), node.lineno) for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = tuple(alias.name for alias in node.names)
        found.append(_place_import(around, node.module or "", node.level, names, node.lineno))
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        _collect(node.body, _with_flags(around, deferred=True), found)
    elif isinstance(node, ast.If):
        _collect_branch(node.body, node.test, _in_branch, around, found)
        _collect_branch(node.orelse, node.test, _in_else, around, found)
    elif isinstance(node, ast.Try | ast.TryStar):
        optional = any(_catches_import_error(handler) for handler in node.handlers)
        inside = _with_flags(around, optional=optional)
        _collect(node.body, inside, found)
        for handler in node.handlers:
            # Whatever failed: this runs only then.
            _collect(handler.body, _with_flags(around, optional=True), found)
        _collect(node.orelse, around, found)
        _collect(node.finalbody, around, found)
    else:
        is_forgiving = isinstance(node, ast.With | ast.AsyncWith) and _suppresses_import_error(node)
        inside = _with_flags(around, optional=True) if is_forgiving else around
        for block in list_blocks(node):
            _collect(block, inside, found)


def _collect_branch(
    body: Sequence[ast.stmt],
    test: ast.expr,
    flags: Callable[[ast.expr, Import], Import],
    around: Import,
    found: _Imports,
) -> None:
    """One branch of an `if`, whose test is looked at only where something is imported."""
    inside = _Imports(found.functions)
    _collect(body, _NO_FLAGS, inside)
    if inside:
        around = flags(test, around)
        found += [
            one._replace(
                is_optional=one.is_optional or around.is_optional,
                is_typing_only=one.is_typing_only or around.is_typing_only,
                is_deferred=one.is_deferred or around.is_deferred,
            )
            for one in inside
        ]


def list_blocks(node: ast.AST) -> Iterator[Sequence[ast.AST]]:
    """The bodies of a statement, in the order of their lines; a handler and a case have one too."""
    for field in ("body", "handlers", "cases", "orelse", "finalbody"):
        inside = getattr(node, field, None)
        if inside.__class__ is list and inside:
            yield inside


def all_statements(tree: ast.Module) -> list[ast.AST]:
    """Every statement of a module, however deep, with handlers and cases; in no order."""
    found: list[ast.AST] = []
    waiting: list[Sequence[ast.AST]] = [tree.body]
    while waiting:
        body = waiting.pop()
        found += body
        for node in body:
            if node.__class__ not in PLAIN_STATEMENTS:
                waiting.extend(list_blocks(node))
    return found


def _place_import(
    around: Import, module: str, level: int, names: tuple[str, ...], line: int
) -> Import:
    return Import(
        module,
        level,
        names,
        line,
        around.is_optional,
        around.is_typing_only,
        around.is_deferred,
    )


def _with_flags(
    around: Import, optional: bool = False, typing: bool = False, deferred: bool = False
) -> Import:
    return _flags(
        around.is_optional or optional,
        around.is_typing_only or typing,
        around.is_deferred or deferred,
    )


@cache
def _flags(optional: bool, typing: bool, deferred: bool) -> Import:
    return Import("", 0, (), 0, optional, typing, deferred)


def _in_branch(test: ast.expr, around: Import) -> Import:
    if is_type_checking(test):
        return _with_flags(around, typing=True)
    return _with_flags(around, optional=_is_platform_test(test))


def _in_else(test: ast.expr, around: Import) -> Import:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _in_branch(test.operand, around) if is_type_checking(test.operand) else around
    return _with_flags(around, optional=_is_platform_test(test))


#: The last one is pip's, whose code many have copied.
_TYPE_CHECKING_NAMES = ("TYPE_CHECKING", "MYPY", "MYPY_CHECK_RUNNING")


def is_type_checking(test: ast.expr) -> bool:
    """Whether an `if` tests `TYPE_CHECKING`, `typing.TYPE_CHECKING` or its older forms.

    Those are what mypy takes for true: `MYPY`, and constants that never are (`if False:`); with
    `and`, one of them is enough.
    """
    if isinstance(test, ast.Constant):
        return not test.value
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(is_type_checking(value) for value in test.values)
    name = test.id if isinstance(test, ast.Name) else getattr(test, "attr", "")
    return name in _TYPE_CHECKING_NAMES


def _is_platform_test(test: ast.expr) -> bool:
    """`sys.platform`, `sys.version_info`, `os.name`, `platform.system()`: not everywhere needed."""
    attributes = {
        "platform",
        "version_info",
        "name",
        "system",
        "implementation",
        "python_implementation",
    }
    return any(
        isinstance(part, ast.Attribute)
        and part.attr in attributes
        and isinstance(part.value, ast.Name)
        and part.value.id in ("sys", "os", "platform")
        for part in ast.walk(test)
    )


def _catches_import_error(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
    return any(isinstance(kind, ast.Name) and kind.id in names for kind in kinds)


def _suppresses_import_error(node: ast.With | ast.AsyncWith) -> bool:
    names = {"ImportError", "ModuleNotFoundError", "Exception"}
    return any(
        isinstance(call := item.context_expr, ast.Call)
        and ast.unparse(call.func).rpartition(".")[2] == "suppress"
        and any(isinstance(name, ast.Name) and name.id in names for name in call.args)
        for item in node.items
    )
