"""Build recipes at random from the sdists of their releases, and look at what was packed.

    python benchmarks/real_sdists.py REPOSITORY [--count 100] [--seed 1]

REPOSITORY is a clone of conda-forge/staged-recipes. Of its recipes with `noarch: python` whose
source is one sdist on PyPI, some are taken at random. pip fetches the sdist (a release that is gone
is passed over), the recipe's source becomes that file with its hash, and `twofold build --conda`
builds it. A package is right when its run dependencies and entry points are the recipe's and each
licence file is in it; a failed build is printed with its last line.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from conda_package_streaming.package_streaming import stream_conda_component
from real_recipes import PLATFORM
from recipe_history import RecipeHistory

from twofold.errors import TwofoldError
from twofold.recipe.building.recipe_folder import read_for_request
from twofold.recipe.model import Recipe
from twofold.recipe.request import RecipeRequest

_SDIST = re.compile(r"/(?P<file>(?P<name>[^/]+?)-(?P<version>\d[^/]*?)\.(?:tar\.gz|zip))(?:#.*)?$")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", type=Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    history = RecipeHistory(given.repository)
    recipes = [one for one in history.list_recipes(is_history=True) if one.name == "meta.yaml"]
    random.Random(given.seed).shuffle(recipes)
    built = tried = 0
    with tempfile.TemporaryDirectory(prefix="twofold-sdists-") as kept:
        for number, recipe in enumerate(recipes):
            if tried == given.count:
                break
            path = history.write_folder(recipe, Path(kept, str(number), "recipe"))
            prepared = prepare(path)
            if prepared is None:
                continue
            tried += 1
            started = time.monotonic()
            problem = build(path, prepared)
            built += not problem
            seconds = time.monotonic() - started
            print(f"{'built ' if not problem else 'FAILED'} {seconds:5.1f} s  {recipe.path}")
            if problem:
                print(f"       {problem}")
            sys.stdout.flush()
            shutil.rmtree(path.parent.parent)
    print(f"{built} of {tried} recipes are built from their sdists")


def prepare(path: Path) -> Recipe | None:
    """Point a recipe to its sdist, fetched by pip; None if it is not of the kind or not there."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if not re.search(r"noarch:\s*python", text):
        return None
    request = RecipeRequest(lambda source, _: source, platform=PLATFORM)
    try:
        recipe = read_for_request(path, request, path.parent)
    except TwofoldError:
        return None
    if len(recipe.sources) != 1 or len(recipe.outputs) != 1 or recipe.outputs[0].build.skip:
        return None
    address = recipe.sources[0].location.text
    found = _SDIST.search(address)
    if not found or "/packages/" not in address:
        return None
    folder = path.parent.parent / "sdist"
    release = f"{found['name']}=={found['version']}"
    words = ["download", "--quiet", "--no-deps", "--no-build-isolation", "--no-binary", ":all:"]
    run("-m", "pip", *words, "-d", folder, release)
    sdists = (
        [one for one in folder.glob("*") if one.suffix in (".gz", ".zip")]
        if folder.is_dir()
        else []
    )
    if not sdists:
        return None
    digest = hashlib.sha256(sdists[0].read_bytes()).hexdigest()
    section = f"source:\n  url: {sdists[0]}\n  sha256: {digest}\n"
    changed = re.sub(r"^source:.*\n(?:[ \t-].*\n|\s*\n|#.*\n)*", section + "\n", text, flags=re.M)
    path.write_text(changed, encoding="utf-8")
    return recipe


def build(path: Path, recipe: Recipe) -> str:
    """Build the recipe; returns what is wrong, '' if nothing is."""
    out = path.parent.parent / "out"
    done = run("-m", "twofold", "build", path.parent, "--conda", "--out", out)
    packages = list(out.rglob("*.conda"))
    if done.returncode or not packages:
        lines = done.stderr.strip().splitlines() or ["nothing is built"]
        errors = [line for line in lines if line.startswith("error")]
        return " / ".join([*errors, *lines[-3:]])[:700]
    files = read_info(packages[0])
    index = json.loads(files["info/index.json"])
    wanted = {line.text for line in recipe.outputs[0].requirements.run}
    missing = wanted - set(index["depends"]) - {"python"}
    if missing:
        return f"run is {sorted(missing)} and depends {index['depends']}"
    licences = [name for name in files if name.startswith("info/licenses/")]
    if len(licences) < len(recipe.outputs[0].license_files):
        return f"the licence files are {licences}"
    points = [line.text.partition("=")[0].strip() for line in recipe.outputs[0].build.entry_points]
    link: dict[str, Any] = json.loads(files.get("info/link.json", b"{}"))
    packed = [
        text.partition("=")[0].strip() for text in link.get("noarch", {}).get("entry_points", [])
    ]
    return "" if set(points) <= set(packed) else f"the entry points are {packed}, not {points}"


def read_info(package: Path) -> dict[str, bytes]:
    with package.open("rb") as file:
        return {
            member.name: tar.extractfile(member).read()
            for tar, member in stream_conda_component(package, file, "info")
            if member.isfile()
        }


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


if __name__ == "__main__":
    main()
