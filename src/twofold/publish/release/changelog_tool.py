"""towncrier or scriv, where a project writes its changelog with one of them: files and command.

Both turn fragments, one file a change, into a section of the changelog. Their own configuration is
read: towncrier.toml or `[tool.towncrier]`, and for scriv `[tool.scriv]`, setup.cfg, tox.ini or
changelog.d/scriv.ini.
"""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.errors import SubprocessFailed, TwofoldError
from twofold.publish.release.version_place import parse_toml, read_text


@dataclass(frozen=True)
class ChangelogTool:
    """A tool, the folder of its fragments, and the file it writes.

    The path of `changelog` contains `{version}` where each release has a file of its own.
    """

    name: str
    fragments: Path
    changelog: Path

    def get_changelog(self, version: str) -> Path:
        """The file that has the section of a version."""
        return Path(str(self.changelog).replace("{version}", version))

    @property
    def has_one_file(self) -> bool:
        """Whether all versions are in one file."""
        return "{version}" not in str(self.changelog)

    def list_files(self, version: str) -> list[Path]:
        """The changelog and the fragments: what the tool may change."""
        fragments = [path for path in self.fragments.rglob("*") if path.is_file()]
        return [self.get_changelog(version), *sorted(fragments)]

    def owns(self, path: Path, version: str) -> bool:
        """Whether a file is the changelog or a fragment, one that the tool has removed too."""
        resolved = path.resolve()
        is_fragment = resolved.is_relative_to(self.fragments.resolve())
        return is_fragment or resolved == self.get_changelog(version).resolve()

    def run(self, root: Path, version: str) -> None:
        """Write the section of a version.

        Raises TwofoldError if the tool is not installed, SubprocessFailed if it fails.
        """
        verb = ["build", "--yes"] if self.name == "towncrier" else ["collect"]
        command = [_find_program(self.name), *verb, "--version", version]
        done = subprocess.run(
            command, cwd=root, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        if done.returncode != 0:
            shown = shlex.join([self.name, *command[1:]])
            raise SubprocessFailed(
                f"'{shown}' failed",
                "correct it, or pass --no-changelog",
                output=done.stdout + done.stderr,
            )


def _find_program(name: str) -> str:
    """The program on PATH, or beside this Python, whose environment may not be activated."""
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        hint = f"install it: pip install {name}; or pass --no-changelog"
        raise TwofoldError(f"{name} is not installed", hint)
    return found


def find_changelog_tool(root: Path) -> ChangelogTool | None:
    """The tool that writes the changelog of a project; None for a project without one."""
    for name in ("towncrier.toml", "pyproject.toml"):
        table = _read_toml(root / name).get("towncrier")
        if isinstance(table, dict):
            return _read_towncrier(root, table)
    scriv = _read_scriv(root)
    if scriv is None:
        return None
    ending = str(scriv.get("format", "rst"))
    written = scriv.get("changelog") or scriv.get("output_file") or f"CHANGELOG.{ending}"
    changelog = root / str(written).replace("${config:format}", ending)
    return ChangelogTool(
        "scriv", root / str(scriv.get("fragment_directory", "changelog.d")), changelog
    )


def _read_toml(file: Path) -> dict[str, Any]:
    """The tables below [tool] of a TOML file; empty without it."""
    tables = parse_toml(file, read_text(file)).get("tool", {}) if file.is_file() else {}
    return tables if isinstance(tables, dict) else {}


def _read_towncrier(root: Path, table: dict[str, Any]) -> ChangelogTool:
    folder = root / "newsfragments"
    if table.get("directory"):
        folder = root / str(table["directory"])
    elif table.get("package"):
        parts = str(table["package"]).split(".")
        folder = root.joinpath(str(table.get("package_dir", ".")), *parts, "newsfragments")
    return ChangelogTool("towncrier", folder, root / str(table.get("filename", "NEWS.rst")))


def _read_scriv(root: Path) -> dict[str, Any] | None:
    """scriv's settings, of which those of its own file come last; None if it is not configured."""
    found: dict[str, Any] | None = None
    for name in ("setup.cfg", "tox.ini", "pyproject.toml", "changelog.d/scriv.ini"):
        settings = (
            _read_toml(root / name).get("scriv")
            if name.endswith(".toml")
            else _read_ini(root / name)
        )
        if isinstance(settings, dict):
            found = {**(found or {}), **settings}
    return found


def _read_ini(file: Path) -> dict[str, str] | None:
    if not file.is_file():
        return None
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(read_text(file))
    except configparser.Error as error:
        reason = str(error).partition("\n")[0]
        raise TwofoldError(f"it is not valid: {reason}", "correct it", str(file)) from error
    section = next((name for name in ("scriv", "tool.scriv") if parser.has_section(name)), "")
    return dict(parser[section]) if section else None
