"""The sections of meta.yaml one by one: a tree's node in, a checked value out.

A `Reader` collects every mistake with its line and key. Keys that conda-build knows and that
change nothing in a package of Python code are accepted and left; unknown ones are mistakes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from twofold.errors import Problem
from twofold.recipe.model import Build, Line, Requirements, Source, Tests
from twofold.recipe.pin_run import resolve_x_x
from twofold.recipe.pins import HASH, Calls
from twofold.recipe.tree import Node

SECTIONS = str.split("about app build extra outputs package requirements source test")
_ABOUT = str.split(
    "home dev_url doc_url doc_source_url license license_family license_file license_url summary "
    "description tags keywords identifiers prelink_message readme author maintainers"
)
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
#: Keys for building with a host environment: handed to recipe v1 where it knows them.
KEPT = str.split(
    "ignore_run_exports ignore_run_exports_from missing_dso_whitelist runpath_whitelist "
    "detect_binary_files_with_prefix has_prefix_files binary_has_prefix_files rpaths "
    "always_include_files binary_relocation merge_build_host overlinking_ignore_patterns "
    "track_features"
)
#: Keys that say nothing about a package that twofold writes.
_LEFT = str.split(
    "preserve_egg_dir osx_is_app disable_pip no_link include_recipe skip_compile_pyc pin_depends "
    "force_use_keys force_ignore_keys error_overdepending error_overlinking activate_in_script "
    "use_local noarch_python_build_age python_version_independent"
)
_BUILD = str.split(
    "number string script noarch noarch_python skip script_env entry_points run_exports"
)
_SOURCE = str.split("path url fn sha256 sha1 md5 git_url git_rev git_tag git_depth folder patches")
_HASHES = {"sha256": 64, "sha1": 40, "md5": 32}
_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
_VERSION = re.compile(r"[0-9A-Za-z_.!+]+")
_SPEC = re.compile(r"(?:[\w./-]+::)?[A-Za-z0-9_\ue002][\w.\ue002\ue003+-]*")
#: Python's pin follows from the package's Python; numpy's is resolved once the host is known.
_X_X = {"python x.x": "python", "numpy x.x": "numpy x.x"}
_ENTRY_POINT = re.compile(r"[^=\s]+\s*=\s*[\w.]+:[\w.]+")


class Reader:
    """Turns nodes into values and collects problems, for one recipe file."""

    def __init__(self, file: str, folder: Path, calls: Calls) -> None:
        self.file = file
        self.folder = folder
        self.calls = calls
        self._found: list[tuple[int, Problem]] = []

    @property
    def problems(self) -> list[Problem]:
        """What is wrong, in the order of the file's lines."""
        return [problem for _, problem in sorted(self._found, key=lambda found: found[0])]

    def wrong(self, message: str, node: Node | Line, hint: str = "") -> None:
        line = node.line if isinstance(node, Node) else node.number
        place = f"{self.file}:{line}" + (f": {node.key}" if node.key else "")
        self._found.append((line, Problem(self.calls.shown(message), hint, place)))

    def section(self, node: Node | None, known: Iterable[str], what: str) -> dict[str, Node]:
        """The parts of a mapping that have a value; unknown keys are mistakes."""
        if node is None or node.value is None:
            return {}
        if not isinstance(node.value, dict):
            self.wrong(f"{what} must be keys and values", node, f"write '{what}:' and indent below")
            return {}
        words = list(known)
        for name, part in node.value.items():
            if words and name not in words:
                close = difflib.get_close_matches(name, words, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(words)}"
                self.wrong(f"'{name}' is no key of {what}", part, hint)
        return {name: part for name, part in node.value.items() if part.value is not None}

    def lines(self, node: Node | None) -> tuple[Line, ...]:
        """A list of texts; a single text counts as a list of one, empty items are left out."""
        made = []
        for part in node.items() if node else ():
            if isinstance(part.value, str):
                made.append(Line(part.value.strip(), part.line, part.key))
            elif part.value is not None:
                self.wrong("a list of texts belongs here", part, "write one '- text' a line")
        return tuple(line for line in made if line.text)

    def text(self, node: Node | None) -> str:
        if node is None or node.value is None:
            return ""
        if not isinstance(node.value, str):
            self.wrong("one text belongs here, not a list or keys", node)
            return ""
        return node.value.strip()

    def truth(self, node: Node | None) -> bool:
        word = self.text(node).lower()
        if node is not None and word and word not in _TRUE | _FALSE:
            self.wrong(f"'{word}' is neither true nor false", node, "write true or false")
        return word in _TRUE

    def name(self, node: Node | None, parent: Node) -> str:
        name = self.text(node)
        if not name:
            self.wrong("the package has no name", parent, "add 'name: my_package'")
        elif not _NAME.fullmatch(name):
            hint = f"write '{name.lower()}'" if name != name.lower() else "use a-z, 0-9, - _ ."
            self.wrong(f"'{name}' cannot be a conda package's name", node or parent, hint)
        return name

    def version(self, node: Node | None, parent: Node) -> str:
        version = self.text(node)
        if not version:
            self.wrong("the package has no version", parent, "add 'version: 1.0.0'")
        elif not _VERSION.fullmatch(version):
            hint = "use digits, letters, '.', '_', '+', '!'; no '-' and no space"
            self.wrong(f"'{version}' cannot be a conda version", node or parent, hint)
        return version

    def build(self, node: Node | None, what: str = "build") -> Build:
        parts = self.section(node, [*_BUILD, *KEPT, *_LEFT], what)
        noarch = self.text(parts.get("noarch")).lower()
        if "noarch" in parts and noarch not in ("python", "generic"):
            self.wrong(f"noarch is '{noarch}'", parts["noarch"], "write 'noarch: python'")
        if self.truth(parts.get("noarch_python")):
            noarch = "python"
        return Build(
            number=self._number(parts.get("number")),
            string=self._string(parts.get("string")),
            noarch=noarch,
            skip=self.truth(parts.get("skip")),
            script=self.script(parts.get("script")),
            script_env=self.lines(parts.get("script_env")),
            entry_points=self._entry_points(parts.get("entry_points")),
            run_exports=self._run_exports(parts.get("run_exports")),
            noarch_line=parts["noarch"].line if "noarch" in parts else 0,
            kept={name: self.lines(parts[name]) for name in KEPT if name in parts},
        )

    def script(self, node: Node | None) -> tuple[Line, ...]:
        """Commands, one a line; a literal block (`|`) holds several."""
        made = []
        for part in node.items() if node else ():
            if not isinstance(part.value, str):
                self.wrong("script must be a command or a list of commands", part)
                continue
            several = part.value.strip().splitlines()
            # In a literal block the text begins on the line after its sign.
            shift = 1 if len(several) > 1 else 0
            for offset, text in enumerate(several):
                if text.strip():
                    made.append(Line(text.strip(), part.line + offset + shift, part.key))
        return tuple(made)

    def _number(self, node: Node | None) -> int:
        text = self.text(node)
        if node is None or not text:
            return 0
        if not re.fullmatch(r"\d{1,9}", text):
            self.wrong(f"the build number is '{text}'", node, "write a whole number: 'number: 0'")
            return 0
        return int(text)

    def _string(self, node: Node | None) -> str:
        text = self.text(node)
        shown = self.calls.replaced(text, lambda call: "0" if call == HASH else "")
        if node is not None and text and not re.fullmatch(r"[\w.+]+", shown, re.ASCII):
            self.wrong(f"'{text}' cannot be a build string", node, "use letters, digits, _ . +")
        return text

    def _entry_points(self, node: Node | None) -> tuple[Line, ...]:
        lines = self.lines(node)
        for line in lines:
            if not _ENTRY_POINT.fullmatch(line.text):
                self.wrong(f"'{line.text}' is no entry point", line, "write 'x = module:function'")
        return lines

    def _run_exports(self, node: Node | None) -> dict[str, tuple[Line, ...]]:
        if node is None:
            return {}
        if not isinstance(node.value, dict):
            return {"weak": self.specs(node)}
        kinds = ("weak", "strong", "noarch", "weak_constrains", "strong_constrains")
        parts = self.section(node, kinds, "run_exports")
        return {kind: self.specs(part) for kind, part in parts.items()}

    def specs(
        self, node: Node | None, also: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[Line, ...]:
        """Requirements in the form `name constraint build`, one space between the parts.

        `also` are further texts that count as requirements, with what they mean.
        """
        made = []
        for line in self.lines(node):
            text = " ".join(line.text.split(" #")[0].split())
            if text in also:
                made.append(replace(line, text=also[text]))
                continue
            found = _SPEC.match(text)
            rest = text[found.end() :].strip() if found else ""
            if not found or (rest and rest[0] not in "=<>!~*0123456789[|(\ue002") or ";" in rest:
                hint = "write 'name' or 'name >=1.0,<2', as conda's MatchSpec"
                self.wrong(f"'{text}' is no conda requirement", line, hint)
                continue
            spec = f"{found.group(0)} {' '.join(rest.split())}".strip()
            made.append(Line(_canonical_spec(spec), line.number, line.key))
        return tuple(made)

    def requirements(self, node: Node | None) -> Requirements:
        if node is not None and not isinstance(node.value, dict):
            return Requirements(run=self.specs(node))
        known = ("build", "host", "run", "run_constrained", "run_constraints", "conflicts")
        parts = self.section(node, known, "requirements")
        constrained = parts.get("run_constrained", parts.get("run_constraints"))
        needs = Requirements(
            self.specs(parts.get("build"), _X_X),
            self.specs(parts.get("host"), _X_X),
            self.specs(parts.get("run"), _X_X),
            self.specs(constrained),
        )
        return resolve_x_x(needs, self.calls, self.wrong)

    def tests(self, node: Node | None, beside: bool) -> Tests:
        known = (
            "imports",
            "commands",
            "requires",
            "files",
            "source_files",
            "script",
            "downstreams",
        )
        parts = self.section(node, known, "test")
        names = ("run_test.py", "run_test.sh", "run_test.bat") if beside else ()
        beside_recipe = [self.folder / name for name in names]
        return Tests(
            imports=self.lines(parts.get("imports")),
            commands=self.script(parts.get("commands")),
            requires=self.specs(parts.get("requires")),
            source_files=self.lines(parts.get("source_files")),
            files=self.lines(parts.get("files")),
            scripts=(
                *(path for path in beside_recipe if path.is_file()),
                *self._test_scripts(parts.get("script")),
            ),
        )

    def _test_scripts(self, node: Node | None) -> Iterator[Path]:
        """test/script: files beside the recipe, each run as its ending says."""
        for line in self.lines(node):
            path = (self.folder / line.text).resolve()
            if not path.is_relative_to(self.folder.resolve()) or not path.is_file():
                hint = "write commands under test/commands"
                self.wrong(f"the test '{line.text}' does not lie beside the recipe", line, hint)
            elif path.suffix not in (".py", ".sh", ".bat"):
                hint = "name it .py, .sh or .bat"
                self.wrong(f"what runs the test '{line.text}' is not known", line, hint)
            else:
                yield self.folder / line.text

    def about(self, node: Node | None) -> Mapping[str, tuple[Line, ...]]:
        parts = self.section(node, _ABOUT, "about")
        return {
            name: self.lines(part)
            for name, part in parts.items()
            if isinstance(part.value, str | list)
        }

    def sources(self, node: Node | None) -> tuple[Source, ...]:
        made = []
        for part in node.items() if node else ():
            source = self._source(part)
            if source:
                made.append(source)
        return tuple(made)

    def _source(self, node: Node) -> Source | None:
        for other in ("hg_url", "svn_url"):
            if node.get(other):
                self.wrong(f"source/{other} is not covered", node, "use url, git_url or path")
                return None
        parts = self.section(node, _SOURCE, "source")
        kinds = [(kind, key) for kind, key in _KINDS if key in parts]
        if len(kinds) != 1:
            if parts:
                self.wrong("a source needs one of path, url, git_url", node)
            return None
        kind, key = kinds[0]
        locations = self.lines(parts[key])
        if not locations:
            return None
        folder = self.text(parts.get("folder"))
        if Path(folder).is_absolute() or ".." in Path(folder).parts:
            self.wrong("source/folder leaves the work folder", parts["folder"])
        return Source(
            kind,
            locations[0],
            tuple(line.text for line in locations[1:]),
            self._hashes(parts),
            self.text(parts.get("git_rev")) or self.text(parts.get("git_tag")),
            folder,
            self.lines(parts.get("patches")),
        )

    def _hashes(self, parts: Mapping[str, Node]) -> dict[str, str]:
        made = {}
        for name, length in _HASHES.items():
            text = self.text(parts.get(name)).lower()
            if text and not re.fullmatch(rf"[0-9a-f]{{{length}}}", text):
                self.wrong(f"this is no {name}: it has not {length} hex digits", parts[name])
            elif text:
                made[name] = text
        return made


def _canonical_spec(spec: str) -> str:
    """One spelling for a requirement: no spaces around operators, `1.2` alone means `1.2.*`.

    conda-build adds that star too; `==1.2.*` is no version that could be equal to anything.
    """
    spec = re.sub(r"\s*,\s*", ",", re.sub(r"([<>=!~])\s+(?=[\w\ue002])", r"\1", spec))
    spec = re.sub(r"(?<=[ ,|])==(?=[^,|]*\*)", "", spec)
    return re.sub(r"^(\S+ )(\d[\w.!+]*)$", r"\1\2.*", spec)


_KINDS = (("path", "path"), ("url", "url"), ("git", "git_url"))
