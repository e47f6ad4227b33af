"""`write_recipe`: a project becomes meta.yaml or recipe.yaml, ready for a submission."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from twofold.errors import TwofoldError, UsageError
from twofold.formats.reader import read_artifact
from twofold.recipe.request import BuildWheel
from twofold.recipe.write.draft import Draft, Source, draft_recipe
from twofold.recipe.write.meta_yaml import render_meta_yaml
from twofold.recipe.write.published_sdist import find_published_sdist
from twofold.recipe.write.recipe_yaml import render_recipe_yaml

FORMATS = ("meta.yaml", "recipe.yaml")


@dataclass(frozen=True)
class WriteRequest:
    """What recipe to write.

    `form` is one of FORMATS. `folder` is where the recipe will lie: paths in it are relative to
    that. `sdist` is a file whose hash goes in; `url` its address; `published` asks the
    configured index for both. With none of them the recipe builds the project's folder.
    """

    build_wheel: BuildWheel
    form: str = "meta.yaml"
    folder: Path = Path()
    sdist: Path | None = None
    url: str = ""
    published: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WrittenRecipe:
    """A recipe's text and what its author should know."""

    text: str
    remarks: tuple[str, ...]


def write_recipe(root: Path, request: WriteRequest) -> WrittenRecipe:
    """The recipe of the project in `root`. Builds its wheel to know what is in it."""
    if request.form not in FORMATS:
        raise UsageError(f"there is no format '{request.form}'", f"choose: {', '.join(FORMATS)}")
    with tempfile.TemporaryDirectory(prefix="twofold-recipe-") as kept:
        wheel = request.build_wheel(root, Path(kept))
        artifact = read_artifact(wheel)
        source = _choose_source(root, request, artifact.name, artifact.version)
        draft = draft_recipe(root, wheel, source)
    text = (render_meta_yaml if request.form == "meta.yaml" else render_recipe_yaml)(draft)
    return WrittenRecipe(text, (*draft.remarks, *_list_next_steps(draft)))


def _choose_source(root: Path, request: WriteRequest, name: str, version: str) -> Source:
    if request.published:
        return find_published_sdist(name, version, request.environment)
    if request.sdist is None:
        if request.url:
            raise UsageError("--url needs --sdist", "its hash goes into the recipe")
        return Source(path=_make_relative(root, request.folder))
    artifact = read_artifact(request.sdist)
    if (artifact.name, artifact.version) != (name, version):
        raise TwofoldError(
            f"{request.sdist.name} is {artifact.name} {artifact.version}, the project is "
            f"{name} {version}",
            "build the sdist again, or name the right one",
        )
    digest = hashlib.sha256(request.sdist.read_bytes()).hexdigest()
    if request.url:
        return Source(url=request.url, sha256=digest)
    return Source(path=_make_relative(request.sdist, request.folder), sha256=digest)


def _make_relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return path.resolve().as_posix()


def _list_next_steps(draft: Draft) -> tuple[str, ...]:
    told = ["put your GitHub name under extra/recipe-maintainers"]
    if draft.source.path:
        told.append("for conda-forge the source must be a published sdist: see --published")
    return tuple(told)
