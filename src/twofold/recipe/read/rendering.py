"""meta.yaml as it stands -> YAML text: selectors applied, Jinja rendered, lines remembered.

conda-build drops lines by selector, then renders. After that a line's number says nothing of the
file its author wrote, and every message would point elsewhere. So each line carries a mark with
its number (two letters of Unicode's private area around digits) through the rendering.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    """The recipe's text with plain line ends; TwofoldError where it cannot be one."""
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
            f"a letter that no recipe may hold (U+{ord(strange.group(0)):04X})",
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
        """The file's line (from 1) for a line of the text (from 0)."""
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
    """Put a mark at each beginning of a line that lies outside Jinja's own signs."""
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
    """Take the marks out; a line without one belongs to the line before it."""
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


def _make_problem(error: BaseException, numbers: Sequence[int], file: str) -> Problem:
    message = str(error) or type(error).__name__
    where = _locate_error(error, numbers, file)
    if isinstance(error, LimitExceeded):
        return Problem(message, "Jinja is to set values and choose lines; compute less", where)
    if isinstance(error, UndefinedError):
        return Problem(f"Jinja: {message}", "set it with {% set name = ... %} above", where)
    if isinstance(error, SecurityError):
        return Problem(f"Jinja: {message}", "a recipe may not reach into Python", where)
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
