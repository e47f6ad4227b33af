"""The version of a release: the one wanted, the files to change for it, and its git tag."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.publish.release.lock_files import compute_pixi_hash, find_locked
from twofold.publish.release.version_place import VersionPlace, parse_toml, read_text
from twofold.publish.release.version_places import WrittenVersion, find_copies, find_version
from twofold_build.atomic import remove_leftovers, write_atomically

#: What raises a version by a word: its parts, its phases before a release, and what follows one.
PARTS = ("major", "minor", "patch")
PHASES = {"alpha": "a", "beta": "b", "rc": "rc"}
WORDS = (*PARTS, *PHASES, "dev", "post", "stable")

#: The version that is written, for a release whose version was set before.
CURRENT = "current"

RELEASE_KEYS = {
    "tag": str,
    "push": bool,
    "sign": bool,
    "before-build": list,
    "before-publish": list,
    "after": list,
    "generated": list,
}

#: What a list of the table holds, for messages.
_LISTS = {"generated": "a list of globs"}


@dataclass(frozen=True)
class FileChange:
    """A file before and after; equal if the new version is written there already."""

    path: Path
    before: bytes
    after: bytes

    def apply(self) -> None:
        """Write the new content."""
        _write(self.path, self.after)

    def revert(self) -> None:
        """Restore the old content."""
        _write(self.path, self.before)


def _write(path: Path, data: bytes) -> None:
    remove_leftovers(path.parent)  # a backend other than ours would pack them
    write_atomically(path, data, path.stat().st_mode & 0o7777)


@dataclass(frozen=True)
class ReleaseTable:
    """`[tool.twofold.release]`: the tag's form, what follows it, and commands on the way.

    `generated` are globs of packed files that git ignores because the build makes them.
    """

    tag: str = ""
    push: bool = False
    sign: bool = False
    hooks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    generated: tuple[str, ...] = ()


def read_release_table(root: Path) -> ReleaseTable:
    """Read `[tool.twofold.release]`; empty without a pyproject.toml or such a table.

        [tool.twofold.release]
        tag = "{name}-v{version}"       # the form of the tag
        push = true                     # push the commit and the tag
        sign = true                     # sign the tag
        before-build = ["make docs"]    # and before-publish, after: commands of the project
        generated = ["src/*/static/**"] # packed although git ignores them: the build makes them

    Raises ProjectErrors for an invalid table.
    """
    file = root / "pyproject.toml"
    table: Any = parse_toml(file, read_text(file)) if file.is_file() else {}
    for key in ("tool", "twofold", "release"):
        table = table.get(key, {}) if isinstance(table, dict) else {}
    where = "pyproject.toml: [tool.twofold.release]"
    if not isinstance(table, dict):
        hint = "write [tool.twofold.release]"
        raise ProjectErrors([Problem("it must be a table", hint, where)])
    problems = []
    for key, value in table.items():
        kind = RELEASE_KEYS.get(key)
        if kind is None:
            hint = f"the keys are: {', '.join(RELEASE_KEYS)}"
            problems.append(Problem(f"unknown key '{key}'", hint, where))
        elif not isinstance(value, kind) or (kind is list and not _are_commands(value)):
            what = {
                str: "a text that ends with {version}",
                bool: "true or false",
                list: _LISTS.get(key, "a list of commands"),
            }[kind]
            problems.append(Problem(f"'{key}' must be {what}", f"correct {key}", where))
    tag = table.get("tag", "")
    if isinstance(tag, str) and "tag" in table and not tag.endswith("{version}"):
        hint = 'write tag = "{name}-v{version}"'
        problems.append(Problem("'tag' must be a text that ends with {version}", hint, where))
    if problems:
        raise ProjectErrors(problems)
    lists = {key: tuple(table.get(key, ())) for key, kind in RELEASE_KEYS.items() if kind is list}
    generated = lists.pop("generated")
    return ReleaseTable(tag, table.get("push", False), table.get("sign", False), lists, generated)


def _are_commands(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one.strip() for one in value)


@dataclass(frozen=True)
class VersionPlan:
    """How a version is set: files to change, or (`is_from_tag`) a git tag.

    `files` are all files with the version, including those that have the new one already.
    """

    name: str
    old: str
    new: str
    changes: tuple[FileChange, ...]
    files: tuple[Path, ...]
    is_from_tag: bool
    tag: str
    is_part: bool

    @property
    def subject(self) -> str:
        """The version, with the name where the repository may have other packages."""
        return f"{self.name} {self.new}" if self.is_part else self.new

    @property
    def title(self) -> str:
        """The message of the commit."""
        return f"Release {self.subject}"

    @property
    def already_current(self) -> tuple[Path, ...]:
        """The files that have the new version already."""
        changed = {change.path for change in self.changes}
        return tuple(path for path in self.files if path not in changed)


def read_version(root: Path) -> WrittenVersion:
    """The name and the version of a project; raises TwofoldError if neither can be found."""
    found = find_version(root)
    if not found.places and found.tag_prefix is None:
        raise TwofoldError(
            "no version was found in pyproject.toml, setup.cfg, setup.py or the code",
            "write version in [project], or set it by hand where a program computes it",
            str(root / "pyproject.toml"),
        )
    found.name = found.name or root.resolve().name
    return found


def get_current_version(root: Path, found: WrittenVersion) -> str:
    """The version that is written, or that of the highest tag of the branch; '' without one."""
    if found.tag_prefix is None:
        return found.version
    tags = list_version_tags(root, found.tag_prefix)
    return str(max(tags.values())) if tags else ""


def list_version_tags(root: Path, prefix: str) -> dict[str, Version]:
    """The tags of this branch that are the prefix and a version."""
    command = ["git", "-C", str(root), "tag", "--merged", "HEAD", "--list", f"{prefix}[0-9]*"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", check=False
        )
    except FileNotFoundError:  # without git there are no tags
        return {}
    found = {}
    for tag in done.stdout.split():
        try:
            found[tag] = Version(tag.removeprefix(prefix))
        except InvalidVersion:
            continue
    return found


def plan_version(root: Path, wanted: str) -> VersionPlan:
    """Find what must change to make `wanted` the project's version. Nothing is written.

    `wanted` is a version, one of WORDS, or CURRENT. Raises ProjectErrors for an invalid or
    lower version, and TwofoldError for a project whose version cannot be found.
    """
    found = read_version(root)
    old = get_current_version(root, found)
    wanted = old if wanted == CURRENT and old else wanted
    new = _check_version(raise_version(old, wanted) if wanted in WORDS else wanted, old)
    # What the build reads comes last: an interrupted run can still find the old version in it.
    copies = [*find_copies(root, found, (old, new)), *find_locked(root, found.name)]
    places = [*copies, *found.places]
    changes = _make_changes(places, new)
    _update_pixi_hash(root, changes)
    real = tuple(change for change in changes if change.before != change.after)
    tag = format_tag(root, found, new)
    paths = tuple(change.path for change in changes)
    return VersionPlan(
        found.name, old, new, real, paths, found.tag_prefix is not None, tag, is_part(root)
    )


def format_tag(root: Path, found: WrittenVersion, version: str) -> str:
    """The tag of a version: `v1.2.0`; `NAME-v1.2.0` where the project is not the repository's root.

    `tag` of [tool.twofold.release] has another form; a version from tags has their prefix.
    """
    if found.tag_prefix is not None:
        return f"{found.tag_prefix}{version}"
    form = read_release_table(root).tag
    if not form:
        form = "{name}-v{version}" if is_part(root) else "v{version}"
    return form.replace("{name}", found.name).replace("{version}", version)


def is_part(root: Path) -> bool:
    """Whether a project is not the root of its repository, which may hold others then."""
    return not (root / ".git").exists() and any((p / ".git").exists() for p in root.parents)


def _make_changes(places: Sequence[VersionPlace], new: str) -> list[FileChange]:
    """One change a file, in the order of the places."""
    by_path: dict[Path, list[VersionPlace]] = {}
    for place in places:
        by_path.setdefault(place.path, []).append(place)
    changes = []
    for path, own in by_path.items():
        text = own[0].text
        for place in sorted(own, key=lambda place: -place.start):
            text = text[: place.start] + place.render(new) + text[place.end :]
        before = own[0].text.encode("utf-8", errors="surrogateescape")
        changes.append(FileChange(path, before, text.encode("utf-8", errors="surrogateescape")))
    return changes


def _update_pixi_hash(root: Path, changes: list[FileChange]) -> None:
    """pixi.lock has a hash of pyproject.toml beside the version."""
    for change in changes:
        if change.path == root / "pyproject.toml":
            old, new = (compute_pixi_hash(b.decode()) for b in (change.before, change.after))
            changes[:] = [
                FileChange(one.path, one.before, one.after.replace(old.encode(), new.encode()))
                if one.path.name == "pixi.lock"
                else one
                for one in changes
            ]
            return


def raise_version(old: str, word: str) -> str:
    """Raise a version by a word.

    A pre-release is finished by the part it leads to: 1.3.0rc1 becomes 1.3.0 by `minor`, `patch`
    and `stable`. `rc`, `dev` and the like begin the next patch, or count on.
    """
    if not old:
        raise TwofoldError(
            f"'{word}' raises a version, but the project has no version yet", "write it: 0.1.0"
        )
    version = Version(old)
    epoch = f"{version.epoch}!" if version.epoch else ""
    numbers = list(version.release)
    if word in PARTS:
        return epoch + ".".join(map(str, _raise_part(version, numbers, PARTS.index(word))))
    base = epoch + ".".join(map(str, numbers))
    if word == "stable":
        return base
    if word == "post":
        return f"{base}.post{(version.post or 0) + 1 if version.post is not None else 0}"
    if not version.is_prerelease:
        base = epoch + ".".join(map(str, _raise_part(version, numbers, 2)))
    phase, count = version.pre or ("", 0)
    if word == "dev":
        if version.dev is not None:
            return f"{old.partition('.dev')[0]}.dev{version.dev + 1}"
        return f"{base}{phase}{count + 1}.dev0" if phase else f"{base}.dev0"
    mark = PHASES[word]
    if phase == mark:
        return f"{base}{mark}{count if version.dev is not None else count + 1}"
    if phase > mark:
        raise TwofoldError(f"{old} is already past '{word}'", "raise another part of the version")
    return f"{base}{mark}1"


def _raise_part(version: Version, numbers: list[int], part: int) -> list[int]:
    numbers = numbers + [0] * (part + 1 - len(numbers))
    if version.is_prerelease and not any(numbers[part + 1 :]):
        return numbers
    return [*numbers[:part], numbers[part] + 1, *[0] * (len(numbers) - part - 1)]


def _check_version(wanted: str, old: str) -> str:
    where = "twofold release"
    try:
        version = Version(wanted)
    except InvalidVersion:
        known = f"the current version is {old or 'unknown'}"
        hint = f"{known}; write the new one like 1.2.0 (PEP 440), or one of: {', '.join(WORDS)}"
        raise ProjectErrors([Problem(f"'{wanted}' is not a version", hint, where)]) from None
    if version.local:
        hint = "remove the part after +"
        raise ProjectErrors([Problem(f"'{wanted}' is a local version", hint, where)])
    if old and _is_version(old) and version < Version(old):
        hint = "choose a higher version: installers prefer the highest"
        raise ProjectErrors(
            [Problem(f"{wanted} is lower than the current version {old}", hint, where)]
        )
    return str(version)


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
