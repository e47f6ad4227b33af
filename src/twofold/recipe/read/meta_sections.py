"""Read the sections of meta.yaml: each method takes a YAML node and returns a checked value.

A `SectionReader` collects every mistake with its line and key. Keys of conda-build without effect
on a package of Python code are accepted and ignored; unknown ones are mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from twofold.errors import Problem
from twofold.recipe.model import HASH, Build, DeferredCalls, Line, Requirements, Tests
from twofold.recipe.read import known_keys
from twofold.recipe.read.jinja_modules import BUILD_FOLDER
from twofold.recipe.read.match_specs import (
    BARE_VERSION,
    EXTRAS,
    SPEC,
    X_X,
    add_star,
    is_constraint,
    normalize_spec,
)
from twofold.recipe.read.variants import resolve_x_x
from twofold.recipe.read.yaml_lines import FALSE, TRUE, Node

_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
_VERSION = re.compile(r"[0-9A-Za-z_.!+]+")
#: Quotes and extras that no entry point of a conda package has.
_NO_ENTRY_POINT = re.compile(r"[\"']|(?<!\s)\s*+\[[^\[\]]*\]$")
_ENTRY_POINT = re.compile(r"[^=]+=\s*[\w.]+:[\w.]+")


class SectionReader:
    """Turns nodes into values and collects problems, for one recipe file."""

    def __init__(self, file: str, folder: Path, calls: DeferredCalls, is_v1: bool = False) -> None:
        self.file, self.is_v1 = file, is_v1
        self.folder = folder
        self.calls = calls
        self.remarks: list[str] = []
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

    def drop_problems(self, kept: int) -> None:
        """Forget the mistakes but for the first ones: what the others are in is not built."""
        del self._found[kept:]

    def add_remark(self, message: str, node: Node | Line) -> None:
        """Record what the user should know, with its line and key."""
        where = Line("", node.line, node.key) if isinstance(node, Node) else node
        self.remarks.append(f"{where.where(self.file)}: {message}")

    def read_section(self, node: Node | None, known: Iterable[str], label: str) -> dict[str, Node]:
        """Read the parts of a mapping that have a value; unknown keys are mistakes."""
        if node is None or node.is_empty:
            return {}
        if not isinstance(node.value, dict):
            self.add_problem(
                f"{label} must be a mapping", node, f"write '{label}:' and indent below"
            )
            return {}
        words = list(known)
        for name, part in node.value.items():
            if words and name not in words:
                message, hint, is_mistake = known_keys.explain_unknown_key(name, words, label)
                if is_mistake:
                    self.add_problem(message, part, hint)
                else:
                    self.add_remark(message, part)
        return {name: part for name, part in node.value.items() if part.value is not None}

    def read_lines(self, node: Node | None) -> tuple[Line, ...]:
        """Read a list of texts; a single text counts as a list of one, empty items are left out."""
        made = []
        for part in node.items() if node else ():
            if isinstance(part.value, str):
                made.append(Line(part.value.strip(), part.line, part.key))
            else:
                hint = "write one '- text' a line"
                if isinstance(part.value, dict):
                    hint += "; quote it if it holds a colon followed by a space"
                self.add_problem("expected a list of texts", part, hint)
        return tuple(line for line in made if line.text)

    def read_paths(self, node: Node | None, *folders: str) -> tuple[Line, ...]:
        """Read paths; the folders of the build that they may begin with are `folders`.

        The first one is where the paths are relative to and is cut off. Outside a script no shell
        fills in `$RECIPE_DIR`, which Jinja's {{ RECIPE_DIR }} became.
        """
        made = []
        for line in self.read_lines(node):
            found = BUILD_FOLDER.match(line.text)
            if found and found["name"] == folders[0]:
                made.append(replace(line, text=line.text[found.end() :] or "."))
                continue
            if found and found["name"] not in folders:
                message = f"'{line.text}' is in a folder that is only known while a script runs"
                self.add_problem(message, line, f"write a path relative to ${folders[0]}")
            made.append(line)
        return tuple(made)

    def read_text(self, node: Node | None) -> str:
        """Read a text; '' if it is absent."""
        if node is None or not node.value:
            return ""
        if not isinstance(node.value, str):
            self.add_problem("expected one text, not a list or a mapping", node)
            return ""
        return node.value.strip()

    def read_bool(self, node: Node | None) -> bool:
        """Read a truth value; conda-build takes any other text for true, `0` too."""
        words = {self.read_text(part).lower() for part in node.items()} if node else set()
        if node is not None and (strange := words - {*TRUE, *FALSE, "y", "n", "1", ""}):
            self.add_problem(f"{min(strange)!r} is neither true nor false", node, "write true")
        return not words.isdisjoint({*TRUE, "y", "1"})

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
        parts = self.read_section(node, known_keys.BUILD, label)
        aliases = known_keys.ALIASES.items()
        parts = {older: parts[newer] for newer, older in aliases if newer in parts} | parts
        noarch = self.read_noarch(parts.get("noarch"))
        if self.read_bool(parts.get("noarch_python")):
            noarch = "python"
        return Build(
            number=self.read_number(parts.get("number")),
            string=self._read_string(parts.get("string")),
            noarch=noarch,
            skip=self.read_bool(parts.get("skip")),
            script=self.read_script(parts.get("script")),
            script_env=self.read_lines(parts.get("script_env")),
            entry_points=self.read_entry_points(parts.get("entry_points")),
            run_exports=self.read_run_exports(parts.get("run_exports")),
            noarch_line=parts["noarch"].line if "noarch" in parts else 0,
            linking={
                name: self.read_lines(parts[name])
                for name in known_keys.LINKING_KEYS
                if name in parts
            },
        )

    def read_noarch(self, node: Node | None) -> str:
        """Read build/noarch: python, generic, or a truth value, of which true means generic."""
        if node is None or node.is_empty:
            return ""
        if node.truth:
            self.add_remark("'true' means generic, as for conda-build", node)
            return "generic"
        noarch = self.read_text(node).lower()
        if noarch not in ("python", "generic"):
            self.add_problem(f"noarch is '{noarch}'", node, "write 'noarch: python'")
        return noarch

    def read_script(self, node: Node | None) -> tuple[Line, ...]:
        """Read commands, one a line; a literal block (`|`) holds several."""
        made = []
        for part in node.items() if node else ():
            if not isinstance(part.value, str):
                hint = "quote the line: a colon followed by a space makes it a key"
                message = "script must be a command or a list of commands"
                self.add_problem(message, part, hint if isinstance(part.value, dict) else "")
                continue
            # Indentation and empty lines may belong to a document within the shell's commands.
            several = part.value.strip("\n").rstrip().split("\n")
            shift = int(len(several) > 1)  # the text of a block begins after the line of its sign
            for offset, text in enumerate(several):
                made.append(Line(text.rstrip(), part.line + offset + shift, part.key))
        return tuple(made) if any(line.text for line in made) else ()

    def read_number(self, node: Node | None) -> int:
        """Read a build number; 0 if it is absent."""
        text = self.read_text(node) or "0"
        if re.fullmatch(r"\+?[0-9](_?[0-9]){0,8}", text):
            return int(text)
        if node is not None:
            hint = "write a whole number: 'number: 0'"
            self.add_problem(f"the build number is '{text}'", node, hint)
        return 0

    def _read_string(self, node: Node | None) -> str:
        text = self.read_text(node)
        shown = self.calls.replace(text, lambda call: "0" if call == HASH else "")
        if node is not None and text and not re.fullmatch(r"[\w.+]+", shown, re.ASCII):
            self.add_problem(
                f"'{text}' cannot be a build string", node, "use letters, digits, _ . +"
            )
        return text

    def read_entry_points(self, node: Node | None) -> tuple[Line, ...]:
        """Read entry points, each as `x = module:function`."""
        made = []
        for line in self.read_lines(node):
            text = line.text if self.is_v1 else _NO_ENTRY_POINT.sub("", line.text)
            if not _ENTRY_POINT.fullmatch(text):
                message = f"'{line.text}' is not an entry point"
                self.add_problem(message, line, "write 'x = module:function'")
            elif text != line.text:
                self.add_remark(f"'{line.text}' is read as '{text}'", line)
            made.append(replace(line, text=text))
        return tuple(made)

    def read_run_exports(self, node: Node | None) -> dict[str, tuple[Line, ...]]:
        """Read run_exports: kind -> requirements; a list is `weak`."""
        if node is None or not isinstance(node.value, dict):
            return {"weak": self.read_constraints(node)} if node else {}
        kinds = ("weak", "strong", "noarch", "weak_constrains", "strong_constrains")
        parts = self.read_section(node, kinds, "run_exports")
        return {kind: self.read_constraints(part) for kind, part in parts.items()}

    def read_specs(
        self, node: Node | None, also: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[Line, ...]:
        """Read requirements in the form `name constraint build`, with one space between the parts.

        `also` are further texts that count as requirements, with what they mean.
        """
        given = self.read_constraints(node, also)
        if self.is_v1:
            return given
        return tuple(replace(line, text=add_star(line.text)) for line in given)

    def read_constraints(
        self, node: Node | None, also: Mapping[str, str] = MappingProxyType({})
    ) -> tuple[Line, ...]:
        """Read match specs that are not installed: `name 1.2` stays that one version."""
        made = []
        for line in self.read_lines(node):
            text = " ".join(line.text.split(" #")[0].split())
            if text in also:
                made.append(replace(line, text=also[text]))
                continue
            if not self.is_v1 and text != (text := EXTRAS.sub("", text)):
                self.add_remark(f"'{line.text}' is read as '{text}': conda has no extras", line)
            found = SPEC.match(text)
            rest = text[found.end() :].strip() if found else ""
            if not found or not is_constraint(found.group(0), rest):
                hint = "write 'name' or 'name >=1.0,<2', as conda's MatchSpec"
                self.add_problem(f"'{text}' is not a valid conda requirement", line, hint)
                continue
            if self.is_v1 and (version := BARE_VERSION.fullmatch(text)):
                hint = f"write '{version[1]} =={version[2]}' or '{version[1]} {version[2]}.*'"
                self.add_problem(f"'{text}' names no range of versions", line, hint)
            channel, colons, name = found.group(0).rpartition("::")
            gap = "" if rest.startswith("[") else " "
            spec = f"{channel}{colons}{name.lower()}{gap}{' '.join(rest.split())}".strip()
            made.append(Line(normalize_spec(spec), line.number, line.key))
        return tuple(made)

    def read_requirements(self, node: Node | None) -> Requirements:
        """Read the requirements section; a list counts as `host` and as `run`."""
        if node is not None and not isinstance(node.value, dict):
            both = self.read_specs(node)
            return Requirements(host=both, run=self._drop_channels(both))
        known = ("build", "host", "run", "run_constrained", "run_constraints", "conflicts")
        parts = self.read_section(node, known, "requirements")
        constrained = parts.get("run_constrained", parts.get("run_constraints"))
        needs = Requirements(
            self.read_specs(parts.get("build"), X_X),
            self.read_specs(parts.get("host"), X_X),
            self._drop_channels(self.read_specs(parts.get("run"), X_X)),
            self.read_constraints(constrained),
        )
        return resolve_x_x(needs, self.calls, self.add_problem)

    def _drop_channels(self, run: tuple[Line, ...]) -> tuple[Line, ...]:
        """Drop `channel::` from what a package requires, as conda-build and not rattler-build."""
        if self.is_v1:
            return run
        return tuple(replace(line, text=line.text.rpartition("::")[2]) for line in run)

    def read_tests(self, node: Node | None, beside: bool) -> Tests:
        """Read the test section; `beside` includes run_test.* beside the recipe."""
        parts = self.read_section(node, known_keys.TESTS, "test")
        names = ("run_test.py", "run_test.sh", "run_test.bat") if beside else ()
        beside_recipe = [self.folder / name for name in names]
        return Tests(
            imports=self.read_lines(parts.get("imports")),
            commands=self.read_script(parts.get("commands")),
            requires=self.read_specs(parts.get("requires")),
            source_files=self.read_paths(parts.get("source_files"), "SRC_DIR"),
            files=self.read_paths(parts.get("files"), "RECIPE_DIR"),
            scripts=(
                *(path for path in beside_recipe if path.is_file()),
                *self._find_test_scripts(parts.get("script")),
            ),
        )

    def _find_test_scripts(self, node: Node | None) -> Iterator[Path]:
        """Find test/script: files beside the recipe, run according to their suffix."""
        for line in self.read_paths(node, "RECIPE_DIR"):
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
        parts = self.read_section(node, known_keys.ABOUT, "about")
        about = {
            name: self.read_lines(part)
            for name, part in parts.items()
            if isinstance(part.value, str | list) and not part.is_empty
        }
        if "license_file" in about:
            # The source is searched before the recipe's folder, so only the former is cut off.
            folders = ("SRC_DIR", "RECIPE_DIR", "PREFIX")
            about["license_file"] = self.read_paths(parts["license_file"], *folders)
        return about
