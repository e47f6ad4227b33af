"""Fetch a recipe's sources into a folder: copy paths, download URLs, clone git repositories.

Remote sources need a hash (sha256) or a revision: a package whose content may differ tomorrow is
not built. Archives are unpacked without trust.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from twofold.errors import BadFile, Refused, SubprocessFailed, TwofoldError, Unreachable
from twofold.formats import limits
from twofold.formats.tar_safety import extract_member
from twofold.recipe.model import Line, Recipe, Source

#: The largest source that is fetched (bytes) and how long a silent server is waited for (s).
MAX_DOWNLOAD_BYTES = 2 << 30
TIMEOUT = 60
_STRONG_HASHES = frozenset({"sha224", "sha256", "sha384", "sha512"})
_ARCHIVES = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar", ".zip")


def fetch_sources(recipe: Recipe, work: Path) -> Path:
    """Fetch the sources and return their folder; `work` is empty and may be that folder.

    One folder given by path, without patches, is used in place. Raises TwofoldError with
    the key and the line of the source that cannot be fetched.
    """
    only = recipe.sources[0]
    if len(recipe.sources) == 1 and only.kind == "path" and not only.folder and not only.patches:
        path = _find_local(recipe, only.location)
        if path.is_dir():
            return path
    for source in recipe.sources:
        target = work / source.folder
        target.mkdir(parents=True, exist_ok=True)
        _FETCHERS[source.kind](recipe, source, target)
        for patch in source.patches:
            _apply_patch(recipe, patch, target)
    return work


def _copy_path(recipe: Recipe, source: Source, target: Path) -> None:
    path = _find_local(recipe, source.location)
    if path.is_dir():
        shutil.copytree(path, target, dirs_exist_ok=True, symlinks=True, ignore=_IGNORED)
    else:
        _check_hashes(recipe, source, path)
        _unpack_or_copy(recipe, source, path, target)


_IGNORED = shutil.ignore_patterns(".git", "conda-bld", "__pycache__", ".tox", ".venv")


def _fetch_url(recipe: Recipe, source: Source, target: Path) -> None:
    split = urlsplit(source.location.text)
    if split.scheme in ("", "file"):
        path = (recipe.folder / url2pathname(split.path)).resolve()
        if not path.is_file():
            raise _missing_error(recipe, source.location, path)
        _check_hashes(recipe, source, path)
        _unpack_or_copy(recipe, source, path, target)
        return
    where = source.location.where(recipe.path.name)
    if split.scheme not in ("https", "http"):
        raise TwofoldError(f"'{split.scheme}' URLs are not supported", "use https", where)
    if not source.hashes.keys() & _STRONG_HASHES:
        raise TwofoldError(
            "this source is fetched over the network and has no sha256",
            "add 'sha256: ...' under the url, so that it cannot change unseen",
            where,
        )
    name = source.file_name or Path(unquote(split.path)).name
    fetched = target.parent / f".fetched-{target.name}" / name
    fetched.parent.mkdir(parents=True)
    try:
        _download([source.location.text, *source.mirrors], fetched, where)
        _check_hashes(recipe, source, fetched)
        _unpack_or_copy(recipe, source, fetched, target)
    finally:
        shutil.rmtree(fetched.parent)


def _download(addresses: list[str], path: Path, where: str) -> None:
    """Download from the first working URL; if none works, list every failure."""
    from twofold.fetching.client import Endpoint, fetch_file

    tried = []
    for address in addresses:
        try:
            with path.open("wb") as file:
                source = Endpoint(address, timeout=TIMEOUT, any_address=True)
                fetch_file(source, address, _FileSink(file), MAX_DOWNLOAD_BYTES)
            return
        except (Unreachable, Refused) as error:
            tried.append(str(error))
    raise Unreachable(
        f"the source could not be fetched: {'; '.join(tried)}",
        "check the address and the connection, or name a local file with 'path:'",
        where,
    )


class _FileSink:
    """Writes a download to an open file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def begin(self, total: int | None) -> None:
        """Nothing to prepare: the client bounds the size."""

    def write(self, block: bytes) -> None:
        """Append the next bytes."""
        self._file.write(block)


def _clone_git(recipe: Recipe, source: Source, target: Path) -> None:
    address = source.location.text
    where = source.location.where(recipe.path.name)
    here = (recipe.folder / address).resolve() if "://" not in address else None
    local = here is not None and here.is_dir()
    if address.startswith("-") or source.revision.startswith("-"):
        raise TwofoldError("an address or a revision cannot begin with '-'", "", where)
    if not local and not source.revision:
        raise TwofoldError(
            "this source is fetched over the network and has no git_rev",
            "add 'git_rev:' with a commit or a tag, so that it cannot change unseen",
            where,
        )
    is_file = local or address.startswith("file:")
    protocols = f"file:{PROTOCOLS}" if is_file else PROTOCOLS
    clone = ["clone", "--quiet", "--", str(here) if local else address, str(target)]
    _run_git(clone, where, protocols=protocols)
    if source.revision:
        _run_git(["-C", str(target), "checkout", "--quiet", source.revision, "--"], where)
    if (target / ".gitmodules").is_file():
        _run_git(
            ["-C", str(target), "submodule", "--quiet", "update", "--init", "--recursive"], where
        )


#: The transports of git: none that runs a program (`ext::`). That of files is for a source which
#: the recipe itself names, and not for the submodules of what was fetched (CVE-2022-39253).
PROTOCOLS = "https:http:ssh:git"


def _run_git(
    arguments: list[str], where: str, stdin: bytes | None = None, protocols: str = PROTOCOLS
) -> None:
    """Run git without prompts and with these transports alone."""
    surroundings = {
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": protocols,
        # A work folder does not belong to a repository that may surround it.
        "GIT_CEILING_DIRECTORIES": tempfile.gettempdir(),
    }
    try:
        done = subprocess.run(
            ["git", "-c", "core.symlinks=false", *arguments],
            env=surroundings,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=600,
            check=False,
        )
    except FileNotFoundError as error:
        raise SubprocessFailed(
            "the source needs git, which is not installed", "install git", where
        ) from error
    except subprocess.TimeoutExpired as error:
        raise SubprocessFailed("git timed out after 600 s", "", where) from error
    if done.returncode:
        output = done.stdout.decode("utf-8", "replace")
        last_lines = output.strip().splitlines()[-1:] or [""]
        raise SubprocessFailed(
            f"git failed: {last_lines[0]}", "check address and revision", where, output
        )


def _apply_patch(recipe: Recipe, patch: Line, target: Path) -> None:
    """Apply a patch, with one or no leading folder in its paths, whichever fits."""
    path = (recipe.folder / patch.text).resolve()
    where = patch.where(recipe.path.name)
    if not path.is_relative_to(recipe.folder.resolve()) or not path.is_file():
        raise _missing_error(recipe, patch, path)
    content = path.read_bytes()
    depth = "-p1"
    try:
        _run_git(["-C", str(target), "apply", "--check", "-p1", "-"], where, content)
    except SubprocessFailed:
        depth = "-p0"
    _run_git(["-C", str(target), "apply", depth, "-"], where, content)


def _find_local(recipe: Recipe, location: Line) -> Path:
    path = Path(os.path.normpath(recipe.folder / location.text)).resolve()
    if not path.exists():
        raise _missing_error(recipe, location, path)
    return path


def _missing_error(recipe: Recipe, location: Line, path: Path) -> TwofoldError:
    return TwofoldError(
        f"'{location.text}' does not exist: {path}",
        "paths are relative to the recipe's folder",
        location.where(recipe.path.name),
    )


def _check_hashes(recipe: Recipe, source: Source, path: Path) -> None:
    for name, expected in source.hashes.items():
        with path.open("rb") as file:
            found = hashlib.file_digest(file, name).hexdigest()
        if found != expected:
            raise BadFile(
                f"the source's {name} is {found}, the recipe has {expected}",
                "if the new file is right, write its hash into the recipe",
                source.location.where(recipe.path.name),
            )


def _unpack_or_copy(recipe: Recipe, source: Source, path: Path, target: Path) -> None:
    """Unpack an archive (without its one top folder) or copy a file."""
    if not path.name.lower().endswith(_ARCHIVES):
        shutil.copy(path, target / path.name)
        return
    where = source.location.where(recipe.path.name)
    unpacked = target.parent / f".unpacked-{target.name}"
    unpacked.mkdir(parents=True)
    try:
        (_unzip if path.name.lower().endswith(".zip") else _untar)(path, unpacked, where)
        inside = list(unpacked.iterdir())
        is_single = len(inside) == 1 and inside[0].is_dir() and not source.keeps_top_folder
        top = inside[0] if is_single else unpacked
        for part in top.iterdir():
            shutil.move(part, target / part.name)
    finally:
        shutil.rmtree(unpacked)


def _untar(path: Path, target: Path, where: str) -> None:
    total = 0
    try:
        with tarfile.open(path) as archive:
            for count, member in enumerate(archive):
                total += member.size
                _check_size(total, count, path, where)
                extract_member(archive, member, target)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BadFile(f"the source cannot be unpacked: {error}", "", where) from error


def _unzip(path: Path, target: Path, where: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_size(sum(member.file_size for member in members), len(members), path, where)
            for member in members:
                problem = limits.find_path_problem(member.filename)
                if problem:
                    raise BadFile(problem, "the archive writes outside its folder", where)
                archive.extract(member, target)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise BadFile(f"the source cannot be unpacked: {error}", "", where) from error


def _check_size(total: int, count: int, path: Path, where: str) -> None:
    if count > limits.MEMBERS or limits.is_bomb(total, path.stat().st_size):
        raise BadFile("the source unpacks to far more than its size (archive bomb)", "", where)


_FETCHERS = {"path": _copy_path, "url": _fetch_url, "git": _clone_git}
