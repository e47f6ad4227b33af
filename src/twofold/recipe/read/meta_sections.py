"""Read the sections of meta.yaml: each method takes a YAML node and returns a checked value.

A `SectionReader` collects every mistake with its line and key. Keys of conda-build without effect
on a package of Python code are accepted and ignored; unknown ones are mistakes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from twofold.errors import Problem
from twofold.recipe.model import HASH, Build, DeferredCalls, Line, Requirements, Source, Tests
from twofold.recipe.read.variants import resolve_x_x
from twofold.recipe.read.yaml_lines import Node

SECTIONS = str.split("about app build extra outputs package requirements source test")
_ABOUT = str.split(
    "home dev_url doc_url doc_source_url license license_family license_file license_url summary "
    "description tags keywords identifiers prelink_message readme author maintainers"
)
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
#: Keys for building with a host environment: handed to recipe v1 where it knows them.
LINKING_KEYS = str.split(
    "ignore_run_exports ignore_run_exports_from missing_dso_whitelist runpath_whitelist "
    "detect_binary_files_with_prefix has_prefix_files binary_has_prefix_files rpaths "
    "always_include_files binary_relocation merge_build_host overlinking_ignore_patterns "
    "track_features"
)
#: Keys without effect on the packages that twofold writes.
_IGNORED_KEYS = str.split(
    "preserve_egg_dir osx_is_app disable_pip no_link include_recipe skip_compile_pyc pin_depends "
    "force_use_keys force_ignore_keys error_overdepending error_overlinking activate_in_script "
    "use_local noarch_python_build_age python_version_independent"
)
_BUILD = str.split(
    "number string script noarch noarch_python skip script_env entry_points run_exports"
)
_SOURCE = str.split("path url fn sha256 sha1 md5 git_url git_rev git_tag git_depth folder patches")
_TESTS = str.split("imports commands requires files source_files script downstreams")
_HASHES = {"sha256": 64, "sha1": 40, "md5": 32}
_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
_VERSION = re.compile(r"[0-9A-Za-z_.!+]+")
_SPEC = re.compile(r"(?:[\w./-]+::)?[A-Za-z0-9_\ue002][\w.\ue002\ue003+-]*")
#: Python's pin follows from the package's Python; numpy's is resolved once the host is known.
_X_X = {"python x.x": "python", "numpy x.x": "numpy x.x"}
_ENTRY_POINT = re.compile(r"[^=\s]+\s*=\s*[\w.]+:[\w.]+")


class SectionReader:
    """Turns nodes into values and collects problems, for one recipe file."""

    def __init__(self, file: str, folder: Path, calls: DeferredCalls) -> None:
        self.file = file
        self.folder = folder
        self.calls = calls
        self._found: list[tuple[int, Problem]] = []

    @property
    def problems(self) -> list[Problem]:
        """The mistakes, in the order of the file's lines."""
        return [problem for _, problem in sorted(self._found, key=lambda found: found[0])]

    def add_problem(self, message: str, node: Node | Line, hint: str = "") -> None:
        """Record a mistake with its line and key."""
        line = node.line if isinstance(node, Node) else node.number
        place = f"{self.file}:{line}" + (f": {node.key}" if node.key else "")
        self._found.append((line, Problem(self.calls.restore_source(message), hint, place)))

    def read_section(self, node: Node | None, known: Iterable[str], label: str) -> dict[str, Node]:
        """Read the parts of a mapping that have a value; unknown keys are mistakes."""
        if node is None or node.value is None:
            return {}
        if not isinstance(node.value, dict):
            self.add_problem(
                f"{label} must be a mapping", node, f"write '{label}:' and indent below"
            )
            return {}
        words = list(known)
        for name, part in node.value.items():
            if words and name not in words:
                close = difflib.get_close_matches(name, words, n=1)
                hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(words)}"
                self.add_problem(f"'{name}' is not a key of {label}", part, hint)
        return {name: part for name, part in node.value.items() if part.value is not None}

    def read_lines(self, node: Node | None) -> tuple[Line, ...]:
        """Read a list of texts; a single text counts as a list of one, empty items are left out."""
        made = []
        for part in node.items() if node else ():
            if isinstance(part.value, str):
                made.append(Line(part.value.strip(), part.line, part.key))
            elif part.value is not None:
                self.add_problem("expected a list of texts", part, "write one '- text' a line")
        return tuple(line for line in made if line.text)

    def read_text(self, node: Node | None) -> str:
        """Read a text; '' if it is absent."""
        if node is None or node.value is None:
            return ""
        if not isinstance(node.value, str):
            self.add_problem("expected one text, not a list or a mapping", node)
            return ""
        return node.value.strip()

    def read_bool(self, node: Node | None) -> bool:
        """Read a truth value of YAML 1.1."""
        word = self.read_text(node).lower()
        if node is not None and word and word not in _TRUE | _FALSE:
            self.add_problem(f"'{word}' is neither true nor false", node, "write true or false")
        return word in _TRUE

    def read_name(self, node: Node | None, parent: Node) -> str:
        """Read the name of a package; `parent` has the line for a missing one."""
        name = self.read_text(node)
        if not name:
            self.add_problem("the package has no name", parent, "add 'name: my_package'")
        elif not _NAME.fullmatch(name):
            hint = f"write '{name.lower()}'" if name != name.lower() else "use a-z, 0-9, - _ ."
            self.add_problem(f"'{name}' cannot be a conda package's name", node or parent, hint)
        return name

    def read_version(self, node: Node | None, parent: Node) -> str:
        """Read a version; `parent` has the line for a missing one."""
        version = self.read_text(node)
        if not version:
            self.add_problem("the package has no version", parent, "add 'version: 1.0.0'")
        elif not _VERSION.fullmatch(version):
            hint = "use digits, letters, '.', '_', '+', '!'; no '-' and no space"
            self.add_problem(f"'{version}' cannot be a conda version", node or parent, hint)
        return version

    def read_build(self, node: Node | None, label: str = "build") -> Build:
        """Read the build section."""
        parts = self.read_section(node, [*_BUILD, *LINKING_KEYS, *_IGNORED_KEYS], label)
        noarch = self.read_text(parts.get("noarch")).lower()
        if "noarch" in parts and noarch not in ("python", "generic"):
            self.add_problem(f"noarch is '{noarch}'", parts["noarch"], "write 'noarch: python'")
        if self.read_bool(parts.get("noarch_python")):
            noarch = "python"
        return Build(
            number=self._read_number(parts.get("number")),
            string=self._read_string(parts.get("string")),
            noarch=noarch,
            skip=self.read_bool(parts.get("skip")),
            script=self.read_script(parts.get("script")),
            script_env=self.read_lines(parts.get("script_env")),
            entry_points=self._read_entry_points(parts.get("entry_points")),
            run_exports=self._read_run_exports(parts.get("run_exports")),
            noarch_line=parts["noarch"].line if "noarch" in parts else 0,
            linking={name: self.read_lines(parts[name]) for name in LINKING_KEYS if name in parts},
        )

    def read_script(self, node: Node | None) -> tuple[Line, ...]:
        """Read commands, one a line; a literal block (`|`) holds several."""
        made = []
        for part in node.items() if node else ():
            if not isinstance(part.value, str):
                self.add_problem("script must be a command or a list of commands", part)
                continue
            several = part.value.strip().splitlines()
            # In a literal block the text begins on the line after its sign.
            shift = 1 if len(several) > 1 else 0
            for offset, text in enumerate(several):
                if text.strip():
                    made.append(Line(text.strip(), part.line + offset + shift, part.key))
        return tuple(made)

    def _read_number(self, node: Node | None) -> int:
        text = self.read_text(node)
        if node is None or not text:
            return 0
        if not re.fullmatch(r"\d{1,9}", text):
            self.add_problem(
                f"the build number is '{text}'", node, "write a whole number: 'number: 0'"
            )
            return 0
        return int(text)

    def _read_string(self, node: Node | None) -> str:
        text = self.read_text(node)
        shown = self.calls.replace(text, lambda call: "0" if call == HASH else "")
        if node is not None and text and not re.fullmatch(r"[\w.+]+", shown, re.ASCII):
            self.add_problem(
                f"'{text}' cannot be a build string", node, "use letters, digits, _ . +"
            )
        return text

    def _read_entry_points(self, node: Node | None) -> tuple[Line, ...]:
        lines = self.read_lines(node)
        for line in lines:
            if not _ENTRY_POINT.fullmatch(line.text):
                self.add_problem(
                    f"'{line.text}' is not an entry point", line, "write 'x = module:function'"
                )
        return lines

    def _read_run_exports(self, node: Node | None) -> dict[str, tuple[Line, ...]]:
        if node is None:
            return {}
        if not isinstance(node.value, dict):
            return {"weak": self.read_specs(node)}
        kinds = ("weak", "strong", "noarch", "weak_constrains", "strong_constrains")
        parts = self.read_section(node, kinds, "run_exports")
        return {kind: self.read_specs(part) for kind, part in parts.items()}

    def read_specs(
        self, node: Node | None, also: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[Line, ...]:
        """Read requirements in the form `name constraint build`, with one space between the parts.

        `also` are further texts that count as requirements, with what they mean.
        """
        made = []
        for line in self.read_lines(node):
            text = " ".join(line.text.split(" #")[0].split())
            if text in also:
                made.append(replace(line, text=also[text]))
                continue
            found = _SPEC.match(text)
            rest = text[found.end() :].strip() if found else ""
            if not found or (rest and rest[0] not in "=<>!~*0123456789[|(\ue002") or ";" in rest:
                hint = "write 'name' or 'name >=1.0,<2', as conda's MatchSpec"
                self.add_problem(f"'{text}' is not a valid conda requirement", line, hint)
                continue
            spec = f"{found.group(0)} {' '.join(rest.split())}".strip()
            made.append(Line(_normalize_spec(spec), line.number, line.key))
        return tuple(made)

    def read_requirements(self, node: Node | None) -> Requirements:
        """Read the requirements section; a list counts as `run`."""
        if node is not None and not isinstance(node.value, dict):
            return Requirements(run=self.read_specs(node))
        known = ("build", "host", "run", "run_constrained", "run_constraints", "conflicts")
        parts = self.read_section(node, known, "requirements")
        constrained = parts.get("run_constrained", parts.get("run_constraints"))
        needs = Requirements(
            self.read_specs(parts.get("build"), _X_X),
            self.read_specs(parts.get("host"), _X_X),
            self.read_specs(parts.get("run"), _X_X),
            self.read_specs(constrained),
        )
        return resolve_x_x(needs, self.calls, self.add_problem)

    def read_tests(self, node: Node | None, beside: bool) -> Tests:
        """Read the test section; `beside` includes run_test.* beside the recipe."""
        parts = self.read_section(node, _TESTS, "test")
        names = ("run_test.py", "run_test.sh", "run_test.bat") if beside else ()
        beside_recipe = [self.folder / name for name in names]
        return Tests(
            imports=self.read_lines(parts.get("imports")),
            commands=self.read_script(parts.get("commands")),
            requires=self.read_specs(parts.get("requires")),
            source_files=self.read_lines(parts.get("source_files")),
            files=self.read_lines(parts.get("files")),
            scripts=(
                *(path for path in beside_recipe if path.is_file()),
                *self._find_test_scripts(parts.get("script")),
            ),
        )

    def _find_test_scripts(self, node: Node | None) -> Iterator[Path]:
        """Find test/script: files beside the recipe, run according to their suffix."""
        for line in self.read_lines(node):
            path = (self.folder / line.text).resolve()
            if not path.is_relative_to(self.folder.resolve()) or not path.is_file():
                hint = "write commands under test/commands"
                self.add_problem(f"the test '{line.text}' is not beside the recipe", line, hint)
            elif path.suffix not in (".py", ".sh", ".bat"):
                hint = "name it .py, .sh or .bat"
                self.add_problem(f"cannot determine how to run the test '{line.text}'", line, hint)
            else:
                yield self.folder / line.text

    def read_about(self, node: Node | None) -> Mapping[str, tuple[Line, ...]]:
        """Read the about section."""
        parts = self.read_section(node, _ABOUT, "about")
        return {
            name: self.read_lines(part)
            for name, part in parts.items()
            if isinstance(part.value, str | list)
        }

    def read_sources(self, node: Node | None) -> tuple[Source, ...]:
        """Read the source section: one source or a list."""
        sources = [self._read_source(part) for part in (node.items() if node else ())]
        return tuple(source for source in sources if source)

    def _read_source(self, node: Node) -> Source | None:
        for other in ("hg_url", "svn_url"):
            if node.get(other):
                self.add_problem(
                    f"source/{other} is not supported", node, "use url, git_url or path"
                )
                return None
        parts = self.read_section(node, _SOURCE, "source")
        kinds = [(kind, key) for kind, key in _KINDS if key in parts]
        if len(kinds) != 1:
            if parts:
                self.add_problem("a source needs one of path, url, git_url", node)
            return None
        kind, key = kinds[0]
        locations = self.read_lines(parts[key])
        if not locations:
            return None
        folder = self.read_text(parts.get("folder"))
        if Path(folder).is_absolute() or ".." in Path(folder).parts:
            self.add_problem("source/folder leaves the work folder", parts["folder"])
        return Source(
            kind,
            locations[0],
            tuple(line.text for line in locations[1:]),
            self._read_hashes(parts),
            self.read_text(parts.get("git_rev")) or self.read_text(parts.get("git_tag")),
            folder,
            self.read_lines(parts.get("patches")),
        )

    def _read_hashes(self, parts: Mapping[str, Node]) -> dict[str, str]:
        made = {}
        for name, length in _HASHES.items():
            text = self.read_text(parts.get(name)).lower()
            if text and not re.fullmatch(rf"[0-9a-f]{{{length}}}", text):
                self.add_problem(f"invalid {name}: expected {length} hex digits", parts[name])
            elif text:
                made[name] = text
        return made


def _normalize_spec(spec: str) -> str:
    """Normalise a requirement: no spaces around operators, `1.2` alone means `1.2.*`.

    conda-build adds that star too; `==1.2.*` can never match a version.
    """
    spec = re.sub(r"\s*,\s*", ",", re.sub(r"([<>=!~])\s+(?=[\w\ue002])", r"\1", spec))
    spec = re.sub(r"(?<=[ ,|])==(?=[^,|]*\*)", "", spec)
    return re.sub(r"^(\S+ )(\d[\w.!+]*)$", r"\1\2.*", spec)


_KINDS = (("path", "path"), ("url", "url"), ("git", "git_url"))
