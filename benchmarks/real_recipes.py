"""Read every recipe of a repository, and compare some with what the peers read, field by field.

    python benchmarks/real_recipes.py read REPOSITORY [--pinning FILE] [--history] [--refused FILE]
        [--conda-build PYTHON]
    python benchmarks/real_recipes.py compare REPOSITORY --pinning FILE --history [--count 300]
        [--seed 1] [--conda-build PYTHON]

REPOSITORY is a checkout or a bare clone: conda-forge/staged-recipes (`--history`: its recipes are
removed when they are merged), conda/conda-build (its test recipes), prefix-dev/rattler-build.
FILE of `--pinning` is conda_build_config.yaml of conda-forge/conda-forge-pinning-feedstock.

`read` counts by kind what twofold's reader takes, and prints the refusals by message; `--refused`
writes each of them. With `--conda-build` it is asked for each meta.yaml that was refused whether
it reads it for a build. A recipe.yaml that twofold hands on is read by rattler-build, as in a
build.
A file that takes longer than two seconds is a fault.

`compare` renders recipes at random with `twofold build --render-only`'s function, a recipe.yaml
with rattler-build and a meta.yaml with conda-build, all with one value for every variant, and
prints each field that differs. PYTHON is that of an environment with conda-build (installed from
conda, or from the repositories conda/conda and conda/conda-build with pip).

Nothing of a recipe is run, but setup.py where one computes what a recipe asks for. Nothing is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from measure import record_results
from recipe_fields import compare_meta, compare_v1
from recipe_history import RecipeFile, RecipeHistory

from twofold.errors import TwofoldError
from twofold.recipe.building.recipe_folder import read_for_request
from twofold.recipe.building.rendering import render_recipe
from twofold.recipe.building.with_rattler import render_unchanged
from twofold.recipe.read.jinja_modules import ReadContext
from twofold.recipe.read.meta_yaml import find_roots, read_recipe
from twofold.recipe.read.recipe_yaml import has_v1_form
from twofold.recipe.read.v1_expressions import UnsupportedRecipe
from twofold.recipe.read.variants import NAMES, Variants, read_variants
from twofold.recipe.request import Environ, Platform, RecipeRequest

PEER = Path(__file__).parent / "render_with_conda_build.py"
PLATFORM = Platform("linux-64", "3.11")
#: Seconds that no recipe may take to read.
LONGEST = 2.0
_NOARCH = re.compile(rb"^\s*noarch:\s*['\"]?python", re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("read", "compare"):
        made = commands.add_parser(command)
        made.add_argument("repository", type=Path)
        made.add_argument("--pinning", type=Path)
        made.add_argument("--history", action="store_true")
        made.add_argument("--conda-build", default="")
        made.add_argument("--under", default="", help="only recipes below this folder")
    commands.choices["read"].add_argument("--refused", type=Path)
    commands.choices["read"].add_argument("--every", type=int, default=1, help="each N-th only")
    commands.choices["read"].add_argument("--first", type=int, default=0, help="begin with this")
    commands.choices["read"].add_argument("--save", action="store_true")
    compare = commands.choices["compare"]
    compare.add_argument("--count", type=int, default=300)
    compare.add_argument("--seed", type=int, default=1)
    compare.add_argument("--differences", type=Path)
    given = parser.parse_args()
    history = RecipeHistory(given.repository)
    recipes = [
        recipe
        for recipe in history.list_recipes(is_history=given.history)
        if recipe.path.startswith(given.under)
    ]
    (read_all if given.command == "read" else compare_some)(history, recipes, given)


def read_all(history: RecipeHistory, recipes: list[RecipeFile], given: argparse.Namespace) -> None:
    reader = Reader(given.pinning)
    read: Counter[str] = Counter()
    total: Counter[str] = Counter()
    also: Counter[str] = Counter()
    refused: list[dict[str, Any]] = []
    slow: list[tuple[str, float]] = []
    with CondaBuild(given.conda_build, given.pinning or Path(), "--strict") as peer:
        for recipe, path in write_each(history, recipes[given.first :: given.every]):
            kinds = list_kinds(path)
            started = time.process_time()
            problem = reader.find_refusal(path)
            seconds = time.process_time() - started
            if seconds > LONGEST:
                slow.append((recipe.path, round(seconds, 1)))
            total.update(kinds)
            if problem is None:
                read.update(kinds)
                continue
            one = {"path": recipe.path, "commit": recipe.commit, "kinds": kinds, **problem}
            if given.conda_build and path.name != "recipe.yaml":
                answer = peer.render(path)
                one["conda-build"] = answer if isinstance(answer, str) else "reads it"
                also.update(kinds if isinstance(answer, str) else ())
            refused.append(one)
    for kind, count in sorted(total.items()):
        print(f"{kind:24}{read[kind]:>7} of {count:>6} read  {read[kind] / count:.2%}", end="")
        share = read[kind] / max(1, count - also[kind])
        print(f"  {share:.2%} but for {also[kind]} that conda-build refuses" * bool(also[kind]))
    print(f"\nlonger than {LONGEST:g} s: {slow or 'none'}\n")
    for message, count in Counter(group_message(one["message"]) for one in refused).most_common():
        print(f"{count:>6}  {message}")
    if given.refused:
        given.refused.write_text(json.dumps(refused, indent=1), encoding="utf-8")
    if given.save:
        counts = {kind: [read[kind], total[kind]] for kind in sorted(total)}
        found = {"repository": history.describe(), "read": counts, "slow": slow}
        record_results("real-recipes", ["twofold", "py-rattler-build"], found)


def write_each(
    history: RecipeHistory, recipes: Iterable[RecipeFile]
) -> Iterator[tuple[RecipeFile, Path]]:
    """Write each recipe into a folder of its own, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="twofold-recipes-") as kept:
        for number, recipe in enumerate(recipes):
            # conda-build keeps what it read by the folder's name.
            folder = Path(kept, str(number))
            yield recipe, history.write_folder(recipe, folder)
            shutil.rmtree(folder)


def list_kinds(path: Path) -> list[str]:
    if path.name == "recipe.yaml":
        return ["recipe.yaml"]
    is_pure = _NOARCH.search(path.read_bytes())
    return ["meta.yaml", "meta.yaml, noarch: python"] if is_pure else ["meta.yaml"]


def group_message(message: str) -> str:
    """Return a message without what differs between two recipes of one kind."""
    short = re.sub(r"'[^']*'", "'...'", message)
    return re.sub(r"\d+", "0", short)[:110]


class Reader:
    """twofold's reader with conda-forge's pinning, which is read once."""

    def __init__(self, pinning: Path | None) -> None:
        self._base = (pinning,) if pinning else ()
        self._work = Path(tempfile.mkdtemp(prefix="twofold-recipes-"))
        self._variants = self._read_variants(self._work / "meta.yaml")
        (self._values, *_) = self._variants.list_combinations(())

    def find_refusal(self, path: Path) -> dict[str, str] | None:
        """Read a recipe; returns the message of its first problem, None when it is read."""
        try:
            if has_v1_form(path):
                self._read_v1(path)
            else:
                own = any((path.parent / name).is_file() for name in NAMES)
                variants = self._read_variants(path) if own else self._variants
                (values, *_) = variants.list_combinations(()) if own else (self._values,)
                read_recipe(path, self._make_context(path, values, variants))
        except TwofoldError as error:
            first = error.problems[0]
            return {"message": first.message, "hint": first.hint, "where": first.where}
        return None

    def _read_v1(self, path: Path) -> None:
        request = RecipeRequest(_build_nothing, platform=PLATFORM)
        try:
            read_for_request(path, request, self._work)
        except UnsupportedRecipe:
            render_unchanged(path, replace(request, base_variant_files=self._base))

    def _make_context(
        self, path: Path, values: Mapping[str, str], variants: Variants
    ) -> ReadContext:
        return ReadContext(
            path.parent,
            find_roots(path),
            PLATFORM,
            Environ({}),
            variant={**values, "python": PLATFORM.python},
            pins=variants.pins,
        )

    def _read_variants(self, path: Path) -> Variants:
        return read_variants(path, PLATFORM, Environ({}), base=self._base)


def _build_nothing(source: Path, out: Path) -> Path:
    raise TwofoldError(f"{source.name} has to be built for {out.name} to be read")


def compare_some(
    history: RecipeHistory, recipes: list[RecipeFile], given: argparse.Namespace
) -> None:
    chosen = random.Random(given.seed).sample(recipes, min(given.count, len(recipes)))
    variants = write_single_variant(given.pinning)
    counts: Counter[str] = Counter()
    found: list[dict[str, Any]] = []
    with CondaBuild(given.conda_build, variants) as peer:
        for recipe, path in write_each(history, chosen):
            kind = path.name
            counts[kind, "recipes"] += 1
            is_meta = not has_v1_form(path)
            ours = render_ours(path, variants)
            if not is_meta and (isinstance(ours, str) or not all("method" in p for p in ours)):
                counts[kind, "handed on to rattler-build"] += 1
                continue
            theirs = peer.render(path) if is_meta else render_with_rattler(path, variants)
            if isinstance(ours, str) or isinstance(theirs, str):
                sides = [name for name, side in (("twofold", ours), ("the peer", theirs))
                         if isinstance(side, str)]  # fmt: skip
                counts[kind, f"refused by {' and '.join(sides)}"] += 1
                texts = {"ours": str(ours)[:400], "theirs": str(theirs)[:400]}
                found.append({"path": recipe.path, "field": "refused", **texts})
                continue
            compared, differences = (compare_meta if is_meta else compare_v1)(ours, theirs)
            counts[kind, "fields"] += compared
            counts[kind, "differences"] += len(differences)
            found += [{"path": recipe.path, **one} for one in differences]
    for (kind, what), count in sorted(counts.items()):
        print(f"{kind:12} {what:24}{count:>7}")
    for one in found:
        print(json.dumps(one))
    if given.differences:
        given.differences.write_text(json.dumps(found, indent=1), encoding="utf-8")


def write_single_variant(pinning: Path | None) -> Path:
    """Write a file that gives every variant the first of the pinning's values."""
    import yaml

    folder = Path(tempfile.mkdtemp(prefix="twofold-variant-"))
    base = (pinning,) if pinning else ()
    variants = read_variants(folder / "meta.yaml", PLATFORM, Environ({}), base=base)
    (values, *_) = variants.list_combinations(())
    single: dict[str, Any] = {name: [value] for name, value in {**values, "python": "3.11"}.items()}
    single["pin_run_as_build"] = {
        name: {key: form for key, form in pin._asdict().items() if form}
        for name, pin in variants.pins.items()
    }
    target = folder / "single.yaml"
    target.write_text(yaml.safe_dump(single), encoding="utf-8")
    return target


def render_ours(path: Path, variants: Path) -> list[dict[str, Any]] | str:
    request = RecipeRequest(_build_nothing, platform=PLATFORM, base_variant_files=(variants,))
    if path.name == "recipe.yaml":
        request = replace(request, base_variant_files=())
    try:
        return render_recipe(path.parent, replace(request, allow_network=True))
    except TwofoldError as error:
        return str(error)


def render_with_rattler(path: Path, variants: Path) -> list[dict[str, Any]] | str:
    request = RecipeRequest(_build_nothing, platform=PLATFORM, base_variant_files=(variants,))
    try:
        return render_unchanged(path, request)
    except TwofoldError as error:
        return str(error)


class CondaBuild:
    """conda-build in a process of its own: a recipe's folder a line, its packages as JSON back."""

    def __init__(self, python: str, variants: Path, *options: str) -> None:
        self._python, self._arguments = python, [str(variants) * bool(variants.name), *options]

    def __enter__(self) -> CondaBuild:
        if self._python:
            self._process = subprocess.Popen(
                [self._python, str(PEER), *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "PYTHONWARNINGS": "ignore"},
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._python:
            self._process.communicate()

    def render(self, path: Path) -> list[dict[str, Any]] | str:
        if not self._python:
            return "conda-build is not given"
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{path.parent}\n")
        stdin.flush()
        answer: list[dict[str, Any]] | str = json.loads(stdout.readline())
        return answer


if __name__ == "__main__":
    main()
