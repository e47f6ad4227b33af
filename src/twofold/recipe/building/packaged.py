"""The recipe, its tests and its app as files of a package, under info/.

recipe/meta.yaml, meta.yaml.template     as rendered, and as written (conda-build's form)
recipe/recipe.yaml, rendered_recipe.yaml as written, and as rendered (rattler-build's form)
recipe/build.sh, patches                 files beside the recipe that it names
test/run_test.py                         the imports, then the recipe's own run_test.py
test/run_test.sh, run_test.bat           the commands
test/test_time_dependencies.json         what has to be installed beside the package
test/...                                 files named by test/files
tests/tests.yaml                         tests that need no files, in rattler-build's form
index.json, icon.png                     the values and the icon of `app`, as in conda-build
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.formats.conda_info import render_imports_script, render_tests_yaml
from twofold.recipe.model import App, Line, Output, Recipe
from twofold.recipe.read.jinja_functions import write_for_cmd
from twofold.recipe.write.to_v1 import translate_tests

#: Test files travel in every copy of the package: more than this is a mistake (bytes).
MAX_BYTES = 16 << 20


def package_test_files(recipe: Recipe, output: Output, source: Path | None) -> dict[str, bytes]:
    """Return path under info/ -> bytes; test/source_files are copied from `source`."""
    tests = output.tests
    files: dict[str, bytes] = {}
    own: dict[str, bytes] = {}
    for path in tests.scripts:
        name = f"run_test{path.suffix}"
        own[name] = own.get(name, b"") + read_small_file(path, recipe.path.name)
    problems = [
        Problem(
            f"'{line.text}' is not a valid module name",
            "name modules as in 'a.b'",
            where,
        )
        for line in tests.imports
        if not all(part.isidentifier() for part in line.text.split("."))
        for where in [line.where(recipe.path.name)]
    ]
    if problems:
        raise ProjectErrors(problems)
    if tests.imports or "run_test.py" in own:
        files["test/run_test.py"] = render_imports_script(
            line.text for line in tests.imports
        ) + own.get("run_test.py", b"")
    shell = "".join(f"{line.text}\n" for line in tests.commands)
    if shell or "run_test.sh" in own:
        files["test/run_test.sh"] = f"set -ex\n{shell}".encode() + own.get("run_test.sh", b"")
    if shell or "run_test.bat" in own:
        batch = "".join(
            f"{write_for_cmd(line.text)}\nIF %ERRORLEVEL% NEQ 0 exit /B 1\n"
            for line in tests.commands
        )
        files["test/run_test.bat"] = batch.encode() + own.get("run_test.bat", b"")
    if tests.requires:
        needs = [line.text for line in tests.requires]
        files["test/test_time_dependencies.json"] = json.dumps(needs).encode()
    translated = translate_tests(recipe, tests)
    if translated and not any("files" in test for test in translated):
        files["tests/tests.yaml"] = render_tests_yaml(translated)
    for line, folder in (
        *((line, recipe.folder) for line in tests.files),
        *((line, source) for line in tests.source_files if source),
    ):
        files |= _collect_files(recipe, line, folder)
    if sum(map(len, files.values())) > MAX_BYTES:
        raise TwofoldError(
            "the recipe's test files are larger than 16 MiB",
            "test what is installed; leave large data in the source",
            f"{recipe.path.name}: test",
        )
    return files


def read_small_file(path: Path, where: str) -> bytes:
    """Read a file for info/; raises TwofoldError if it is too large."""
    if path.stat().st_size > MAX_BYTES:
        raise TwofoldError(
            f"{path.name} is larger than 16 MiB and would be in every copy of the package",
            "leave large data in the source",
            where,
        )
    return path.read_bytes()


def _collect_files(recipe: Recipe, line: Line, folder: Path) -> dict[str, bytes]:
    """List the files that a path or glob names below a folder; refuse links that leave it."""
    root = folder.resolve()
    if Path(line.text).is_absolute() or ".." in Path(line.text).parts:
        raise TwofoldError(
            f"'{line.text}' leaves its folder", "name files below it", line.where(recipe.path.name)
        )
    found = {}
    for match in sorted(root.glob(line.text)):
        for path in sorted(match.rglob("*")) if match.is_dir() else [match]:
            if not path.resolve().is_relative_to(root):
                raise TwofoldError(
                    f"'{line.text}' is a link out of its folder", "", line.where(recipe.path.name)
                )
            if path.is_file():
                found[f"test/{path.relative_to(root).as_posix()}"] = read_small_file(
                    path, line.where(recipe.path.name)
                )
    if not found:
        raise TwofoldError(
            f"'{line.text}' names no file", "check the path", line.where(recipe.path.name)
        )
    return found


def package_recipe_files(recipe: Recipe, output: Output) -> dict[str, bytes]:
    """Return the recipe's files: path under info/ -> bytes."""
    if recipe.is_v1:
        files = {
            "recipe.yaml": recipe.text.encode(),
            "rendered_recipe.yaml": recipe.rendered.encode(),
        }
    else:
        files = {"meta.yaml": recipe.rendered.encode()}
        if recipe.rendered != recipe.text:
            files["meta.yaml.template"] = recipe.text.encode()
    patches = [line.text for source in recipe.sources for line in source.patches]
    for beside in filter(None, (output.build.script_file, *patches)):
        path = recipe.folder / beside
        if path.is_file():
            files[Path(beside).as_posix()] = read_small_file(path, recipe.path.name)
    return {f"recipe/{inner}": data for inner, data in files.items()}


def package_app(app: App, folder: Path, file: str) -> tuple[dict[str, object], dict[str, bytes]]:
    """Return further keys of index.json, and files (path under info/ -> bytes)."""
    if app.icon is None:
        return dict(app.index_fields), {}
    path = (folder / app.icon.text).resolve()
    where = app.icon.where(file)
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise TwofoldError(
            f"the icon '{app.icon.text}' is not beside the recipe", "check the path", where
        )
    data = read_small_file(path, where)
    name = f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}.png"
    return {**app.index_fields, "icon": name}, {"icon.png": data}
