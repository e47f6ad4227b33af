"""TF202 to TF207: what does not belong into a package, and packages with nothing in them."""

from __future__ import annotations

from collections.abc import Iterator

from twofold.check.rule_table import WARNING, Violation
from twofold.formats.portable_names import find_unportable
from twofold.source_analysis.expressions import expression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import ProjectContext, SourceCode

_JUNK = {
    r"(?:.*/)?(?:\.DS_Store|Thumbs\.db|desktop\.ini|\.directory)": "what a file manager left",
    r".*\.(?:swp|swo|bak|orig|rej|tmp|temp)|.*~|(?:.*/)?\.?#.*": "what an editor left",
    r"(?:.*/)?__pycache__/.*|.*\.py[co]": "compiled code",
    r"(?:.*/)?\.coverage(?:\..*)?": "what a test run left",
    r"(?:.*/)?\.(?:tox|nox|pytest_cache|mypy_cache)/.*": "what a test run left",
    r"(?:.*/)?\.(?:git|hg|svn)/.*": "version control",
    r"(?:.*/)?(?:node_modules|\.venv|\.idea|\.vscode|\.ipynb_checkpoints)/.*": "a tool's own files",
    r".*\.log|(?:.*/)?nohup\.out|(?:.*/)?core\.\d+": "what a run left",
    r".*\.(?:whl|egg|conda)|.*\.egg-info/.*": "a built package",
}
_COMPILED = [(expression(pattern), what) for pattern, what in _JUNK.items()]
#: Nearly every path ends so, or without any ending, and has no part of any form of junk.
_PLAIN_ENDINGS = (".py", ".pyi", ".toml", ".md", ".rst", ".txt", ".json")
_SIGNS = ("/.", "#", "__pycache__/", "node_modules/", ".egg-info/")
#: Names of folders beside a package that are packed by accident.
_GENERIC_WORDS = """
    tests test testing docs doc examples example benchmarks scripts tools src build dist setup
    conftest noxfile
"""
_GENERIC_NAMES = frozenset(_GENERIC_WORDS.split())
#: What compilers and tools leave beside the sources.
_PRODUCT = expression(
    r".*(?:\.(?:so|pyd|dylib|dll|o|obj|a|lib|c|cpp|pyc|coverage|egg-info/?)|__pycache__/?|"
    r"/\.[^/]+/?|cache/?)"
)
#: How extension modules are named: for one version of Python, or for one platform's stable ABI.
_OF_ONE_PYTHON = expression(r"\.(?:cpython-|cp\d|pypy|abi3)[\w-]*\.(?:so|pyd)$|\.pyd$")


def junk(code: SourceCode) -> Iterator[Violation]:
    """TF202. What setuptools (.egg-info) and uv put into sdists is not junk."""
    for path in code.files:
        inside = code.inner_path(path)
        # uv keeps the file that it rewrites; in a project it is an editor's or a merge's.
        is_uvs = inside == "pyproject.toml.orig" and inside != path
        is_backends = is_uvs or ".egg-info/" in path
        if is_backends and code.is_only_in_sdist(path):
            continue
        what = junk_kind(inside)
        if what:
            yield Violation(
                f"it looks like {what}",
                f'leave it out: [tool.twofold] exclude = ["{inside}"]',
                path,
            )


def junk_kind(path: str) -> str:
    """What kind of junk an inner path looks like, or ''."""
    name = path.rpartition("/")[2]
    is_plain = path.endswith(_PLAIN_ENDINGS) or ("." not in name and name[-1:] != "~")
    if is_plain and not any(sign in f"/{path}" for sign in _SIGNS):
        return ""
    return next((what for pattern, what in _COMPILED if pattern.fullmatch(path)), "")


def empty_package(context: ProjectContext) -> Iterator[Violation]:
    """TF203. Of another backend's project it is not known here what goes in."""
    if not context.is_complete:
        return
    packed = [path for file in context.pack.files for path in file.wheel]
    is_metapackage = context.project.settings.modules == []
    if not is_metapackage and not any(is_code(path) or ".data/" in path for path in packed):
        yield Violation(
            "nothing that can be imported would be packed",
            _git_ignore_hint(context)
            or "correct [tool.twofold] exclude and [tool.twofold.wheel] exclude, or name the "
            "modules with [tool.twofold] modules",
            context.location("name"),
        )
    for module in context.pack.modules:
        if module.is_folder and not any(_is_below(path, module.name) for path in packed):
            yield Violation(
                f"the package '{module.name}' would be packed without any module of it",
                _git_ignore_hint(context) or "correct the excludes in [tool.twofold]",
                context.location("name"),
            )


def _git_ignore_hint(context: ProjectContext) -> str:
    """The hint where it is a .gitignore that leaves out the code, or ''."""
    for path, why in context.pack.left_out:
        if why.startswith("ignored by ") and is_code(path):
            return f"{path} is {why}: change that, or name it in [tool.twofold] include"
    return ""


def ignored_file(context: ProjectContext) -> Iterator[Violation]:
    """TF212: files in a package's own folder that git ignores, as generated ones are.

    What another backend does with them is not known here. One finding for each ignore rule.
    """
    if not context.is_complete:
        return
    folders = tuple(f"{module.path}/" for module in context.pack.modules if module.is_folder)
    by_rule: dict[str, list[str]] = {}
    for path, why in context.pack.left_out:
        is_product = junk_kind(path) or _PRODUCT.fullmatch(path)
        if why.startswith("ignored by ") and path.startswith(folders) and not is_product:
            by_rule.setdefault(why, []).append(path)
    for why, paths in by_rule.items():
        more = f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""
        glob = f"{paths[0]}**" if paths[0].endswith("/") else paths[0]
        yield Violation(
            f"it is in the package's folder and not packed{more}: it is {why}",
            f'if the package needs it, write [tool.twofold] include = ["{glob}"]',
            paths[0],
        )


def unportable_name(code: SourceCode) -> Iterator[Violation]:
    """TF207. What is in the sdist alone is no error: few ever unpack it."""
    paths = {code.inner_path(path): path for path in code.files}
    for one in find_unportable(paths):
        path = paths[one.path]
        yield Violation(
            one.message,
            f'rename it, or leave it out: [tool.twofold] exclude = ["{one.path}"]',
            path,
            severity=WARNING if code.is_only_in_sdist(path) else "",
        )


def crowded_name(code: SourceCode) -> Iterator[Violation]:
    """TF205"""
    seen: set[str] = set()
    for name, module in sorted(code.modules.items()):
        top = name.partition(".")[0]
        if top in _GENERIC_NAMES and top not in seen and top != code.name.lower():
            seen.add(top)
            yield Violation(
                f"'{top}' would be installed beside the packages of all other projects, and take "
                "the place of any other of that name",
                "leave it out of what is packed: [tool.twofold] modules names what goes in; "
                'setuptools looks for packages with exclude = ["tests*"]',
                module.path,
            )


def compiled_module(context: ProjectContext) -> Iterator[Violation]:
    """TF206: what twofold_build packs is for every platform."""
    if not context.is_complete:
        return
    files = context.pack.files
    compiled = [file.path for file in files if any(map(is_compiled, file.wheel))]
    for path in compiled:
        yield Violation(
            "it is compiled for one platform, and the wheel says that it runs on all",
            f'leave it out: [tool.twofold] exclude = ["{path}"]; to build it for each '
            "platform, keep setuptools or another backend that compiles",
            path,
            severity=severity_of(path, compiled),
        )


def severity_of(path: str, compiled: list[str]) -> str:
    """The severity of a compiled file; '' for that of the rule.

    Libraries (plain .so, .dll) may be there for several platforms, and so may what has several
    endings.
    """
    endings = {one.rpartition(".")[2] for one in compiled}
    return "" if _OF_ONE_PYTHON.search(path) and len(endings) == 1 else WARNING


def is_compiled(path: str) -> bool:
    """Whether a member of a wheel is a module or a library in machine code."""
    return path.endswith((".so", ".pyd", ".dylib", ".dll")) and ".data/" not in path


def modules_not_known(context: ProjectContext) -> Iterator[Violation]:
    """TF204: of another backend's project, whose modules are then not judged, or not all."""
    backend = context.project.backend.partition(".")[0]
    if context.unknown:
        message = f"which modules {backend} packs is computed when it is built"
    elif not context.is_complete and not context.modules:
        message = f"no module was found that {backend} would pack"
    else:
        return
    yield Violation(
        f"{message}: they are not judged",
        "build the project, and judge what was built: twofold check dist/*",
        context.unknown or context.location("name"),
    )


def _is_below(path: str, module: str) -> bool:
    return path.startswith(module.replace(".", "/") + "/") and is_code(path)


def is_code(path: str) -> bool:
    """Whether a member of a wheel can be imported (stubs count)."""
    return path.endswith((".py", ".pyi", ".so", ".pyd")) and ".dist-info/" not in path
