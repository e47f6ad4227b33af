"""Render meta.yaml and parse YAML, keeping the line numbers of the file.

Scalars stay text: a version 1.10 is '1.10'. PyYAML only composes the nodes and constructs no
Python objects, so no tag can run code and no alias can grow (aliases and merges are refused:
recipes do not need them).

conda-build drops lines by selector, then renders. After that line numbers no longer match the
file, and every message would point elsewhere. So each line carries a mark with its number (two
letters of Unicode's private area around digits) through the rendering.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import TemplateError, TemplateSyntaxError, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from jinja2.lexer import TOKEN_DATA

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.recipe.read.limits import Budget, LimitExceeded
from twofold.recipe.read.sandbox import CountingTransformer, RecipeEnvironment

#: A recipe of conda-forge's largest kind has some 60 kB.
MAX_RECIPE_BYTES = 256 * 1024
#: Letters between Jinja's signs; its tree takes a thousand times the memory of its text.
MAX_CODE = 48 * 1024
_OPEN, _SHUT = "\ue000", "\ue001"
_MARK = re.compile(f"{_OPEN}(\\d+){_SHUT}")
#: Letters of this range are used for marks and for pins (see `calls`), so no recipe may.
RESERVED = re.compile("[\ue000-\ue00f]")


def read_recipe_text(path: Path) -> str:
    """Read a recipe's text, with plain line ends; raises TwofoldError if it is not a recipe."""
    if path.stat().st_size > MAX_RECIPE_BYTES:
        raise TwofoldError(f"{path.name} is larger than 256 KiB", "is it a recipe?", str(path))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TwofoldError(f"{path.name} is not UTF-8", "save it as UTF-8", str(path)) from error
    strange = RESERVED.search(text) or re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text)
    if strange:
        line = text[: strange.start()].count("\n") + 1
        raise TwofoldError(
            f"a character that recipes may not contain (U+{ord(strange.group(0)):04X})",
            "remove it",
            f"{path.name}:{line}",
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True, slots=True)
class RenderedText:
    """YAML text and, for each of its lines, the line of the file it came from.

    `names` are those that the Jinja mentions.
    """

    text: str
    lines: tuple[int, ...]
    names: frozenset[str]

    def source_line(self, line: int) -> int:
        """Return the file's line (from 1) for a line of the text (from 0)."""
        return self.lines[min(line, len(self.lines) - 1)] if self.lines else 1


def render(
    lines: Sequence[tuple[int, str]], functions: Mapping[str, object], file: str
) -> RenderedText:
    """Render the kept lines (number in the file, text) with the functions that recipes may call.

    Raises ProjectErrors with the line for anything the sandbox refuses.
    """
    source = "\n".join(text for _, text in lines)
    numbers = [number for number, _ in lines]
    environment = RecipeEnvironment(functions, Budget())
    try:
        marked = _add_marks(environment, source, numbers)
        tree = CountingTransformer().visit(environment.parse(marked, name=file, filename=file))
        template = environment.template_class.from_code(
            environment, environment.compile(tree, name=file, filename=file), environment.globals
        )
        text = template.render()
        names = frozenset(name.name for name in tree.find_all(nodes.Name))
    except (RecursionError, MemoryError, SyntaxError) as error:
        raise ProjectErrors(
            [Problem("the Jinja in this recipe is nested too deeply", "write it flat", file)]
        ) from error
    except TwofoldError as error:
        place = _locate_error(error, numbers, file)
        raise ProjectErrors(
            [Problem(p.message, p.hint, p.where or place) for p in error.problems]
        ) from error
    except _REFUSED as error:
        raise ProjectErrors([_make_problem(error, numbers, file)]) from error
    return _remove_marks(text, names)


_REFUSED = (
    TemplateError,
    LimitExceeded,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
)


def _add_marks(environment: RecipeEnvironment, source: str, numbers: Sequence[int]) -> str:
    """Put a mark at each beginning of a line outside Jinja's delimiters."""
    parts = [f"{_OPEN}{numbers[0]}{_SHUT}" if numbers else ""]
    code = 0
    for number, token, value in environment.lex(source):
        if token != TOKEN_DATA:
            code += len(value)
            if code > MAX_CODE:
                raise LimitExceeded("the recipe holds more than 48 KiB of Jinja")
            parts.append(value)
            continue
        line = number - 1
        for letter in value:
            parts.append(letter)
            if letter == "\n":
                line += 1
                if line < len(numbers):
                    parts.append(f"{_OPEN}{numbers[line]}{_SHUT}")
    return "".join(parts)


def _remove_marks(text: str, names: frozenset[str]) -> RenderedText:
    """Remove the marks; a line without one belongs to the line before it."""
    lines: list[int] = []
    plain: list[str] = []
    last = 1
    for line in text.split("\n"):
        found = _MARK.search(line)
        if found:
            last = int(found.group(1))
        lines.append(last)
        plain.append(_MARK.sub("", line))
    return RenderedText("\n".join(plain), tuple(lines), names)


@cache
def _load_pinned_names() -> frozenset[str]:
    """Load the names that conda-forge's pinning sets."""
    text = Path(__file__).with_name("pinned_names.txt").read_text(encoding="utf-8")
    return frozenset(text.splitlines())


def _make_problem(error: BaseException, numbers: Sequence[int], file: str) -> Problem:
    message = str(error) or type(error).__name__
    where = _locate_error(error, numbers, file)
    if isinstance(error, LimitExceeded):
        return Problem(message, "use Jinja to set values and choose lines only", where)
    if isinstance(error, UndefinedError):
        hint = "set it with {% set name = ... %} above"
        if not _load_pinned_names().isdisjoint(re.findall(r"'(\w+)'", message)):
            hint += ", or read conda-forge's pinning with --variant-config conda-forge"
        return Problem(f"Jinja: {message}", hint, where)
    if isinstance(error, SecurityError):
        return Problem(f"Jinja: {message}", "recipes may not access Python's internals", where)
    if isinstance(error, TemplateSyntaxError):
        return Problem(f"Jinja: {error.message}", "use {% set %}, {% if %}, {% for %}", where)
    return Problem(f"Jinja: {message}", "", where)


def _locate_error(error: BaseException, numbers: Sequence[int], file: str) -> str:
    line = (error.lineno or 0) if isinstance(error, TemplateSyntaxError) else 0
    trace = error.__traceback__
    while trace is not None and not line:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    if 0 < line <= len(numbers):
        return f"{file}:{numbers[line - 1]}"
    return file


#: Far more than any recipe has.
MAX_NODES = 20_000
MAX_DEPTH = 40
#: The truth values of YAML 1.1.
TRUE = frozenset({"true", "yes", "on"})
FALSE = frozenset({"false", "no", "off"})
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a recipe: `value` is text, None, a list of nodes or a dict of them.

    `line` is its line in the file, `key` its path (`build/script`). `is_plain`: a text without
    quotes, which YAML may read as another type.
    """

    value: str | list[Node] | dict[str, Node] | None
    line: int
    key: str
    is_plain: bool = False

    @property
    def truth(self) -> bool | None:
        """The truth value that YAML 1.1 reads in it; None if it reads none."""
        word = self.value.lower() if self.is_plain and isinstance(self.value, str) else ""
        return word in TRUE if word in TRUE | FALSE else None

    @property
    def is_empty(self) -> bool:
        """Whether it is null, false or without content: conda-build takes that for absent."""
        return not self.value or self.truth is False

    def get(self, name: str) -> Node | None:
        """Return the value under a name; None if it is absent or empty."""
        if not isinstance(self.value, dict):
            return None
        found = self.value.get(name)
        return None if found is None or found.value is None else found

    def items(self) -> Iterator[Node]:
        """Return the parts of a list that have a value; a single value is a list of one."""
        if isinstance(self.value, list):
            yield from (part for part in self.value if part.value is not None)
        elif self.value not in (None, {}):
            yield self


def read_tree(
    text: str,
    file: str,
    origin: Callable[[int], int] = lambda line: line + 1,
    remarks: list[str] | None = None,
    loader_class: Any = _Loader,
) -> Node:
    """Parse a document to a tree. `origin` maps a line of the text (from 0) to one of the file.

    Of a key that occurs twice the last one counts, as for conda-build, and `remarks` receives a
    line about it; without that list it is an error, as for rattler-build. `loader_class` is the
    fastest one of PyYAML's that is installed. Raises ProjectErrors with the line for invalid YAML
    and for aliases.
    """
    try:
        _check_depth(text)
        loader = loader_class(text)
        try:
            document = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        where = f"{file}:{origin(mark.line)}" if mark else file
        detail = getattr(error, "problem", None) or str(error).splitlines()[0]
        hint = "check the indentation and the colons; quote values that begin with a sign"
        raise ProjectErrors([Problem(f"invalid YAML: {detail}", hint, where)]) from error
    builder = _NodeBuilder(file, origin, remarks)
    tree = Node({}, 1, "") if document is None else builder.build_node(document, "")
    if builder.problems:
        raise ProjectErrors(builder.problems)
    return tree


def _check_depth(text: str) -> None:
    """Refuse deep nesting before parsing: PyYAML's C composer recurses unchecked."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise yaml.YAMLError("it is nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _NodeBuilder:
    def __init__(self, file: str, origin: Callable[[int], int], remarks: list[str] | None) -> None:
        self.file = file
        self.remarks = remarks
        self.origin = origin
        self.problems: list[Problem] = []
        self.seen: set[int] = set()

    def build_node(self, node: yaml.Node, key: str) -> Node:
        line = self.origin(node.start_mark.line)
        if id(node) in self.seen:
            self._add_problem("an alias (*name) is not allowed in a recipe", line, key)
            return Node(None, line, key)
        self.seen.add(id(node))
        if not node.tag.startswith("tag:yaml.org,2002:") or ":python/" in node.tag:
            self._add_problem("a tag (!name) is not allowed in a recipe", line, key)
        if len(self.seen) > MAX_NODES:
            raise ProjectErrors([Problem("the recipe has too many values", "", self.file)])
        if isinstance(node, yaml.ScalarNode):
            # The loaders differ in a plain scalar's style; both resolve a plain null to this tag.
            value = None if node.tag == _NULL else node.value
            return Node(value, line, key, is_plain=not node.style)
        if isinstance(node, yaml.SequenceNode):
            return Node([self.build_node(part, key) for part in node.value], line, key)
        return Node(self._build_mapping(node, key), line, key)

    def _build_mapping(self, node: yaml.Node, key: str) -> dict[str, Node]:
        made: dict[str, Node] = {}
        for name, value in node.value:
            line = self.origin(name.start_mark.line)
            if not isinstance(name, yaml.ScalarNode):
                self._add_problem("a key must be a word", line, key)
                continue
            path = f"{key}/{name.value}" if key else name.value
            if name.value in made:
                first = made[name.value].line
                if self.remarks is None:
                    message = f"'{name.value}' occurs a second time here (first in line {first})"
                    self._add_problem(message, line, path)
                else:
                    self.remarks.append(
                        f"{self.file}:{line}: '{path}' is also in line {first}; the last one counts"
                    )
            made[name.value] = self.build_node(value, path)
        return made

    def _add_problem(self, message: str, line: int, key: str) -> None:
        place = f"{self.file}:{line}" + (f": {key}" if key else "")
        self.problems.append(Problem(message, "write it out, once", place))


def to_plain(node: Node) -> object:
    """Convert the tree to dicts, lists and texts."""
    if isinstance(node.value, dict):
        return {name: to_plain(value) for name, value in node.value.items()}
    if isinstance(node.value, list):
        return [to_plain(value) for value in node.value]
    return node.value
