"""A recipe's output and the wheel of its project -> the conda package that both describe.

The recipe's word counts: name, version, build, requirements, entry points, about, licence. Where
the project says something else, that is told and not mended; what the recipe leaves open (its
licence, a summary, the range of Python) is taken from the project.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.conda_metadata import CondaPackage
from twofold.convert import CondaOptions, packages_of
from twofold.convert.versions import conda_spec
from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.formats.wheel import WheelFile
from twofold.names import conda_name
from twofold.recipe.app import app_in_package
from twofold.recipe.carried_recipe import carried_recipe
from twofold.recipe.carried_tests import small_bytes, test_files
from twofold.recipe.model import Line, Output, Recipe
from twofold.recipe.pins import Call, pinned
from twofold.recipe.variations import Variation, digest
from twofold_build.names import canonical_version

#: Keys of about.json that hold lists; the others are one text.
_LISTS = frozenset({"tags", "keywords", "identifiers", "license_file", "maintainers", "author"})
#: Packages of the tools that build; a recipe need not say that users need them.
_PYTHON = frozenset({"python", "python_abi"})


@dataclass(frozen=True)
class Described:
    """The package and what is to be told about it."""

    package: CondaPackage
    remarks: tuple[str, ...]


def describe(
    recipe: Recipe,
    output: Output,
    source: Path,
    wheel: WheelFile,
    siblings: Mapping[str, CondaPackage],
    options: CondaOptions,
    variation: Variation,
) -> Described:
    """The package of an output that installs a wheel. `siblings` are the outputs made before,
    `options` what the project says in [tool.twofold.conda], `variation` what sets the package
    apart from others of the output.
    """
    remarks: list[str] = []
    base = _of_the_wheel(recipe, wheel, options, remarks)
    pure = all(tag.endswith("-any") for tag in wheel.name.tags)
    _check_noarch(recipe, output, pure)
    package = _bare(recipe, output, siblings)
    if pure:
        asks_python = _asks_python(recipe, output) or variation.is_for_python
        package.noarch = "python"
        specific = _is_specific(recipe, output) or variation.is_for_python
        package.subdir = recipe.platform.subdir if specific else "noarch"
        if specific:
            why = "selectors chose its lines"
            if variation.is_for_python:
                why = f"its variants name Python {recipe.platform.python}"
            remarks.append(
                f"{output.name} is made for {package.subdir}: {why}; with "
                "'noarch: python' under build it would serve all platforms"
            )
        elif not output.build.noarch:
            remarks.append(f"{output.name} is made noarch: it is pure Python for every platform")
        label = f"py{recipe.platform.python.replace('.', '')}" if asks_python else "py"
        label = variation.label(label, "python" if asks_python else "")
        own = f"python {conda_spec(wheel.metadata.requires_python or '')}".strip()
        if asks_python:
            own = recipe.platform.python_spec
        package.depends = _with_python(package.depends, own, asks_python)
    else:
        package.noarch, package.subdir = base.noarch, base.subdir
        label = variation.label(base.build.rpartition("_")[0], "python")
        package.depends = _with_binary(package.depends, base)
    _tell_apart(recipe, output, package, label, variation)
    package.entry_points = tuple(_entry_point(line.text) for line in output.build.entry_points)
    package.entry_points = package.entry_points or base.entry_points
    package.about = base.about | package.about
    package.info_files |= test_files(recipe, output, source)
    package.info_files |= _licences(recipe, output, source)
    package.info_files |= _run_exports(recipe, output, package, siblings)
    _tell_differences(output, package, base, wheel, remarks)
    return Described(package, tuple(remarks))


def describe_empty(
    recipe: Recipe,
    output: Output,
    source: Path,
    siblings: Mapping[str, CondaPackage],
    variation: Variation,
) -> CondaPackage:
    """The package of an output that has no files and only requires others."""
    package = _bare(recipe, output, siblings)
    package.noarch = output.build.noarch or (None if _is_specific(recipe, output) else "generic")
    package.subdir = "noarch" if package.noarch else recipe.platform.subdir
    _tell_apart(recipe, output, package, variation.label(""), variation)
    package.info_files |= test_files(recipe, output, None)
    package.info_files |= _licences(recipe, output, source)
    package.info_files |= _run_exports(recipe, output, package, siblings)
    return package


def _tell_apart(
    recipe: Recipe, output: Output, package: CondaPackage, label: str, variation: Variation
) -> None:
    """The build string, the recipe's own where it has one, and what is hashed into it."""
    own = recipe.calls.replaced(output.build.string, lambda _: digest(variation.values))
    package.build = own or f"{label}_{output.build.number}".lstrip("_")
    if variation.values:
        told = json.dumps(dict(variation.values), sort_keys=True)
        package.info_files["hash_input.json"] = told.encode()


def _bare(recipe: Recipe, output: Output, siblings: Mapping[str, CondaPackage]) -> CondaPackage:
    """What the recipe alone says."""

    def specs(lines: tuple[Line, ...]) -> list[str]:
        return [_meaning(recipe, line, siblings) for line in lines]

    told: dict[str, object] = {}
    files = carried_recipe(recipe, output)
    if output.app is not None:
        told, icon = app_in_package(output.app, recipe.folder, recipe.path.name)
        files |= icon
    features = [line.text for line in output.build.kept.get("track_features", ())]
    if features:
        told["track_features"] = " ".join(features)
    return CondaPackage(
        name=output.name,
        version=output.version,
        build_number=output.build.number,
        depends=specs(output.requirements.run),
        constrains=specs(output.requirements.constrained),
        about=_about(recipe, output),
        info_files=files,
        extra_index=told,
    )


def _run_exports(
    recipe: Recipe, output: Output, package: CondaPackage, siblings: Mapping[str, CondaPackage]
) -> dict[str, bytes]:
    """run_exports.json: mostly pins of the package itself, whose build string is known now."""
    if not output.build.run_exports:
        return {}
    known = {**siblings, output.name: package}
    exports = {
        kind: [_meaning(recipe, line, known) for line in lines]
        for kind, lines in output.build.run_exports.items()
    }
    return {"run_exports.json": json.dumps(exports, sort_keys=True).encode()}


def _meaning(recipe: Recipe, line: Line, siblings: Mapping[str, CondaPackage]) -> str:
    """A requirement with `pin_subpackage` answered from the outputs made before."""

    def answer(call: Call) -> str:
        other = siblings.get(call.name)
        if other is None:
            message = f"pin_subpackage('{call.name}') names no output that is built before"
            hint = f"outputs: {', '.join(one.name for one in recipe.outputs)}"
            raise ProjectErrors([Problem(message, hint, line.where(recipe.path.name))])
        return pinned(call, other.version, other.build)

    return recipe.calls.replaced(line.text, answer)


def _of_the_wheel(
    recipe: Recipe, wheel: WheelFile, options: CondaOptions, remarks: list[str]
) -> CondaPackage:
    """The package the wheel stands for by itself.

    Where its own requirements cannot be put into conda's words that is only told: the recipe
    has its own.
    """
    scripts = wheel.dist_info_file("entry_points.txt")
    options.python, options.platform = recipe.platform.python, recipe.platform.subdir
    try:
        return packages_of(wheel.metadata_bytes, scripts, wheel.name.tags, options)[0]
    except TwofoldError as error:
        remarks.append(f"the project's own requirements: {error.problems[0].message}")
        lines = wheel.metadata_bytes.split(b"\n\n", 1)[0].splitlines()
        plain = b"\n".join(line for line in lines if not line.startswith(b"Requires-Dist"))
        return packages_of(plain + b"\n\n", scripts, wheel.name.tags, options)[0]


def _check_noarch(recipe: Recipe, output: Output, pure: bool) -> None:
    noarch = output.build.noarch
    if noarch == "python" and not pure:
        message = "noarch: python, but the project's wheel holds compiled code"
        hint = "remove 'noarch: python'"
    elif noarch == "generic":
        message = "noarch: generic, but the script installs Python code"
        hint = "write 'noarch: python'"
    else:
        return
    raise ProjectErrors(
        [Problem(message, hint, f"{recipe.path.name}:{output.build.noarch_line}: build/noarch")]
    )


def _is_specific(recipe: Recipe, output: Output) -> bool:
    """Whether the package is good for one platform only. `noarch` is the author's own word."""
    return not output.build.noarch and recipe.specific


def _asks_python(recipe: Recipe, output: Output) -> bool:
    return _is_specific(recipe, output) and recipe.asks_python


def _with_python(depends: tuple[str, ...], own: str, exactly: bool) -> tuple[str, ...]:
    """The requirements with `own` in the place of a bare `python` or of none at all.

    `exactly` puts it in the place of any other requirement of python.
    """
    named = [spec for spec in depends if spec.split()[0] == "python"]
    if exactly:
        depends = tuple(spec for spec in depends if spec.split()[0] not in _PYTHON)
    if exactly or not named:
        return (own, *depends)
    return tuple(own if spec == "python" else spec for spec in depends)


def _with_binary(depends: tuple[str, ...], base: CondaPackage) -> tuple[str, ...]:
    """The recipe's requirements with the Python and the system that the compiled code is for."""
    needs = [s for s in base.depends if s.split()[0] in _PYTHON or s.startswith("__")]
    return (*needs, *(spec for spec in depends if spec.split()[0] not in _PYTHON))


def _entry_point(text: str) -> str:
    name, _, target = text.partition("=")
    return f"{name.strip()} = {target.strip()}"


def _about(recipe: Recipe, output: Output) -> dict[str, Any]:
    about: dict[str, Any] = {}
    for key, lines in output.about.items():
        texts = [line.text for line in lines]
        several = key in _LISTS and (len(texts) > 1 or key in ("tags", "keywords"))
        about[key] = texts if several else " ".join(texts)
    if recipe.extra:
        about["extra"] = dict(recipe.extra)
    return about


def _licences(recipe: Recipe, output: Output, source: Path) -> dict[str, bytes]:
    """about/license_file -> info/licenses/. Looked for in the source, then beside the recipe."""
    found = {}
    problems = []
    for line in output.license_files:
        path = _inside(source, line.text) or _inside(recipe.folder, line.text)
        if path is None:
            message = f"the licence file '{line.text}' is not there"
            hint = "name a file below the source or beside the recipe"
            problems.append(Problem(message, hint, line.where(recipe.path.name)))
            continue
        root = (
            source.resolve() if path.is_relative_to(source.resolve()) else recipe.folder.resolve()
        )
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.resolve().is_relative_to(path):
                inner = file.relative_to(root).as_posix()
                found[f"licenses/{inner}"] = small_bytes(file, line.where(recipe.path.name))
    if problems:
        raise ProjectErrors(problems)
    return found


def _inside(root: Path, name: str) -> Path | None:
    path = (root / name).resolve()
    return path if path.exists() and path.is_relative_to(root.resolve()) else None


def _tell_differences(
    output: Output, package: CondaPackage, base: CondaPackage, wheel: WheelFile, remarks: list[str]
) -> None:
    """What the project says and the recipe says otherwise."""
    project = wheel.metadata
    if conda_name(project.name) != conda_name(output.name):
        remarks.append(f"the recipe's name is {output.name}, the project's {project.name}")
    if canonical_version(project.version) != _canonical(output.version):
        remarks.append(
            f"the recipe's version is {output.version}, the project's {project.version}: pip and "
            "conda will show different versions"
        )
    named = {spec.split()[0] for spec in (*package.depends, *package.constrains)}
    missing = [s for s in base.depends if s.split()[0] not in named | _PYTHON | _VIRTUAL]
    remarks += [f"the project requires {spec}; requirements/run does not" for spec in missing]
    lost = sorted(set(base.entry_points) - set(package.entry_points))
    remarks += [f"the project has the entry point '{line}'; the recipe has not" for line in lost]


_VIRTUAL = frozenset({"__unix", "__win", "__linux", "__osx", "__glibc", "__archspec"})


def _canonical(version: str) -> str:
    from packaging.version import InvalidVersion, Version

    try:
        return canonical_version(str(Version(version)))
    except InvalidVersion:
        return version
