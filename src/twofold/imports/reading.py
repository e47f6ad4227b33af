"""A module's imports, read from its syntax tree, with what surrounds each of them."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from twofold.errors import BadFile


@dataclass(frozen=True, slots=True)
class Import:
    """One module named by an import statement.

    `module` is dotted, as written (`''` for `from . import x`); `level` counts the leading
    dots. `names` are those of a `from` import (`('*',)` for a star), empty for `import x`.
    `is_optional`: inside `try` with a handler for ImportError, or a platform's `if`.
    `is_typing_only`: under `if TYPE_CHECKING`. `is_deferred`: inside a function.
    """

    module: str
    level: int
    names: tuple[str, ...]
    line: int
    is_optional: bool = False
    is_typing_only: bool = False
    is_deferred: bool = False

    @property
    def top(self) -> str:
        """The first part of an absolute import's name, '' for a relative one."""
        return "" if self.level else self.module.partition(".")[0]


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


def module_imports(source: Path | ast.Module) -> tuple[Import, ...]:
    """Every import of a module, in the order of its lines, those inside functions too."""
    tree = parse_module(source) if isinstance(source, Path) else source
    return tuple(_imports(tree.body, Import("", 0, (), 0)))


def _imports(body: Sequence[ast.AST], around: Import) -> Iterator[Import]:
    """Walk statements; `around` carries the flags of the blocks we are in."""
    for node in body:
        yield from _imports_of(node, around)


def _imports_of(node: ast.AST, around: Import) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield _placed(around, alias.name, 0, (), node.lineno)
    elif isinstance(node, ast.ImportFrom):
        names = tuple(alias.name for alias in node.names)
        yield _placed(around, node.module or "", node.level, names, node.lineno)
    elif isinstance(node, ast.Try | ast.TryStar):
        optional = any(_catches_import_error(handler) for handler in node.handlers)
        inside = _flagged(around, optional=optional)
        yield from _imports(node.body, inside)
        for handler in node.handlers:
            yield from _imports(handler.body, inside)
        yield from _imports([*node.orelse, *node.finalbody], around)
    elif isinstance(node, ast.If):
        yield from _imports(node.body, _in_branch(node.test, around))
        yield from _imports(node.orelse, _in_else(node.test, around))
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        inside = _flagged(around, deferred=True)
        yield from _imports(node.body if isinstance(node.body, list) else [node.body], inside)
    elif isinstance(node, ast.With | ast.AsyncWith) and _suppresses_import_error(node):
        yield from _imports(node.body, _flagged(around, optional=True))
    elif isinstance(node, ast.stmt | ast.match_case):
        yield from _imports(list(ast.iter_child_nodes(node)), around)


def _placed(around: Import, module: str, level: int, names: tuple[str, ...], line: int) -> Import:
    return Import(
        module,
        level,
        names,
        line,
        around.is_optional,
        around.is_typing_only,
        around.is_deferred,
    )


def _flagged(
    around: Import, optional: bool = False, typing: bool = False, deferred: bool = False
) -> Import:
    return Import(
        "",
        0,
        (),
        0,
        around.is_optional or optional,
        around.is_typing_only or typing,
        around.is_deferred or deferred,
    )


def _in_branch(test: ast.expr, around: Import) -> Import:
    if is_type_checking(test):
        return _flagged(around, typing=True)
    return _flagged(around, optional=_asks_the_platform(test))


def _in_else(test: ast.expr, around: Import) -> Import:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _in_branch(test.operand, around) if is_type_checking(test.operand) else around
    return _flagged(around, optional=_asks_the_platform(test))


def is_type_checking(test: ast.expr) -> bool:
    """Whether an `if` asks for `TYPE_CHECKING` or `typing.TYPE_CHECKING`."""
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _asks_the_platform(test: ast.expr) -> bool:
    """`sys.platform`, `sys.version_info`, `os.name`, `platform.system()`: not everywhere needed."""
    asked = {
        "platform",
        "version_info",
        "name",
        "system",
        "implementation",
        "python_implementation",
    }
    return any(
        isinstance(part, ast.Attribute)
        and part.attr in asked
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
