"""Translate a recipe to recipe.yaml, the format of py-rattler-build (CEP 13 and 14).

The recipe is already rendered for one platform, so there are no conditions left to translate;
only calls that need the solver (`compiler`, `pin_compatible`, ...) stay calls. A key without
counterpart is an error with key and line. In `about`, meta.yaml does not restrict URLs and
licences and recipe v1 does: what v1 cannot express is left out or rewritten, with a remark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from twofold.errors import Problem, ProjectErrors
from twofold.recipe.model import (
    HASH,
    Build,
    DeferredCall,
    Line,
    Output,
    Recipe,
    Requirements,
    Tests,
)
from twofold.recipe.read.jinja_functions import write_for_cmd
from twofold.recipe.read.match_specs import to_strict_spec
from twofold.recipe.write.convert_about import convert_about

#: Jinja's {{ SP_DIR }}, where an output's files are named.
_SITE_PACKAGES = re.compile(r"^\$\{?SP_DIR\}?/*")
_RUN_EXPORTS = {
    "weak": "weak",
    "strong": "strong",
    "noarch": "noarch",
    "weak_constrains": "weak_constraints",
    "strong_constrains": "strong_constraints",
}


def _is_true(texts: list[str]) -> bool:
    return [text.lower() for text in texts] == ["true"]


#: Key of meta.yaml -> section and key of recipe v1, and how its texts are converted.
_TRANSLATIONS: dict[str, tuple[str, str, Callable[[list[str]], Any]]] = {
    "missing_dso_whitelist": ("dynamic_linking", "missing_dso_allowlist", list),
    "runpath_whitelist": ("dynamic_linking", "rpath_allowlist", list),
    "rpaths": ("dynamic_linking", "rpaths", list),
    "binary_relocation": ("dynamic_linking", "binary_relocation", lambda t: t == ["true"]),
    "always_include_files": ("", "always_include_files", list),
    "merge_build_host": ("", "merge_build_and_host_envs", _is_true),
    # The solver ranks the package lower, as with features of any name.
    "track_features": ("variant", "down_prioritize_variant", lambda t: len(" ".join(t).split())),
    "python_site_packages_path": ("python", "site_packages_path", " ".join),
    "ignore_prefix_files": (
        "prefix_detection",
        "ignore",
        lambda t: _is_true(t) if len(t) == 1 and t[0].lower() in ("true", "false") else list(t),
    ),
    "detect_binary_files_with_prefix": (
        "prefix_detection",
        "ignore_binary_files",
        lambda t: [text.lower() for text in t] == ["false"],
    ),
}
_FILE_TYPES = {"has_prefix_files": "text", "binary_has_prefix_files": "binary"}


def translate_recipe(
    recipe: Recipe,
    source: Path | None,
    report: Callable[[str], None],
    names_used: Mapping[int, Sequence[str]] = MappingProxyType({}),
) -> dict[str, Any]:
    """Translate the recipe to the value of recipe.yaml; `source` is the folder of its source.

    `report` receives a remark for whatever changes in translation. `names_used` maps the index of
    an output to the variants' names that distinguish its packages.

    Raises ProjectErrors with every key that has no counterpart.
    """
    translator = _Translator(recipe)
    outputs = [
        translator.translate_output(output, names_used.get(place, ()))
        for place, output in enumerate(recipe.outputs)
        if not output.build.skip
    ]
    if translator.problems:
        raise ProjectErrors(translator.problems)
    for remark in dict.fromkeys(translator.remarks):
        report(remark)
    made: dict[str, Any] = {"schema_version": 1}
    sources = {"source": [{"path": str(source), "use_gitignore": False}]} if source else {}
    if len(recipe.outputs) == 1 and not recipe.outputs[0].is_split:
        made |= outputs[0] | sources
    else:
        first = recipe.outputs[0]
        made |= {"recipe": {"name": first.name, "version": first.version}, **sources}
        made["outputs"] = outputs
    if recipe.extra:
        made["extra"] = dict(recipe.extra)
    return made


def render_v1(value: Mapping[str, Any]) -> str:
    """Render recipe.yaml: block lists, keys in the order given."""
    return yaml.safe_dump(
        dict(value), sort_keys=False, allow_unicode=True, width=1000, default_flow_style=False
    )


class _Translator:
    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.problems: list[Problem] = []
        self.remarks: list[str] = []

    def translate_output(self, output: Output, names_used: Sequence[str] = ()) -> dict[str, Any]:
        if output.app is not None:
            self._add_unsupported(output.app.line, "remove it: recipe v1 has no launchers")
        made = {
            "package": {"name": output.name, "version": output.version},
            "build": self._translate_build(output.build, names_used)
            | _translate_files(self.recipe, output),
            "requirements": self._translate_requirements(output),
            "tests": translate_tests(self.recipe, output.tests),
            "about": convert_about(output.about, self._add_remark),
        }
        return {key: value for key, value in made.items() if value}

    def _add_unsupported(self, line: Line, hint: str) -> None:
        where = line.where(self.recipe.path.name)
        self.problems.append(Problem(f"'{line.key}' is not supported here", hint, where))

    def _add_remark(self, message: str, line: Line) -> None:
        self.remarks.append(f"{line.where(self.recipe.path.name)}: {message}")

    def _translate_build(self, build: Build, names_used: Sequence[str]) -> dict[str, Any]:
        made: dict[str, Any] = {"number": build.number}
        if build.string:
            made["string"] = self.recipe.calls.replace(build.string, translate_call)
        if build.noarch:
            made["noarch"] = build.noarch
        script = self._translate_script(build)
        if script:
            made["script"] = script
        if build.entry_points:
            made["python"] = {"entry_points": _list_texts(build.entry_points)}
        made |= self._translate_linking(build)
        if names_used:
            made["variant"] = {**made.get("variant", {}), "use_keys": list(names_used)}
        return made

    def _translate_script(self, build: Build) -> dict[str, Any]:
        if build.script_file:
            return {"file": build.script_file, **_translate_env(build)}
        if not build.script:
            return {}
        for line in build.script:
            if "${{" in line.text:
                self._add_unsupported(line, "write the commands into build.sh")
        content = [self._adapt_to_shell(line.text) for line in build.script]
        if "" in content:  # rattler-build drops an empty command, which a document may need
            content = ["\n".join(content)]
        return {"content": content, **_translate_env(build)}

    def _adapt_to_shell(self, text: str) -> str:
        """Write `$PYTHON`, which Jinja's {{ PYTHON }} became, as cmd.exe does on Windows."""
        text = self.recipe.calls.replace(text, translate_call)
        if not self.recipe.platform.subdir.startswith("win-"):
            return text
        return write_for_cmd(text)

    def _translate_linking(self, build: Build) -> dict[str, Any]:
        """Translate the keys about linking and prefixes to their names in recipe v1."""
        made: dict[str, Any] = {}
        for key, lines in build.linking.items():
            texts = _list_texts(lines)
            if key in _TRANSLATIONS:
                section, name, convert = _TRANSLATIONS[key]
                (made.setdefault(section, {}) if section else made)[name] = convert(texts)
            elif key in _FILE_TYPES:
                prefixes = made.setdefault("prefix_detection", {})
                prefixes.setdefault("force_file_type", {})[_FILE_TYPES[key]] = texts
            elif not key.startswith("ignore_run_exports"):
                self._add_unsupported(lines[0], "remove it, or build this recipe with conda-build")
        for section in ("dynamic_linking", "prefix_detection"):
            if section in made:
                made[section] = made.pop(section)
        return made

    def _translate_requirements(self, output: Output) -> dict[str, Any]:
        needs = _split_host_requirements(self.recipe, output.requirements)
        made: dict[str, Any] = {
            "build": self._translate_specs(needs.build),
            "host": self._translate_specs(needs.host),
            "run": self._translate_specs(needs.run),
            "run_constraints": self._translate_specs(needs.constrained),
            "run_exports": {
                _RUN_EXPORTS[kind]: self._translate_specs(specs)
                for kind, specs in output.build.run_exports.items()
            },
            "ignore_run_exports": {
                name: _list_texts(output.build.linking[key])
                for key, name in (
                    ("ignore_run_exports", "by_name"),
                    ("ignore_run_exports_from", "from_package"),
                )
                if key in output.build.linking
            },
        }
        return {key: value for key, value in made.items() if value}

    def _translate_specs(self, lines: Sequence[Line]) -> list[str]:
        return [self._translate_spec(line.text) for line in lines]

    def _translate_spec(self, text: str) -> str:
        call, build = self.recipe.calls.find_call(text), text.partition(" ")[2]
        if call is None:
            text = to_strict_spec(text)
        if call is None or not call.function.startswith("pin_") or not build:
            return self.recipe.calls.replace(text, translate_call)
        return translate_call(call, build)


def translate_tests(recipe: Recipe, tests: Tests) -> list[dict[str, Any]]:
    """Translate the tests to recipe v1."""
    made: list[dict[str, Any]] = []
    if tests.imports:
        made.append({"python": {"imports": _list_texts(tests.imports), "pip_check": False}})
    own = [path.relative_to(recipe.folder).as_posix() for path in tests.scripts]
    runners = {".py": "python", ".sh": "bash"}
    commands = _list_texts(tests.commands)
    if recipe.platform.subdir.startswith("win-"):
        commands = [write_for_cmd(text) for text in commands]
    commands += [
        f"{runners[path.suffix]} {name}"
        for name, path in zip(own, tests.scripts, strict=True)
        if path.suffix in runners
    ]
    if commands:
        script: dict[str, Any] = {"script": commands}
        if tests.requires:
            texts = [to_strict_spec(line.text) for line in tests.requires]
            needs = [recipe.calls.replace(text, translate_call) for text in texts]
            script["requirements"] = {"run": needs}
        files = {
            "recipe": _list_texts(tests.files) + own,
            "source": _list_texts(tests.source_files),
        }
        if any(files.values()):
            script["files"] = {key: value for key, value in files.items() if value}
        made.append(script)
    made += [dict(one) for one in tests.contents if isinstance(one, dict)]
    return made


def _translate_files(recipe: Recipe, output: Output) -> dict[str, Any]:
    """List which files of the prefix belong to an output; a folder includes all its content."""
    is_windows = recipe.platform.subdir.startswith("win-")
    modules = "Lib/site-packages/" if is_windows else "lib/python*/site-packages/"
    if not output.files:
        return {}

    def globs(lines: Sequence[Line]) -> list[str]:
        names = [_SITE_PACKAGES.sub(modules, line.text).rstrip("/") for line in lines]
        return [glob for name in names for glob in (name, f"{name}/**")]

    chosen = {"include": globs(output.files), "exclude": globs(output.excluded_files)}
    return {"files": {key: value for key, value in chosen.items() if value}}


def _translate_env(build: Build) -> dict[str, Any]:
    """Translate script_env: `X=1` sets X, `X` alone passes the caller's X, hidden in the log."""
    given = [line.text.partition("=") for line in build.script_env]
    passed = [name.strip() for name, equals, _ in given if not equals]
    env = {name.strip(): value.strip() for name, equals, value in given if equals}
    return {"env": env, **({"secrets": passed} if passed else {})}


def translate_call(call: DeferredCall, build: str = "") -> str:
    """Write a call as in recipe v1: `${{ compiler('c') }}`; `build` follows what a pin means."""
    if call == HASH:
        return "${{ hash }}"
    arguments = [f"'{call.name}'"]
    if call.function.startswith("pin_"):
        if call.exact:
            arguments.append("exact=true")
        else:
            lower = call.lower or call.min_pin
            upper = call.upper or call.max_pin
            arguments += [f"lower_bound='{lower}'" if lower else "lower_bound=none"]
            arguments += [f"upper_bound='{upper}'" if upper else "upper_bound=none"]
        arguments += [f"build='{build}'"] if build else []
    return f"${{{{ {call.function}({', '.join(arguments)}) }}}}"


def _split_host_requirements(recipe: Recipe, needs: Requirements) -> Requirements:
    """Move all but compilers from build to host, for recipes older than `host`."""
    if needs.host or not needs.build:
        return needs
    compilers = tuple(line for line in needs.build if recipe.calls.find_call(line.text))
    host = tuple(line for line in needs.build if line not in compilers)
    return Requirements(compilers, host, needs.run, needs.constrained)


def _list_texts(lines: Sequence[Line]) -> list[str]:
    return [line.text for line in lines]
