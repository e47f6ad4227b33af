"""Which modules are not valid Python, as the compiler of this Python judges.

The compiler takes minutes for what ruff, whose parser is in Rust, reads in seconds. So of many
modules ruff, where it is installed (the extra `check`), finds those that may be wrong, and only
those are compiled: the compiler has the last word. What ruff is known to let pass is searched in
the text. Only limits of the compiler itself, such as a sum of thousands of terms, escape it.
"""

from __future__ import annotations

import os
import re
import sys
import time
import warnings

from twofold.check.facts.model import SyntaxMistake
from twofold.source_analysis.expressions import expression
from twofold.source_analysis.top_level import split_top_level

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from subprocess import Popen

#: Bytes of source above which starting ruff costs less than the compiler.
RUFF_BYTES = 256 << 10
#: Bytes of source above which starting further Pythons (some 150 ms each) is worth it.
PARALLEL_BYTES = 3 << 20
#: Rules for what the compiler refuses and the grammar allows: `return` outside a function.
_RUFF_RULES = "E902,F404,F406,F407,F62,F70,PLE0115,PLE0116,PLE0117,PLE0118,PLE1142"
_MAX_COMMAND = 30_000 if os.name == "nt" else 500_000
#: A file changed so many seconds ago may have changed after it was read.
_RECENT = 60

#: Where these are, ruff may let pass what the compiler refuses: tabs, f-strings, an end of source.
_WORDS = (b"\0", b"__debug__")
_SIGNS = (
    expression(rb"except[ \t\\\r\n]*+\*"),  # leaving a loop in it
    expression(rb"\{[^{}:\n]*+:[^{}\n]*+\{[^{}:\n]*+:[^{}\n]*+\{"),  # fields, thrice nested
    expression(  # another encoding
        rb"\A(?:[^\n]*+\n)?[ \t\f]*+#[^\n]*?coding[:=][ \t]*+(?!utf-8\b)"
    ),
)
_STARRED = expression(
    rb"\n[ \t]*+\*[\w.]++(?:\[[^\n]*+(?<=\])|\([^\n]*+(?<=\)))?[ \t]*+(?:#[^\n]*+)?(?=[\r\n]|\Z)"
)
_STAR_IN_BRACE = expression(rb"\{(?=\*)")
_STAR_IN_BRACES = expression(rb"[fF][rR]?(?:\"\"\"|''')|[fF][rR]?[\"'][^\n]*?\{\*(?!\*)")
#: Blank lines and comments are not so long.
_FAR = 2000
_BEGINS_STARRED = expression(rb"\s*+\*")
_MATCH = expression(rb"(?:\A|\n)[ \t]*+match\b")
_CASE = expression(rb"\n[ \t]++case\b[^\n]*+(?<=[:\\\r(\[,|])\n")
#: `nonlocal` as the first statement of a function: no name in it is used before.
_NONLOCAL = expression(
    rb"(?:\b(?:def|nonlocal|global) [^\n]*+|\n[ \t]*+\)[^\n]*+|\"\"\"|'''|#[^\n]*+)\n"
    rb"\s*+(?=nonlocal\b)"
)
_ASYNC = expression(rb"async[ \t]++def\b")
_RETURNS = expression(rb"[\n;:][ \t]*+return[ \t(]*+[^\s#;]|\byield[ \t]++from\b")
_DEEP = expression(rb"\n[ \t]{20}[ \t]*+(?:for|while|try|with|async)\b")
_BLOCK = expression(rb"\n([ \t]*+)(?:for|while|try|with|async|except|finally|else)\b")
#: The compiler nests so many blocks.
_MAX_BLOCKS = 20


class SourceFile:
    """A module's source, and the file it was read from; '' for none."""

    __slots__ = ("path", "source")

    def __init__(self, source: bytes, path: str = "") -> None:
        self.source = source
        self.path = path


def find_mistake(source: bytes) -> SyntaxMistake | None:
    """Compile a module, of which nothing is run, and return what the compiler refuses."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape is not our finding
            # The tree alone lets pass what the compiler refuses: `return` outside a function.
            compile(source, "<module>", "exec", dont_inherit=True)
    except SyntaxError as error:
        from twofold.check.facts.syntax import guess_newer_syntax

        line = error.lineno or 0
        return SyntaxMistake(error.msg, line, *guess_newer_syntax(source, line, error.msg))
    except (ValueError, RecursionError, MemoryError) as error:
        return SyntaxMistake(str(error) or type(error).__name__, 0)
    return None


class SyntaxCheck:
    """The check of several modules, by a key of each; it runs beside the caller's own work."""

    def __init__(self, files: Mapping[str, SourceFile]) -> None:
        self._files = files
        self._began = time.time()
        self._ruff: Popen[bytes] | None = None
        size = sum(len(file.source) for file in files.values())
        if size >= RUFF_BYTES and all(file.path for file in files.values()):
            self._ruff = _start_ruff([file.path for file in files.values()])

    @property
    def is_beside(self) -> bool:
        """Whether another process does the work."""
        return self._ruff is not None

    def finish(
        self, may_surprise: Callable[[str], bool | None] = lambda _: None
    ) -> dict[str, SyntaxMistake]:
        """Wait for the check, and return the mistakes by key.

        `may_surprise` knows by its key whether a module may surprise ruff, or returns None.
        """
        if self._ruff is None:
            return _compile_files(self._files, find_mistake)
        surprising = {}
        for key, file in self._files.items():
            known = may_surprise(key)
            if may_surprise_ruff(file.source) if known is None else known:
                surprising[key] = file
        named = _read_report(self._ruff)
        if named is None:
            return _compile_files(self._files, find_mistake)
        suspects = {
            key: file
            for key, file in self._files.items()
            if (named and os.path.realpath(file.path) in named) or self._has_changed(file)
        }
        others = {key: file for key, file in surprising.items() if key not in suspects}
        return {
            **_compile_files(suspects, find_mistake),
            **_compile_files(others, find_mistake_by_statement),
        }

    def close(self) -> None:
        """End ruff if it still runs."""
        if self._ruff is not None and self._ruff.returncode is None:
            self._ruff.kill()
            self._ruff.communicate()

    def _has_changed(self, file: SourceFile) -> bool:
        """Whether ruff may have read another text than the caller."""
        try:
            if os.stat(file.path).st_mtime < self._began - _RECENT:
                return False
            with open(file.path, "rb") as now:
                return now.read() != file.source
        except OSError:
            return True


def may_surprise_ruff(source: bytes) -> bool:
    """Whether a module that ruff lets pass should be compiled all the same."""
    source = source.removeprefix(b"\xef\xbb\xbf")
    if any(word in source for word in _WORDS) or any(sign.search(source) for sign in _SIGNS):
        return True
    if b"\t" in source and (b"\n\t" in source or b" \t" in source):
        return True
    if b"match" in source and _CASE.search(source) and _MATCH.search(source):
        return True  # a pattern after one that takes everything
    if b"nonlocal" in source and source.count(b"nonlocal") > len(_NONLOCAL.findall(source)):
        return True
    if b"yield" in source and b"async" in source and _returns_from_generator(source):
        return True
    if _BEGINS_STARRED.match(source):
        return True
    if _STAR_IN_BRACE.search(source) and _STAR_IN_BRACES.search(source):
        return True
    for found in _STARRED.finditer(source):
        before = source[max(0, found.start() - _FAR) : found.start()].rstrip()
        if before[-1:] not in (b",", b"(", b"["):
            return True  # a starred value alone
    if _DEEP.search(source) is None:
        return False
    return len({found[1] for found in _BLOCK.finditer(source)}) >= _MAX_BLOCKS


def _returns_from_generator(source: bytes) -> bool:
    """Whether an asynchronous generator may return a value, or yield from another."""
    for found in _ASYNC.finditer(source):
        indent = source[source.rfind(b"\n", 0, found.start()) + 1 : found.start()]
        if indent.strip(b" \t"):
            continue
        outside = re.compile(rb"\n[ \t]{0,%d}(?:def|async|class|@)" % len(indent))
        end = outside.search(source, found.end())
        body = source[found.end() : end.start() if end else len(source)]
        if b"yield" in body and _RETURNS.search(body):
            return True
    return False


def find_mistake_by_statement(source: bytes) -> SyntaxMistake | None:
    """What the compiler refuses in a module that ruff read; what ruff sees is compiled at most.

    A statement at the top level means the same alone, and most of a module surprises nobody.
    """
    cut = split_top_level(source)
    if cut is not None and not any(
        find_mistake(piece) for piece in cut.pieces() if may_surprise_ruff(piece)
    ):
        return None
    return find_mistake(source)


def _compile_files(
    files: Mapping[str, SourceFile], judge: Callable[[bytes], SyntaxMistake | None]
) -> dict[str, SyntaxMistake]:
    """The mistakes by key; by several processes when there is much to compile."""
    sources = [file.source for file in files.values()]
    if sum(map(len, sources)) < PARALLEL_BYTES:
        mistakes = [judge(source) for source in sources]
    else:
        from twofold.check.facts.processes import run_in_processes

        mistakes = run_in_processes(judge, sources)
    return {key: one for key, one in zip(files, mistakes, strict=True) if one is not None}


def _start_ruff(paths: list[str]) -> Popen[bytes] | None:
    """Start the ruff that is installed beside this Python; None where it cannot be."""
    name = "ruff.exe" if os.name == "nt" else "ruff"
    program = os.path.join(os.path.dirname(sys.executable), name)
    if not os.path.exists(program) or sum(len(path) + 1 for path in paths) > _MAX_COMMAND:
        return None
    import subprocess

    options = ("--isolated", "--no-cache", "--ignore-noqa", "--quiet", "--output-format", "json")
    version = f"py{sys.version_info[0]}{sys.version_info[1]}"
    rules = ("--select", _RUFF_RULES, "--target-version", version)
    try:
        return subprocess.Popen(
            [program, "check", *options, *rules, "--", *paths],
            env={key: value for key, value in os.environ.items() if not key.startswith("RUFF_")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return None  # not for this machine: the compiler does the work


def _read_report(ruff: Popen[bytes]) -> set[str] | None:
    """The files in which ruff found something; None where it did not finish."""
    report, _ = ruff.communicate()
    if ruff.returncode == 0:
        return set()
    if ruff.returncode != 1:
        return None  # a version that does not know this Python, or a crash
    import json

    return {os.path.realpath(one["filename"]) for one in json.loads(report)}
