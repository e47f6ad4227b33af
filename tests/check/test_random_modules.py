"""Random modules: what the compiled reader says is what the syntax tree shows."""

from __future__ import annotations

import random
import re

import pytest

from tests.check.test_reader import list_differences
from twofold.check.facts import reader

#: A grammar of modules; `<x>` stands for a choice of x. Its strings, comments and line ends may
#: mislead a reader of text.
GRAMMAR: dict[str, tuple[str, ...]] = {
    "module": ("<body>\n<body>\n<body><end>", "<body><end>", '"""\nimport no\n"""\n<body><end>'),
    "end": ("\n", "", "\\\n", "\n\n"),
    "body": ("<statement>", "<statement>\n<statement>"),
    "statement": ("<simple>", "<simple>", "<simple>  # '''", "# c", "<block>", "<block>"),
    "block": (
        "<head>  # c\n    <body>",
        "<head>\n\t<body>",
        "<head> <simple>",
        "if <test>:\n  <body>\nelse:\n  <body>",
        "try:\n <body>\nexcept ImportError:\n <body>",
        "match <value>:\n case [b, *c]:\n  <body>",
    ),
    "head": (
        "def <name>(a, /, *, b=<value>):",
        "@<name>(\n<value>)\nasync def f(\n  a,\n  b):",
        "class <name>(<value>):",
        "if <test>:",
        "for <name> in <value>:",
        "while <value>:",
        "with <value> as (<name>, b):",
    ),
    "test": (
        "TYPE_CHECKING",
        "typing.TYPE_CHECKING",
        "not TYPE_CHECKING",
        "<test> and <test>",
        "__name__ == '__main__'",
        "sys.platform == 'x'",
        "<value>",
    ),
    "simple": (
        "import a.b, c as d",
        "import <name> as <name>",
        "from . import e",
        "from .f import (<name> as h, # (\n i,)",
        "from ..k import l, \\\n    m",
        "from j import *",
        "from importlib import import_module as load",
        "__version__ = <text>",
        "__all__ = ['a', # c\n <text>]",
        "__all__ += ['a']",
        "__all__.extend((<text>,))",
        "del <name>, b[0]",
        "del(a)",
        "global <name>, é",
        "<name> = <value>",
        "<name>, *b = [c, d] = <value>",
        "<name>: int | None = <value>",
        "<name> += <value>",
        "x.y = 1",
        "match(a)",
        "type = 1",
        "return <value>",
        "<value>",
        "<simple>; <simple>",
    ),
    "value": (
        "<name>",
        "<name>",
        "<text>",
        "<text>",
        "globals()",
        "importlib.import_module('a.b')",
        "import_module(<text>)",
        "__import__('e.f').g",
        "[<break><value>, *<name>]",
        "(<break><value><break>)",
        "<name>[<value>, <break>*<name>]",
        "f(<break><value>, k=<value>)",
        "(a := <value>)",
        "(lambda a: <value>)",
        "[<value> for b in <value>]",
        "{<text>: <value>}",
    ),
    "break": ("", "", "\n", "  # c (\n", " \\\n"),
    "text": (
        '"a.b"',
        "'#'",
        '"]"',
        "'('",
        '"[" "u"',
        "'1.2' '3'",
        "b'\\\n'",
        "r'\\('",
        "'\\''",
        'f"{a!r}"',
        "'''\"'''",
        '"""\nimport no\n# c\n"""',
        '"""\n__all__ = ["q"]\n"""',
        '"""\\"""no"""',
    ),
    "name": (
        *("a", "b", "é", "_d", "os", "match", "type", "importlib", "import_module", "__all__"),
        *("__version__", "__path__"),
    ),
}
_PLACE = re.compile(r"(?m)(^[ \t]*)?<(\w+)>")
#: Deeper than this, the first two alternatives are the only ones: names and plain statements.
_DEEPEST = 9


def expand(symbol: str, chance: random.Random, depth: int = 0) -> str:
    """Write a text by the grammar; a part that begins a line keeps its indentation in all lines."""
    choices = GRAMMAR[symbol] if depth < _DEEPEST else GRAMMAR[symbol][:2]

    def fill(found: re.Match[str]) -> str:
        indentation = found[1] or ""
        lines = expand(found[2], chance, depth + 1).splitlines(keepends=True)
        return "".join(f"{indentation}{line}" for line in lines)

    return _PLACE.sub(fill, chance.choice(choices))


@pytest.fixture(autouse=True)
def _read_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader reads small modules too."""
    monkeypatch.setattr(reader, "READER_BYTES", 0)


def expand_many(seed: int, count: int) -> list[bytes]:
    """Random modules, some with Windows' line ends or a byte order mark."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        source = expand("module", chance)
        made.append(chance.choice((source, source.replace("\n", "\r\n"), f"\ufeff{source}")))
    return [source.encode() for source in made]


def test_reader_and_tree_show_the_same_of_random_modules() -> None:
    assert list_differences(expand_many(1, 300)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_reader_and_tree_show_the_same_of_many_random_modules(seed: int) -> None:
    assert list_differences(expand_many(seed, 4000)) == {}


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    global alpha",  # no line end behind the last name
        "x = (b := 1)\\\r\n",
        "x: a[int,\n  b, *c]\n",
        "a[(b := 1), *c]\n",
        "\ufeffa[(b := 1), *c]\n",
        "a[(b := 1),\n*é]\n",
        "import __version__\n__version__ = 'a' 'b'\n",
        "def f():\n    global __version__, é\n__version__ = 'a'\n",
        "match ...:\n    case 1: pass\n",
        "def f():\n    __version__ = '2'\n__version__ = '1'\n",
    ],
)
def test_reader_and_tree_show_the_same_where_text_once_misled(source: str) -> None:
    assert list_differences([source.encode()]) == {}
