"""Steps of a release: hooks, changelog, what git does not know, commit, tag and push; and undo."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
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
from twofold.publish.release.changelog_tool import find_changelog_tool
from twofold.publish.release.version import FileChange, ReleaseTable, VersionPlan

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
        """Undo every step, then report each: stderr may be a pipe that is closed."""
        reports = []
        while self._steps:
            what, undo = self._steps.pop()
            try:
                undo()
            except (OSError, TwofoldError) as error:  # the other steps are still undone
                reports.append(f"NOT restored: {what}: {error}")
            else:
                reports.append(f"restored: {what}")
        for report in reports:
            self._say(report)


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
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            message = f"the command '{command}' failed with exit code {done.returncode}"
            hint = f"correct {when} of [tool.twofold.release]"
            raise SubprocessFailed(message, hint, output=done.stdout)


def _restore_files(root: Path, before: Mapping[Path, bytes | None]) -> None:
    """Make files as they were (None: not there), and take them out of git's index again."""
    for path, data in before.items():
        if data is None:
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    if before and git.is_repository(root):
        git.unstage(root, list(before))


def plan_changelog(root: Path, planned: VersionPlan, today: date) -> VersionPlan:
    """Add the change of the changelog: its unreleased section gets the version and the date."""
    file = find_changelog(root)
    if file is None or find_changelog_tool(root) is not None:
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
    tool = find_changelog_tool(root)
    if tool is None:
        return
    changelog = tool.get_changelog(planned.new)
    # After an interruption the section is there already.
    if changelog.is_file() and (
        not tool.has_one_file or not find_changelog_problem(root, planned.new)
    ):
        return
    files = tool.list_files(planned.new)
    before = {path: path.read_bytes() if path.is_file() else None for path in files}
    undo.add("changelog", lambda: _restore_files(root, before))
    changelog.parent.mkdir(parents=True, exist_ok=True)
    tool.run(root, planned.new)
    if git.is_repository(root) and changelog.is_file():
        git.stage(root, changelog)  # a new one would be packed, but no commit would hold it
    say(f"changelog written by {tool.name}")


def commit_and_tag(root: Path, planned: VersionPlan, table: ReleaseTable, say: Say) -> None:
    """Commit what the release has changed, tag it, and push both where asked."""
    try:
        dirty = set(git.find_changed_files(root))
        changed = [path for path in planned.files if path.resolve() in dirty]
        tool = find_changelog_tool(root)
        if tool is not None:
            changed += [path for path in dirty if tool.owns(path, planned.new)]
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
