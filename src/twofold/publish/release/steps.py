"""Steps of a release: hooks, changelog, what git does not know, commit, tag and push; and undo."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from twofold.errors import SubprocessFailed, TwofoldError
from twofold.publish.release import git
from twofold.publish.release.changelog import (
    date_unreleased,
    find_changelog,
    find_changelog_problem,
)
from twofold.publish.release.version import FileChange, ReleaseTable, VersionPlan
from twofold.publish.release.version_places import parse_toml, read_text

#: Prints a message about a step that is not an upload.
Say = Callable[[str], None]


class Rollback:
    """Completed steps that can be undone, newest first."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._steps: list[tuple[str, Callable[[], None]]] = []

    def add(self, what: str, undo: Callable[[], None]) -> None:
        """Add a completed step with its undo."""
        self._steps.append((what, undo))

    def keep(self) -> None:
        """Keep all steps done so far."""
        self._steps.clear()

    def all(self) -> None:
        """Undo every step; those that fail are reported."""
        while self._steps:
            what, undo = self._steps.pop()
            try:
                undo()
            except (OSError, TwofoldError) as error:  # the other steps are still undone
                self._say(f"NOT restored: {what}: {error}")
            else:
                self._say(f"restored: {what}")


def run_hooks(root: Path, table: ReleaseTable, when: str, planned: VersionPlan, say: Say) -> None:
    """Run the commands of `[tool.twofold.release]` in the project's folder, one after another.

    They get TWOFOLD_NAME, TWOFOLD_VERSION and TWOFOLD_TAG. Raises SubprocessFailed.
    """
    own = {
        "TWOFOLD_NAME": planned.name,
        "TWOFOLD_VERSION": planned.new,
        "TWOFOLD_TAG": planned.tag,
    }
    for command in table.hooks.get(when, ()):
        say(f"{when}: {command}")
        done = subprocess.run(
            command,
            shell=True,
            cwd=root,
            env={**os.environ, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            message = f"the command '{command}' failed with exit code {done.returncode}"
            hint = f"correct {when} of [tool.twofold.release]"
            raise SubprocessFailed(message, hint, output=done.stdout)


def find_changelog_tool(root: Path, version: str) -> list[str]:
    """The command that writes the changelog of a project with towncrier or scriv; [] for others."""
    file = root / "pyproject.toml"
    tool = parse_toml(file, read_text(file)).get("tool", {}) if file.is_file() else {}
    if "towncrier" in tool or (root / "towncrier.toml").is_file():
        return ["towncrier", "build", "--yes", "--version", version]
    if "scriv" in tool or (root / "changelog.d" / "scriv.ini").is_file():
        return ["scriv", "collect", "--version", version]
    return []


def run_changelog_tool(root: Path, command: Sequence[str]) -> None:
    """Run towncrier or scriv. Raises SubprocessFailed."""
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        hint = f"install it: pip install {command[0]}; or pass --no-changelog"
        raise TwofoldError(f"{command[0]} is not installed", hint) from error
    if done.returncode != 0:
        output = done.stdout + done.stderr
        raise SubprocessFailed(
            f"'{shlex.join(command)}' failed", "correct it, or pass --no-changelog", output=output
        )


def list_changelog_files(root: Path) -> list[Path]:
    """The changelog and the fragments that its tool reads: what a release may change of them."""
    folders, files = _find_changelog_places(root)
    fragments = [
        path
        for folder in folders
        if folder.is_dir()
        for path in folder.rglob("*")
        if path.is_file()
    ]
    return [file for file in dict.fromkeys([*files, *fragments]) if file.is_file()]


def is_changelog_file(root: Path, path: Path) -> bool:
    """Whether a file is the changelog or a fragment, one that its tool has removed too."""
    folders, files = _find_changelog_places(root)
    resolved = path.resolve()
    return resolved in {file.resolve() for file in files} or any(
        resolved.is_relative_to(folder.resolve()) for folder in folders
    )


def _find_changelog_places(root: Path) -> tuple[list[Path], list[Path]]:
    """The folders of fragments, and the files that the tool writes."""
    file = root / "pyproject.toml"
    tool = parse_toml(file, read_text(file)).get("tool", {}) if file.is_file() else {}
    towncrier, scriv = tool.get("towncrier", {}), tool.get("scriv", {})
    folder = towncrier.get("directory") or scriv.get("fragment_directory")
    folders = [root / name for name in (folder, "newsfragments", "changelog.d") if name]
    changelog = find_changelog(root)
    named = [root / towncrier["filename"]] if "filename" in towncrier else []
    return folders, [*named, *([changelog] if changelog else [])]


def restore_files(root: Path, before: Mapping[Path, bytes]) -> None:
    """Write files back as they were, and take them out of git's index again."""
    for path, data in before.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if before and git.is_repository(root):
        git.unstage(root, list(before))


def plan_changelog(root: Path, planned: VersionPlan, today: date) -> VersionPlan:
    """Add the change of the changelog: its unreleased section gets the version and the date."""
    file = find_changelog(root)
    if file is None or find_changelog_tool(root, planned.new):
        return planned
    tags = (planned.tag.replace(planned.new, planned.old), planned.tag)
    after = date_unreleased(root, planned.new, tags, today)
    if after is None:
        # After an interruption the section is there already, and not committed yet.
        is_again = planned.old == planned.new and not planned.changes
        return replace(planned, files=(file, *planned.files)) if is_again else planned
    change = FileChange(file, file.read_bytes(), after)
    changes = (change, *planned.changes)
    return replace(planned, changes=changes, files=(file, *planned.files))


def collect_fragments(root: Path, planned: VersionPlan, undo: Rollback, say: Say) -> None:
    """Let towncrier or scriv write the changelog, if the project uses one of them."""
    command = find_changelog_tool(root, planned.new)
    if not command or not find_changelog_problem(root, planned.new):
        return
    before = {path: path.read_bytes() for path in list_changelog_files(root)}
    undo.add("changelog", lambda: restore_files(root, before))
    run_changelog_tool(root, command)
    say(f"changelog written by {command[0]}")


def commit_and_tag(root: Path, planned: VersionPlan, table: ReleaseTable, say: Say) -> None:
    """Commit what the release has changed, tag it, and push both where asked."""
    try:
        dirty = set(git.find_changed_files(root))
        changed = [path for path in planned.files if path.resolve() in dirty]
        if find_changelog_tool(root, planned.new):
            changed += [path for path in dirty if is_changelog_file(root, path)]
        if changed:
            git.commit(root, list(dict.fromkeys(changed)), planned.title)
        if not git.find_tag(root, planned.tag):
            git.make_tag(root, planned.tag, planned.subject, signed=table.sign)
    except SubprocessFailed as error:
        why = error.problems[0].message
        raise SubprocessFailed(
            f"{planned.new} is published, but not yet tagged {planned.tag}: {why}",
            "fix git's error above and run the same command again: it commits and tags, and "
            "uploads nothing twice",
            output=error.output,
        ) from error
    if not table.push:
        say(f"tagged {planned.tag}; push it with: git push --follow-tags")
        return
    try:
        say(f"tagged {planned.tag}, pushed to {git.push(root, planned.tag)}")
    except SubprocessFailed as error:
        raise SubprocessFailed(
            f"{planned.new} is published and tagged {planned.tag}, but not pushed",
            f"fix git's error above, then push: git push --atomic origin HEAD {planned.tag}",
            output=error.output,
        ) from error
