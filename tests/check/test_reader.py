"""The compiled reader says of modules what Python's compiler and the whole trees say."""

from __future__ import annotations

import email
import json
import os
import random
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.check.samples import PROJECTS
from twofold.check import check_project, find_build_errors
from twofold.check.facts import reader
from twofold.check.facts.compiling import find_mistake
from twofold.check.facts.model import Facts
from twofold.check.facts.parse import parse_valid
from twofold.check.facts.quick import QuickFacts, read_quick_facts
from twofold.check.facts.reader import Reading
from twofold.check.facts.store import read_all_quick_facts
from twofold.check.rule_table import BY_CODE
from twofold_build.pyproject import read_project

#: Each holds something that text may show wrongly.
MODULES = {
    "a docstring with code in it": '"""\ndef no():\nimport no\n"""\nimport os\nx = 1\n',
    "three quotes in a comment": "# \"\"\"\nimport a\n# '''\ndef f(): pass\n",
    "three quotes in a string": "x = '\"\"\"'\nimport a\ny = \"'''\"\nimport b\n",
    "escaped quotes": 'x = """a\\"""\nimport no\n"""\nimport a\n',
    "a string that goes on": 'x = "a\\\nimport no"\nimport a\n',
    "a string behind a backslash": "x = \\\n'''\nimport no\n'''\nimport a\n",
    "lines inside brackets": "f(')',\nname=3)\nx = [\nfoo,\nbar]\ny = 2\n",
    "a comment that ends in a backslash": "import a  # \\\nimport b\nx = 1 # \\\ny = 2\n",
    "imports of every form": (
        "import a.b, c as d\nfrom . import e\nfrom .f import (g as h, # (\n  i,)\nfrom j import *\n"
        "from ..k import l, \\\n    m\nimport n; import o\nfrom.p import q\nimport r as s # t\n"
    ),
    "imports under conditions": (
        "if TYPE_CHECKING:\n    from a import b\n"
        "if t.TYPE_CHECKING:\n    import c\nelse:\n    import d\n"
        "if TYPE_CHECKING and sys.version_info > (3, 9):\n    import v\nelse:\n    import w\n"
        "if not (x and TYPE_CHECKING):\n    import y\nelse:\n    import z\n"
        "try:\n    import e\nexcept ImportError:\n    e = None\nif sys.platform == 'x': import f\n"
        "if __name__ == '__main__':\n    import g\n    h = 1\nwith x:\n    import i\n"
    ),
    "imports inside classes": (
        "class A:\n    import a\n    def f(self):\n        import b\n    if x:\n        import c\n"
        "class B: import d\nclass E(\n  F):\n    # c\n    from g import h\n"
        "class I:\n    import importlib\n"
    ),
    "imports inside functions": (
        "def f():\n    import a\nasync def g(): import b\n@d\ndef h(): pass\n"
    ),
    "imports by calls": "import importlib\nimportlib.import_module('a.b')\n",
    "imports by calls in functions": (
        "import importlib\ndef f(): importlib.import_module('a')\nclass B:\n"
        "    c = importlib.import_module('d')\n    def e(self): importlib.import_module('g')\n"
    ),
    "calls of what a function imports": (
        "def f():\n    global importlib\n    import importlib\nf()\n"
        "a = importlib.import_module('b')\n"
    ),
    "calls of a function that imports": (
        "from importlib import import_module, metadata\nimport_module('a')\n"
        "@b(import_module('c'))\ndef d(): pass\ne = [import_module('f') for g in h]\n"
    ),
    "calls under other names": (
        "from importlib import import_module as load\nimport importlib as i\nload('a')\n"
        "if i.import_module('b'): pass\nimport_module('c')\n"
    ),
    "calls of the function behind import": (
        "__import__('a').b\nclass C:\n    d = __import__('e.f')\n"
        "def g(h=__import__('i')): __import__('j')\n__import__('k', level=1)\n"
    ),
    "assignments of every form": (
        "a = b = 1\nc, d = e = 2\nf: int = 3\ng: int\nh += 1\ni.j = 4\nk = f(l=1)\n[m, n] = 1, 2\n"
        "(o := 5)\np = {'q': 1}['r'] = 2\ns, *t = u\nv = 'x=y'; w = 1\nx = f(y=1).z = 2\n"
    ),
    "names of functions": (
        "def f():\n    global a, b\n    del c, d[1], e.f\n    g = model\n    delta = 1\n"
    ),
    "names that go": "import a\nx = 1\ndel a\nif y:\n    del x\n",
    "names that go and come": (
        "import a, b\ndef c(): pass\ndel a, c\na = 1\nwith d:\n    del a\ndel(b)\nb = 2; del b\n"
    ),
    "parts that go": (
        "def f():\n    del a[b[c], d], e.f(g).h, i\n    del a['b', \"c\"]\n    del (j)\n"
        "class k:\n    del l[m:n].o[p], q, \\\n        r\n"
    ),
    "names that two functions make": "def f():\n    global a\ndef g():\n    global a\n",
    "an __all__ in parts": (
        "__all__ = ['a', \"b\",  # c\n]\n__all__ += ['d']\n__all__.extend(['e'])\n"
    ),
    "an __all__": "__all__ = [\n    'a', # b\n    \"c\", 'a',\n]\n",
    "an __all__ that joins strings": "__all__ = ['a' 'b', 'c']\n",
    "a version": "__version__ = '1.2' # x\n",
    "a version in parts": "__version__ = '1' '2'\n",
    "a match statement": "match (x):\n    case 1:\n        import a\n        b = 1\n",
    "letters of other languages": "é = 1\ndef ä(): pass\nimport ö\nclass ü: pass\n",
    "an open module": "def __getattr__(n): pass\nx = globals()\n",
    "a shared package": "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n",
    "loops at the top": "for a in b:\n    c = 1\nelse:\n    d = 2\nwhile e: f = 3\n",
    "newer syntax": (
        "class A:\n    def f(self, a, /): return (b := a)\nx = y[1, *z]\nw: int | None = 1\n"
    ),
    "decorators": "@a\n@b(\n  c=1,\n)\nclass D: pass\n@e.f().g\ndef h(): pass\n",
    "one quote inside of three": 'x = f"""{f("a")} {\'b\'}"""\ny = f\'{a:{b}}\'\n',
    "no last line end": "import a\nx = 1",
    "nothing": "",
    "comments alone": "# a\n\n   # b\n",
}


def read(sources: list[bytes], words: tuple[str, ...] = ()) -> list[Any]:
    """The reader's answers."""
    answers = Reading(sources, words).finish()
    if answers is None:
        pytest.skip("twofold-reader is not installed: it is built where cargo is")
    return answers


def list_differences(sources: list[bytes]) -> dict[bytes, list[str]]:
    """What the reader and Python say differently of modules, those that it leaves alone aside."""
    found = {}
    for source, answer in zip(sources, read(sources), strict=True):
        if answer is not None and (wrong := compare_answer(source, answer)):
            found[source] = wrong
    return found


def compare_answer(source: bytes, answer: list[Any]) -> list[str]:
    quick = read_quick_facts(source, answer, 5, is_valid=False)
    mistake = find_mistake(source)
    if mistake is not None or isinstance(quick, Facts):
        return [] if quick.mistake == mistake else [f"accepted: {mistake}"]
    full = parse_valid(source)
    different = [
        name
        for name in ("exported", "is_open", "is_shared", "version", "assigned_elsewhere", "defined")
        if getattr(full, name) != getattr(quick, name)
    ]
    eager = [[one for one in facts.imports if not one.is_deferred] for facts in (full, quick)]
    different += ["imports"] if eager[0] != eager[1] else []
    different += ["all imports"] if sorted(full.imports) != sorted(quick.all_imports) else []
    for oldest in range(5, sys.version_info[1] + 1):
        again = QuickFacts(source, answer[2:], oldest)
        newer = [[one for one in facts.features if one[0] > oldest] for facts in (full, again)]
        different += [f"features since {oldest}"] if newer[0] != newer[1] else []
    return different


@pytest.fixture(autouse=True)
def _read_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader reads small modules too."""
    monkeypatch.setattr(reader, "READER_BYTES", 0)


def test_reader_and_tree_show_the_same() -> None:
    variants = []
    for source in MODULES.values():
        variants += [source, source.replace("\n", "\r\n"), f"\ufeff{source}", f"\n\n{source}\n"]
        variants += [f"{source}\n{other}" for other in MODULES.values()]
    encoded = [variant.encode() for variant in variants]
    assert list_differences(encoded) == {}
    assert sum(answer is not None for answer in read(encoded)) > 0.9 * len(encoded)


def test_reader_and_tree_show_the_same_of_damaged_modules() -> None:
    chance = random.Random(12)
    lines = "".join(MODULES.values()).splitlines(keepends=True)
    sources = ["".join(chance.sample(lines, chance.randrange(1, 7))).encode() for _ in range(900)]
    assert list_differences(sources) == {}
    assert sum(answer is not None for answer in read(sources)) > 50


#: Tokens that are put into statements, wherever they make sense or not.
TOKENS = """
( ) [ ] { } , : ; = == := * ** / . ... -> @ + - | ~ ! not in is and if else for async await yield
return global nonlocal lambda del pass break None a b __debug__ f'{a}' f'{a!r:>{b}}' 'x' b'y' 1 0x1
1.5 1j 01 *args **kw case match type except* # é
"""


def damage(text: str, chance: random.Random) -> str:
    """Some statements, with tokens taken out, doubled, exchanged and put in."""
    tokens = re.findall(r"\s+|\w+|\W", text) or [""]
    for _ in range(chance.randrange(1, 4)):
        place, other = chance.randrange(len(tokens)), chance.randrange(len(tokens))
        change = chance.randrange(4)
        if change == 0:
            tokens[place] = ""
        elif change == 1:
            tokens[place], tokens[other] = tokens[other], tokens[place]
        else:
            tokens.insert(
                place, f" {chance.choice(TOKENS.split())} " if change == 2 else tokens[other]
            )
    return "".join(tokens)


def damage_many(seed: int, count: int) -> list[bytes]:
    chance = random.Random(seed)
    statements = [*MODULES.values(), *REFUSED]
    frames = ("{}", "def f(x):\n    {}", "async def f(x):\n    {}", "class C:\n    {}")
    made = []
    for _ in range(count):
        text = chance.choice(statements)
        frame = chance.choice(frames)
        inner = text.replace("\n", "\n    ") if "    " in frame else text
        made.append(damage(frame.format(inner), chance).encode())
    return made


def test_the_reader_takes_nothing_that_the_compiler_refuses() -> None:
    sources = [text.encode() for text in REFUSED]
    assert list_differences(sources) == {}
    assert list_differences(damage_many(1, 1500)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 12))
def test_the_reader_takes_nothing_of_many_that_the_compiler_refuses(seed: int) -> None:
    assert list_differences(damage_many(seed, 20_000)) == {}


def test_reader_and_tree_show_the_same_of_real_modules() -> None:
    folder = Path(email.__file__).parent
    sources = [path.read_bytes() for path in sorted(folder.glob("[a-h]*.py"))]
    assert list_differences(sources) == {}
    assert all(answer is not None and len(answer) > 2 for answer in read(sources))


@pytest.mark.slow
def test_reader_and_tree_show_the_same_of_the_standard_library() -> None:
    folder = Path(os.__file__).parent
    paths = sorted(path for path in folder.rglob("*.py") if "site-packages" not in path.parts)
    sources = [path.read_bytes() for path in paths]
    assert list_differences(sources) == {}
    valid = [one for one in zip(sources, read(sources), strict=True) if not find_mistake(one[0])]
    assert sum(answer is not None for _, answer in valid) > 0.97 * len(valid)


def test_the_reader_says_whether_a_word_is_in_a_module() -> None:
    answers = read([b"x = 'AKIA'", b"x = 'AKI A'", b"x = (1"], ("AKIA", "sk-"))
    assert [answer and answer[1] for answer in answers] == [1, 0, None]


@pytest.mark.parametrize(
    "body", ["x = (", "[" * 10 + "]" * 10 + "\n", "def f():\n", "if x:\n ", "\n"]
)
def test_the_reader_takes_linear_time(body: str) -> None:
    """Eight times the input may take sixteen times as long, since short times are not exact."""

    def seconds(text: str, times: int) -> float:
        source = (text * times).encode()
        started = time.perf_counter()
        read([source])
        return time.perf_counter() - started

    for text in {body, body.replace("\n", "\r\n")}:
        short = min(seconds(text, 25_000) for _ in range(3))
        long = min(seconds(text, 200_000) for _ in range(2))
        assert long < max(16 * short, 0.2)


def test_what_is_no_answer_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program in its place, one that ends at once, and none."""
    sources = [b"import a\n", b"x = (1"]
    for program in (sys.executable, "/bin/false", None, str(Path(__file__))):
        monkeypatch.setattr(reader, "find_reader", lambda program=program: program)
        read_facts = read_all_quick_facts(sources, 11)
        assert [bool(facts.mistake) for facts in read_facts] == [False, True]
        assert [found.module for found in read_facts[0].imports] == ["a"]


def compare_findings(root: Path) -> None:
    errors = [finding for finding in check_project(root) if finding.is_error]
    found = find_build_errors(root, read_project(root))
    assert [one.as_dict() for one in found] == [one.as_dict() for one in errors]


def test_a_build_finds_the_errors_of_a_full_check(project: Callable[..., Path]) -> None:
    cases = [case for case in PROJECTS if "TF1" in case and BY_CODE[case].severity == "error"]
    for number, (files, toml) in enumerate(one for case in cases for one in PROJECTS[case]):
        compare_findings(project(files, toml, name=f"project{number}"))


@pytest.mark.parametrize("seed", range(2))
def test_a_build_finds_the_errors_of_a_full_check_in_damaged_code(
    project: Callable[..., Path], seed: int
) -> None:
    chance = random.Random(seed)
    files: dict[str, str] = {}
    for package in (json, email):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.glob("*.py")):
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            if chance.random() < 0.4:
                del lines[chance.randrange(len(lines))]
            if chance.random() < 0.4:
                place = chance.randrange(len(lines))
                lines[place] = lines[place].replace("e", "x", 1)
            files[f"src/pkg/{folder.name}/{path.name}"] = "".join(lines)
    compare_findings(project(files))


#: What the compiler refuses, though much of it is right by the grammar.
REFUSED = (
    "x = (1",
    "return 1",
    "def f():\n    await g()",
    "def f():\n    for x in y: pass\n    break",
    "async def f():\n    yield 1\n    return 2",
    "async def f():\n    yield from g()",
    "*a",
    "x = 1\n*a.b",
    "x = '\\N{no such letter}'",
    "match x:\n    case _: pass\n    case 1: pass",
    "for x in y:\n    try: pass\n    except* A: break",
    "def f():\n    x = 1\n    def g():\n        x\n        nonlocal x",
    "f(__debug__=1)",
    "x = 1\0",
    "# coding: nothing\nx = 1",
    "if x:\n\ty\n        z",
    "from __future__ import nothing",
    "x = 1\nfrom __future__ import annotations",
    "def f(a, a): pass",
    "def f():\n    print(x)\n    global x",
    "\n".join(f"{' ' * depth}for x in y:" for depth in range(22)) + f"\n{' ' * 22}pass",
    "x = f'{*a}'",
    "def f():\n    from a import *",
    "x = '\\xz'",
)
