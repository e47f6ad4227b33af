"""The rules that stop a build, on the path of every `twofold build`: so each import counts here."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.finding import Finding
    from twofold_build.files import Pack
    from twofold_build.project import Project


def build_errors(root: str, project: Project, pack: Pack | None = None) -> list[Finding]:
    """The errors found in what would be packed, in the order of files and lines."""
    from twofold.check.finding import Finding

    if pack is None:
        pack = _pack(project)
    errors = []
    for file in pack.files:
        if not file.path.endswith(".py"):
            continue
        with open(file.source, "rb") as stream:  # noqa: PTH123 (pathlib costs a small build 6 ms)
            source = stream.read()
        try:
            compile(source, file.path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", 0)
            where = f"{file.path}:{line}" if line else file.path
            errors.append(Finding("TF101", "error", f"syntax error: {error}", "mend it", where))
    return errors


def _pack(project: Project) -> Pack:
    from twofold_build.files import collect
    from twofold_build.mistakes import Mistakes

    mistakes = Mistakes.of(project.root)
    pack = collect(project, mistakes)
    mistakes.tell()
    return pack
