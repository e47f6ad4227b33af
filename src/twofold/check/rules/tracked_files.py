"""TF213: the sdist against what git tracks, as check-manifest compares them."""

from __future__ import annotations

from twofold.check.git_listing import GitListing
from twofold.check.rule_table import Violation
from twofold.source_analysis.expressions import expression
from twofold_build.globs import Globs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from twofold.check.context import ProjectContext

#: Files for git, editors, services and locked environments: no sdist is worse without them.
_FOR_DEVELOPERS = expression(
    r"\.[^/]*(?:/.*)?|(?:.*/)?\.(?:git\w+|mailmap|hgignore)|Jenkinsfile|(?:uv|pixi|poetry|pdm)\.lock"
    r"|(?:appveyor|azure-pipelines|bitbucket-pipelines|codecov|readthedocs)\.ya?ml|renovate\.json"
)
#: What backends write into an sdist, whether git tracks a file of that name or not.
_GENERATED = expression(r"PKG-INFO|setup\.cfg|(?:.*/)?[^/]+\.egg-info/.*")
#: So many paths a message lists.
_MAX_LISTED = 6


def unlike_git(context: ProjectContext) -> Iterator[Violation]:
    """TF213: of our own backend's project; of another's only a build shows what it packs."""
    if context.is_complete:
        packed = {file.path for file in context.pack.files}
        settings = context.project.settings
        excluded = [*settings.exclude, *settings.sdist_exclude]
        yield from compare_with_git(GitListing(context.project.root), packed, excluded)


def compare_with_git(
    listing: GitListing, packed: Collection[str], excluded: Collection[str] = ()
) -> Iterator[Violation]:
    """Compare the files of an sdist, by their paths in the project, with what git tracks.

    `excluded` are globs of files that are left out on purpose.
    """
    tracked, others = listing.read()
    globs = Globs(list(excluded))
    missing = [
        path
        for path in sorted(tracked - set(packed))
        if not _FOR_DEVELOPERS.fullmatch(path)
        and not _GENERATED.fullmatch(path)
        and not (globs and globs.match(path))
    ]
    if missing:
        shown = _fold(missing, {path for path in packed if path in tracked})
        yield Violation(
            f"git tracks {_count(missing)} that the sdist lacks: {shown}",
            "name them in [tool.twofold.sdist] include, or in its exclude if they are to stay out; "
            "another backend has settings of its own",
            "pyproject.toml",
        )
    extra = sorted(path for path in others.intersection(packed) if not _GENERATED.fullmatch(path))
    if extra:
        yield Violation(
            f"the sdist holds {_count(extra)} that git does not track: {_fold(extra, tracked)}",
            "add them to git, or leave them out with [tool.twofold] exclude",
            "pyproject.toml",
        )


def _count(paths: Collection[str]) -> str:
    return f"{len(paths)} file{'' if len(paths) == 1 else 's'}"


def _fold(paths: Collection[str], beside: Collection[str]) -> str:
    """List paths, a folder in place of its files where none of the others is in it."""
    from pathlib import PurePosixPath

    used = {str(parent) for path in beside for parent in PurePosixPath(path).parents}
    counts: dict[str, int] = {}
    for path in paths:
        outer = [str(p) for p in PurePosixPath(path).parents if str(p) not in (*used, ".")]
        name = f"{outer[-1]}/" if outer else path
        counts[name] = counts.get(name, 0) + 1
    listed = [f"{n} ({count})" if n.endswith("/") else n for n, count in counts.items()]
    more = len(listed) - _MAX_LISTED
    return ", ".join(listed[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
