"""Tests that a package carries under info/tests/tests.yaml, in rattler-build's form.

Each test of commands becomes a script, run by bash, cmd.exe or the interpreter that it names; tests
of imports and of programs' libraries become the command that makes them. Tests of a package's
content ran when it was built.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from twofold.errors import BadFile

#: Interpreter -> the end of its scripts' names, and options before the script.
_INTERPRETERS = {
    "bash": (".sh", ("-e",)),
    "sh": (".sh", ("-e",)),
    "cmd": (".bat", ("/d", "/c")),
    "python": (".py", ()),
    "perl": (".pl", ()),
    "ruby": (".rb", ()),
    "rscript": (".R", ()),
    "nu": (".nu", ()),
    "powershell": (".ps1", ("-File",)),
}
#: Kind of test -> interpreter, key, and the line that loads one library.
_LIBRARIES = {
    "perl": ("perl", "uses", "use {};"),
    "r": ("rscript", "libraries", "library('{}')"),
    "ruby": ("ruby", "requires", "require '{}'"),
}


class ScriptTest(NamedTuple):
    """A test as a script: `interpreter` is the name of a program in the environment.

    `cwd` is a folder in the prefix, '' for one of the test's own. `requires` are MatchSpecs.
    """

    name: str
    interpreter: str
    content: str
    env: Mapping[str, str]
    cwd: str = ""
    requires: tuple[str, ...] = ()

    def write(self, folder: Path) -> list[str]:
        """Write the script into a folder; returns the words that run it."""
        program = {"cmd": "cmd.exe", "rscript": "Rscript"}.get(self.interpreter, self.interpreter)
        ending, options = _INTERPRETERS.get(self.interpreter, ("", ()))
        folder.mkdir(parents=True, exist_ok=True)
        script = folder / f"test{ending}"
        script.write_text(self.content, encoding="utf-8")
        return [program, *options, str(script)]


def parse_tests(data: bytes, where: str) -> list[ScriptTest]:
    """Parse tests.yaml. Raises BadFile."""
    try:
        value = yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadFile(f"its tests.yaml is not YAML: {error}", "build it again", where) from error
    tests = value if isinstance(value, list) else []
    return [
        test
        for number, one in enumerate(tests)
        if isinstance(one, dict)
        for test in _read_test(one, f"tests.yaml, test {number + 1}")
    ]


def _read_test(test: Mapping[str, Any], name: str) -> Iterator[ScriptTest]:
    if "script" in test:
        requires = test.get("requirements")
        needs = requires if isinstance(requires, dict) else {}
        yield _read_script(test["script"], name, (*_texts(needs, "run"), *_texts(needs, "build")))
    python = test.get("python")
    if isinstance(python, dict):
        lines = [f"import {module}" for module in _texts(python, "imports")]
        yield ScriptTest(name, "python", "\n".join(lines), {})
        if python.get("pip_check", True):
            check = 'import runpy, sys\nsys.argv = ["pip", "check"]\nrunpy.run_module("pip")\n'
            yield ScriptTest(f"{name}: pip check", "python", check, {}, requires=("pip",))
    for kind, (interpreter, key, line) in _LIBRARIES.items():
        part = test.get(kind)
        if isinstance(part, dict):
            content = "\n".join(line.format(one) for one in _texts(part, key))
            yield ScriptTest(name, interpreter, content, {})


def _read_script(script: Any, name: str, requires: tuple[str, ...]) -> ScriptTest:
    parts = script if isinstance(script, dict) else {"content": script}
    default = "cmd" if sys.platform == "win32" else "bash"
    interpreter = str(parts.get("interpreter") or default).lower()
    lines = _texts(parts, "content")
    if interpreter == "cmd":
        lines = [f"{line}\nIF %ERRORLEVEL% NEQ 0 exit /B 1" for line in lines]
    env = parts.get("env")
    values = {str(k): str(v) for k, v in env.items()} if isinstance(env, dict) else {}
    content = "".join(f"{line}\n" for line in lines)
    return ScriptTest(name, interpreter, content, values, str(parts.get("cwd") or ""), requires)


def _texts(part: Mapping[str, Any], key: str) -> list[str]:
    value = part.get(key) or []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]
