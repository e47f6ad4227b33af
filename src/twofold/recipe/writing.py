"""`write_recipe`: a project becomes meta.yaml or recipe.yaml, ready for a submission."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from twofold.errors import TwofoldError, UsageError
from twofold.formats.opening import read
from twofold.recipe.draft import Draft, Source, draft_of
from twofold.recipe.published import find_published
from twofold.recipe.request import BuildWheel
from twofold.recipe.text_v0 import meta_yaml
from twofold.recipe.text_v1 import recipe_yaml

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
class Written:
    """A recipe's text and what its author should know."""

    text: str
    remarks: tuple[str, ...]


def write_recipe(root: Path, request: WriteRequest) -> Written:
    """The recipe of the project in `root`. Builds its wheel to know what is in it."""
    if request.form not in FORMATS:
        raise UsageError(f"there is no format '{request.form}'", f"choose: {', '.join(FORMATS)}")
    with tempfile.TemporaryDirectory(prefix="twofold-recipe-") as kept:
        wheel = request.build_wheel(root, Path(kept))
        artifact = read(wheel)
        source = _source(root, request, artifact.name, artifact.version)
        draft = draft_of(root, wheel, source)
    text = (meta_yaml if request.form == "meta.yaml" else recipe_yaml)(draft)
    return Written(text, (*draft.remarks, *_next_steps(draft)))


def _source(root: Path, request: WriteRequest, name: str, version: str) -> Source:
    if request.published:
        return find_published(name, version, request.environment)
    if request.sdist is None:
        if request.url:
            raise UsageError("--url needs --sdist", "its hash goes into the recipe")
        return Source(path=_relative(root, request.folder))
    artifact = read(request.sdist)
    if (artifact.name, artifact.version) != (name, version):
        raise TwofoldError(
            f"{request.sdist.name} is {artifact.name} {artifact.version}, the project is "
            f"{name} {version}",
            "build the sdist again, or name the right one",
        )
    digest = hashlib.sha256(request.sdist.read_bytes()).hexdigest()
    if request.url:
        return Source(url=request.url, sha256=digest)
    return Source(path=_relative(request.sdist, request.folder), sha256=digest)


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return path.resolve().as_posix()


def _next_steps(draft: Draft) -> tuple[str, ...]:
    told = ["put your GitHub name under extra/recipe-maintainers"]
    if draft.source.path:
        told.append("for conda-forge the source must be a published sdist: see --published")
    return tuple(told)
