"""`.gitignore` is read as git reads it: git itself is asked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories.sample_projects import git
from twofold_build.globs import Globs
from twofold_build.ignore import IgnoreRules, load_ignore_rules
from twofold_build.plan import make_plan

FILES = [
    "a.py", "b.txt", "key.secret", "build/x.py", "build/deep/y.txt", "src/a.py", "src/build/z.py",
    "src/pkg/a.txt", "src/pkg/b.secret", "docs/one/two/three.md", "docs/a.md", "we ird.txt", "#x",
]  # fmt: skip


def ignored_by_us(root: Path, files: list[str]) -> set[str]:
    """Walk as the backend does: what lies in an ignored folder is not looked at."""
    found = set()
    for path in files:
        ignore: IgnoreRules = load_ignore_rules(str(root))
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            here = "/".join(parts[:depth])
            if ignore.explain(here, is_folder=depth < len(parts)):
                found.add(path)
                break
            if depth < len(parts):
                ignore = ignore.enter(here, str(root / here))
    return found


def ignored_by_git(root: Path, files: list[str]) -> set[str]:
    done = subprocess.run(
        ["git", "-c", "core.excludesFile=", "check-ignore", "--no-index", "-z", "--stdin"],
        cwd=root,
        input="\0".join(files) + "\0",
        capture_output=True,
        text=True,
        check=False,
    )
    return {path for path in done.stdout.split("\0") if path}


def layout(root: Path) -> Path:
    for path in FILES:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    git(root, "init", "-q")
    return root


@pytest.mark.parametrize(
    "lines",
    [
        ["*.secret"],
        ["build"],
        ["build/"],
        ["/build"],
        ["/a.py"],
        ["src/build"],
        ["**/build"],
        ["src/**"],
        ["docs/**/three.md"],
        ["docs/*"],
        ["docs/*", "!docs/a.md"],
        ["*.py", "!a.py"],
        ["!a.py", "*.py"],
        ["*", "!*/", "!*.py"],
        ["src/pkg/*.[ts]*"],
        ["[!a].py"],
        ["?.txt"],
        ["\\#x"],
        ["#x"],
        ["we ird.txt   "],
        ["we\\ ird.txt"],
        ["/docs/one/"],
        ["one/two"],
        ["**/two/**"],
        ["***/*"],
        ["src/***"],
        ["a***.py"],
        ["*", "!/src**"],
        ["/src**/a.py"],
        ["do**/three.md"],
        ["s/r**"],
        ["a.*", "b.*", "!b.txt"],
        ["build/**", "!build/x.py"],
        ["[", "a[", "]"],
    ],
)
def test_a_gitignore_is_read_as_git_reads_it(lines: list[str], tmp_path: Path) -> None:
    root = layout(tmp_path)
    (root / ".gitignore").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert ignored_by_us(root, FILES) == ignored_by_git(root, FILES)


def test_a_range_that_goes_backwards_takes_nothing(tmp_path: Path) -> None:
    root = layout(tmp_path)
    (root / ".gitignore").write_text("[m-b].py\n")
    assert ignored_by_us(root, FILES) == set()


def test_a_byte_order_mark_before_the_first_pattern_is_skipped_as_git_does(
    tmp_path: Path,
) -> None:
    root = layout(tmp_path)
    (root / ".gitignore").write_text("\ufeff*.secret\n", encoding="utf-8")
    assert ignored_by_us(root, FILES) == ignored_by_git(root, FILES) != set()


def test_the_nearer_gitignore_wins(tmp_path: Path) -> None:
    root = layout(tmp_path)
    (root / ".gitignore").write_text("*.secret\n*.md\n")
    (root / "src" / ".gitignore").write_text("!*.secret\n/pkg/*.txt\n")
    assert ignored_by_us(root, FILES) == ignored_by_git(root, FILES)
    assert "src/pkg/b.secret" not in ignored_by_us(root, FILES)


def test_the_gitignore_of_the_repository_around_the_project_holds(tmp_path: Path) -> None:
    root = layout(tmp_path)
    (root / ".gitignore").write_text("/src/pkg/a.txt\n*.secret\n/a.py\n")
    assert ignored_by_us(root / "src", ["a.py", "pkg/a.txt", "pkg/b.secret"]) == {
        "pkg/a.txt",
        "pkg/b.secret",
    }


_PIECES = st.sampled_from(["*", "**", "?", "/", "a", "src", "build", "docs", ".py", ".txt", "[ab]"])
_LINE = st.tuples(st.sampled_from(["", "!", "/"]), st.lists(_PIECES, min_size=1, max_size=4)).map(
    lambda parts: parts[0] + "".join(parts[1])
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(_LINE, min_size=1, max_size=4))
def test_any_gitignore_is_read_as_git_reads_it(tmp_path: Path, lines: list[str]) -> None:
    root = tmp_path / "root"
    if not root.exists():
        root.mkdir()
        layout(root)
    (root / ".gitignore").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert ignored_by_us(root, FILES) == ignored_by_git(root, FILES)


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("docs/**", "docs/a/b.md", True),
        ("docs/**", "docs", False),
        ("docs", "docs/a.md", True),
        ("docs/", "docs/a.md", True),
        ("*.md", "a.md", True),
        ("*.md", "docs/a.md", False),
        ("**/*.md", "a.md", True),
        ("**/*.md", "docs/one/a.md", True),
        ("a?.py", "ab.py", True),
        ("a[0-9].py", "a7.py", True),
        ("a[!0-9].py", "a7.py", False),
        ("./docs/*.md", "docs/a.md", True),
        ("doc", "docs/a.md", False),
        ("**", "any/thing", True),
        ("a.b", "axb", False),
    ],
)
def test_globs_match_as_documented(glob: str, path: str, matches: bool) -> None:
    assert bool(Globs([glob]).match(path)) is matches


def test_a_file_named_in_an_ignored_folder_brings_nothing_else_of_it(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[project]\nname = 'p'\nversion = '1'\n[tool.twofold]\nexclude = ['p/old']\n"
        "include = ['p/gen/**/*.json', 'p/old/a.json', '**/wanted.txt']\n"
    )
    (tmp_path / ".gitignore").write_text("gen/\n/p/data\n")
    names = ["gen/a.json", "gen/in/b.json", "gen/key.txt", "gen/in/own.py", "data/wanted.txt"]
    for name in ["__init__.py", *names, "data/other.txt", "old/a.json", "old/b.py", "kept.txt"]:
        path = tmp_path / "p" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    packed = {path for file in make_plan(tmp_path).selection.files for path in file.wheel}
    assert packed == {
        "p/__init__.py", "p/kept.txt", "p/gen/a.json", "p/gen/in/b.json", "p/data/wanted.txt",
        "p/old/a.json",
    }  # fmt: skip
