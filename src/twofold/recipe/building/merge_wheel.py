"""Merge a recipe's output with the wheel of its project into one conda package.

The recipe takes precedence: name, version, build, requirements, entry points, about, licence.
Where the project differs, the difference is reported and not corrected. What the recipe leaves
open (its licence, a summary, the range of Python) is taken from the project.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.conda_metadata import CondaPackage
from twofold.convert import CondaOptions, make_packages
from twofold.convert.versions import to_conda_spec
from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.formats.wheel import WheelFile
from twofold.names import to_conda_name
from twofold.recipe.building.license_files import collect_licenses
from twofold.recipe.building.packaged import (
    package_app,
    package_recipe_files,
    package_test_files,
)
from twofold.recipe.building.variations import Variation, hash_values
from twofold.recipe.model import DeferredCall, Line, Output, Recipe, resolve_pin
from twofold_build.names import canonicalize_version

#: Keys of about.json that hold lists; the others are one text.
_LISTS = frozenset({"tags", "keywords", "identifiers", "license_file", "maintainers", "author"})
#: Packages that follow from the build; a recipe need not list them under run.
_PYTHON = frozenset({"python", "python_abi"})


@dataclass(frozen=True)
class OutputToBuild:
    """An output of a recipe with everything its package depends on.

    `source` is the folder of the source. `siblings` are the packages of outputs made before,
    `variation` is what distinguishes the package from others of the output.
    """

    recipe: Recipe
    output: Output
    source: Path
    siblings: Mapping[str, CondaPackage]
    variation: Variation


@dataclass(frozen=True)
class MergedPackage:
    """The package and the remarks about it."""

    package: CondaPackage
    remarks: tuple[str, ...]


def merge_recipe_and_wheel(
    target: OutputToBuild, wheel: WheelFile, options: CondaOptions
) -> MergedPackage:
    """Make the package of an output that installs a wheel.

    `options` are the project's [tool.twofold.conda].
    """
    recipe, output, variation = target.recipe, target.output, target.variation
    remarks: list[str] = []
    base = _package_from_wheel(recipe, wheel, options, remarks)
    pure = all(tag.endswith("-any") for tag in wheel.name.tags)
    _check_noarch(recipe, output, pure)
    if base.subdir not in ("noarch", recipe.platform.subdir):
        message = f"the project holds code compiled for {base.subdir}, not {recipe.platform.subdir}"
        hint = "build it on that platform, or leave --target-platform out"
        where = f"{recipe.path.name}:{output.line}: package"
        raise ProjectErrors([Problem(message, hint, where)])
    package = _package_from_recipe(target)
    if pure:
        asks_python = _is_python_specific(recipe, output) or variation.is_for_python
        package.noarch = "python"
        specific = _is_specific(recipe, output) or variation.is_for_python
        package.subdir = recipe.platform.subdir if specific else "noarch"
        if specific:
            why = "selectors chose its lines"
            if variation.is_for_python:
                why = f"its variants name Python {recipe.platform.python}"
            remarks.append(
                f"{output.name} is built for {package.subdir}: {why}; with "
                "'noarch: python' under build it would cover all platforms"
            )
        elif not output.build.noarch:
            remarks.append(
                f"{output.name} is built as noarch: it is pure Python for every platform"
            )
        label = f"py{recipe.platform.python.replace('.', '')}" if asks_python else "py"
        label = variation.make_label(label, "python" if asks_python else "")
        own = f"python {to_conda_spec(wheel.metadata.requires_python or '')}".strip()
        if asks_python:
            own = recipe.platform.python_spec
        package.depends = _add_python(package.depends, own, asks_python)
    else:
        package.noarch, package.subdir = base.noarch, base.subdir
        label = variation.make_label(base.build.rpartition("_")[0], "python")
        package.depends = _add_binary_requirements(package.depends, base)
    _set_build_string(target, package, label)
    package.entry_points = tuple(
        _normalize_entry_point(line.text) for line in output.build.entry_points
    )
    package.entry_points = package.entry_points or base.entry_points
    package.about = base.about | package.about
    package.info_files |= package_test_files(recipe, output, target.source)
    package.info_files |= collect_licenses(recipe, output, target.source)
    package.info_files |= _make_run_exports(target, package)
    _report_differences(output, package, base, wheel, remarks)
    return MergedPackage(package, tuple(remarks))


def make_empty_package(target: OutputToBuild) -> CondaPackage:
    """Make the package of an output that has no files and only requires others."""
    recipe, output, variation = target.recipe, target.output, target.variation
    package = _package_from_recipe(target)
    package.noarch = output.build.noarch or (None if _is_specific(recipe, output) else "generic")
    package.subdir = "noarch" if package.noarch else recipe.platform.subdir
    _set_build_string(target, package, variation.make_label(""))
    package.info_files |= package_test_files(recipe, output, None)
    package.info_files |= collect_licenses(recipe, output, target.source)
    package.info_files |= _make_run_exports(target, package)
    return package


def _set_build_string(target: OutputToBuild, package: CondaPackage, label: str) -> None:
    """Set the build string (the recipe's own, if any) and record what is hashed into it."""
    build, variation = target.output.build, target.variation
    own = target.recipe.calls.replace(build.string, lambda _: hash_values(variation.hashed))
    package.build = own or f"{label}_{build.number}".lstrip("_")
    if variation.hashed:
        hashed = json.dumps(variation.hashed, sort_keys=True)
        package.info_files["hash_input.json"] = hashed.encode()


def _package_from_recipe(target: OutputToBuild) -> CondaPackage:
    """Make a package from the recipe alone."""
    recipe, output = target.recipe, target.output

    # Its own version is known by now, its build string is not.
    known = {**target.siblings, output.name: CondaPackage(output.name, output.version, build="")}

    index_fields: dict[str, object] = {}
    files = package_recipe_files(recipe, output)
    if output.app is not None:
        index_fields, icon = package_app(output.app, recipe.folder, recipe.path.name)
        files |= icon
    for key in ("track_features", "features"):
        features = [line.text for line in output.build.linking.get(key, ())]
        if features:
            index_fields[key] = " ".join(features)
    return CondaPackage(
        name=output.name,
        version=output.version,
        build_number=output.build.number,
        depends=list(
            dict.fromkeys(_resolve_pins(recipe, line, known) for line in output.requirements.run)
        ),
        constrains=[_resolve_pins(recipe, line, known) for line in output.requirements.constrained],
        about=_collect_about(recipe, output),
        info_files=files,
        extra_index=index_fields,
    )


def _make_run_exports(target: OutputToBuild, package: CondaPackage) -> dict[str, bytes]:
    """Make run_exports.json: mostly pins of the package itself, whose build string is known now."""
    output = target.output
    if not output.build.run_exports:
        return {}
    known = {**target.siblings, output.name: package}
    exports = {
        kind: [_resolve_pins(target.recipe, line, known) for line in lines]
        for kind, lines in output.build.run_exports.items()
    }
    return {"run_exports.json": json.dumps(exports, sort_keys=True).encode()}


def _resolve_pins(recipe: Recipe, line: Line, siblings: Mapping[str, CondaPackage]) -> str:
    """Resolve `pin_subpackage` in a requirement from outputs with their versions and builds."""

    def answer(call: DeferredCall) -> str:
        other = siblings.get(call.name)
        if other is None or (call.exact and not other.build):
            message = f"pin_subpackage('{call.name}') does not name an output that is built before"
            hint = f"outputs: {', '.join(one.name for one in recipe.outputs)}"
            raise ProjectErrors([Problem(message, hint, line.where(recipe.path.name))])
        return resolve_pin(call, other.version, other.build)

    return recipe.calls.replace(line.text, answer)


def _package_from_wheel(
    recipe: Recipe, wheel: WheelFile, options: CondaOptions, remarks: list[str]
) -> CondaPackage:
    """Convert the wheel without the recipe.

    Requirements of the wheel that have no conda equivalent are only reported: the recipe has
    its own.
    """
    scripts = wheel.read_dist_info_file("entry_points.txt")
    options.python, options.platform = recipe.platform.python, recipe.platform.subdir
    try:
        return make_packages(wheel.metadata_bytes, scripts, wheel.name.tags, options)[0]
    except TwofoldError as error:
        remarks.append(f"the project's own requirements: {error.problems[0].message}")
        lines = wheel.metadata_bytes.split(b"\n\n", 1)[0].splitlines()
        plain = b"\n".join(line for line in lines if not line.startswith(b"Requires-Dist"))
        return make_packages(plain + b"\n\n", scripts, wheel.name.tags, options)[0]


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
    """Whether the package is for one platform only; an explicit `noarch` overrides."""
    return not output.build.noarch and recipe.is_specific


def _is_python_specific(recipe: Recipe, output: Output) -> bool:
    return _is_specific(recipe, output) and recipe.uses_python


def _add_python(depends: tuple[str, ...], own: str, exactly: bool) -> tuple[str, ...]:
    """Put `own` in place of a bare `python`, or add it where there is none.

    `exactly` replaces any other requirement of python too.
    """
    named = [spec for spec in depends if spec.split()[0] == "python"]
    if exactly:
        depends = tuple(spec for spec in depends if spec.split()[0] not in _PYTHON)
    if exactly or not named:
        return (own, *depends)
    return tuple(own if spec == "python" else spec for spec in depends)


def _add_binary_requirements(depends: tuple[str, ...], base: CondaPackage) -> tuple[str, ...]:
    """Add the Python and the system that compiled code requires to the recipe's requirements."""
    needs = [s for s in base.depends if s.split()[0] in _PYTHON or s.startswith("__")]
    return (*needs, *(spec for spec in depends if spec.split()[0] not in _PYTHON))


def _normalize_entry_point(text: str) -> str:
    name, _, target = text.partition("=")
    return f"{name.strip()} = {target.strip()}"


def _collect_about(recipe: Recipe, output: Output) -> dict[str, Any]:
    about: dict[str, Any] = {}
    for key, lines in output.about.items():
        texts = [line.text for line in lines]
        several = key in _LISTS and (len(texts) > 1 or key in ("tags", "keywords"))
        about[key] = texts if several else " ".join(texts)
    if recipe.extra:
        about["extra"] = dict(recipe.extra)
    return about


def _report_differences(
    output: Output, package: CondaPackage, base: CondaPackage, wheel: WheelFile, remarks: list[str]
) -> None:
    """Report where project and recipe differ."""
    project = wheel.metadata
    if to_conda_name(project.name) != to_conda_name(output.name):
        remarks.append(f"the recipe's name is {output.name}, the project's {project.name}")
    if canonicalize_version(project.version) != _normalize_version(output.version):
        remarks.append(
            f"the recipe's version is {output.version}, the project's {project.version}: pip and "
            "conda will show different versions"
        )
    named = {spec.split()[0] for spec in (*package.depends, *package.constrains)}
    missing = [s for s in base.depends if s.split()[0] not in named | _PYTHON | _VIRTUAL]
    remarks += [f"the project requires {spec}; requirements/run does not" for spec in missing]
    missing_lines = sorted(set(base.entry_points) - set(package.entry_points))
    remarks += [
        f"the project has the entry point '{line}'; the recipe does not" for line in missing_lines
    ]


_VIRTUAL = frozenset({"__unix", "__win", "__linux", "__osx", "__glibc", "__archspec"})


def _normalize_version(version: str) -> str:
    from packaging.version import InvalidVersion, Version

    try:
        return canonicalize_version(str(Version(version)))
    except InvalidVersion:
        return version
