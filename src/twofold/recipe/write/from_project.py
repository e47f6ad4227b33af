"""`write_recipe`: write the meta.yaml or recipe.yaml of a project.

With `published`, the source is the release's sdist on the index that pip is configured for
(without a configuration, pip's own default). The index's page is PEP 691's JSON or PEP 503's HTML.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from twofold.errors import BadFile, SubprocessFailed, TwofoldError, UsageError
from twofold.fetching.client import Endpoint, fetch_page
from twofold.fetching.credentials import BASIC, Credential
from twofold.formats.reader import read_artifact
from twofold.index.simple_parser import ACCEPT, ProjectPage, parse_project_page
from twofold.names import normalize_name
from twofold.recipe.request import BuildWheel
from twofold.recipe.write.draft import Draft, Source, draft_recipe
from twofold.recipe.write.meta_yaml import render_meta_yaml
from twofold.recipe.write.recipe_yaml import render_recipe_yaml
from twofold_build.names import canonicalize_version

FORMATS = ("meta.yaml", "recipe.yaml")


@dataclass(frozen=True)
class WriteRequest:
    """Settings of `write_recipe`.

    `form` is one of FORMATS. `folder` is the recipe's future folder: paths in it are relative to
    that. `sdist` is a file whose hash is recorded; `url` its URL; `published` queries the
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
    """A recipe's text and remarks for its author."""

    text: str
    remarks: tuple[str, ...]


def write_recipe(root: Path, request: WriteRequest) -> WrittenRecipe:
    """Write the recipe of the project in `root`; builds its wheel to know what is in it."""
    if request.form not in FORMATS:
        raise UsageError(f"unknown format '{request.form}'", f"choose: {', '.join(FORMATS)}")
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
    steps = ["put your GitHub name under extra/recipe-maintainers"]
    if draft.source.path:
        steps.append("for conda-forge the source must be a published sdist: see --published")
    return tuple(steps)


TIMEOUT = 30


def find_published_sdist(name: str, version: str, environment: Mapping[str, str]) -> Source:
    """Find the sdist of a release on the index.

    Raises TwofoldError if the release or its sdist is missing, Unreachable if the index
    does not answer.
    """
    index = _find_index(environment)
    wanted = f"{normalize_name(name).replace('-', '_')}-{version}"
    for file in _fetch_page(index, normalize_name(name)).files:
        stem = file.filename.removesuffix(".tar.gz")
        if stem != file.filename and _is_same_release(stem, wanted):
            if not file.sha256:
                raise TwofoldError(f"the index has no sha256 for {file.filename}")
            return Source(url=file.url, sha256=file.sha256)
    raise TwofoldError(
        f"the index has no sdist of {name} {version}",
        "publish it first, or name a file with --sdist and its address with --url",
    )


def _is_same_release(stem: str, wanted: str) -> bool:
    name, _, version = stem.rpartition("-")
    expected, _, wanted_version = wanted.rpartition("-")
    return normalize_name(name) == normalize_name(expected) and (
        canonicalize_version(version) == canonicalize_version(wanted_version)
    )


def _find_index(environment: Mapping[str, str]) -> str:
    """Find pip's index: its environment variable, its configuration, its default."""
    if environment.get("PIP_INDEX_URL"):
        return environment["PIP_INDEX_URL"]
    found = re.search(
        r"(?:global|install|download)\.index-url='([^']+)'", _read_pip_config("config", "list")
    )
    if found:
        return found.group(1)
    default = re.search(r"\(default\s+(https?://\S+?)\)", _read_pip_config("download", "--help"))
    if default:
        return default.group(1)
    raise TwofoldError("cannot determine pip's index", "set PIP_INDEX_URL")


def _read_pip_config(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise SubprocessFailed(
            f"pip {' '.join(words)} failed", "is pip installed?", output=done.stderr
        )
    return done.stdout


def _fetch_page(index: str, project: str) -> ProjectPage:
    """Fetch the project's page."""
    page, credential = _split_credentials(f"{index.rstrip('/')}/{project}/")
    source = Endpoint(page, secret=credential, timeout=TIMEOUT, any_address=True)
    found = fetch_page(source, page, ACCEPT)
    if found is None:
        raise TwofoldError(f"the index has no project {project}", "is it published there?", page)
    try:
        return parse_project_page(found.body, found.media, page)
    except ValueError as error:
        raise BadFile("the index's page is malformed (PEP 691)", "", page) from error


def _split_credentials(address: str) -> tuple[str, Credential | None]:
    """Return the URL without credentials, and its user and password."""
    split = urlsplit(address)
    if split.username is None:
        return address, None
    host = split.netloc.rpartition("@")[2]
    pair = f"{unquote(split.username)}:{unquote(split.password or '')}"
    return urlunsplit(split._replace(netloc=host)), Credential(BASIC, pair)
