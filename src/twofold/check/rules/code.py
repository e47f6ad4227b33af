"""Rules about modules: syntax, entry points, `__version__`, `__all__`, imports of each other."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from twofold.check.rule_table import WARNING, Violation
from twofold.check.rules.metadata import BACKPORTS
from twofold.check.stdlib_versions import REMOVED, first_minor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import SourceCode
    from twofold.check.namespace import CodeModule, Namespace
    from twofold.source_analysis.model import Import


def syntax_error(code: SourceCode) -> Iterator[Violation]:
    """TF101. Only a warning when the project is not meant for the Python that runs twofold, or
    seems to be meant for a newer one and does not say for which."""
    runs_here = not code.minors or sys.version_info[1] in code.minors
    for module in code.modules.values():
        mistake = module.facts.mistake
        if mistake is None:
            continue
        where = f"{module.path}:{mistake.line}" if mistake.line else module.path
        if mistake.what and (not code.minors or code.minors[0] < mistake.minor):
            allowed = f"allows 3.{code.minors[0]}" if code.minors else "is not written"
            yield Violation(
                f"it looks like {mistake.what}, which needs Python 3.{mistake.minor}, and "
                f"requires-python {allowed}",
                f'write requires-python = ">=3.{mistake.minor}", or write it the older way; '
                f"Python 3.{sys.version_info[1]}, which runs twofold, cannot read the module",
                where,
                severity="" if code.minors else WARNING,
            )
        elif runs_here:
            yield Violation(
                f"syntax error: {mistake.message}", "correct the line, or the one before", where
            )
        else:
            mine = f"{sys.version_info[0]}.{sys.version_info[1]}"
            yield Violation(
                f"Python {mine}, which runs twofold, cannot read the module: {mistake.message}",
                f"run twofold with Python {code.requires_python}, to have it judged",
                where,
                severity=WARNING,
            )


def entry_point_to_nothing(code: SourceCode) -> Iterator[Violation]:
    """TF102. Only scripts must name a function: what the value of another group means, its
    consumer decides (npe2's `napari.manifest` names a file), so that is a warning at most."""
    space = code.namespace
    for group, listed in code.entry_points.items():
        is_script = group in ("console_scripts", "gui_scripts")
        for name, reference in listed.items():
            wrong = reference_problem(space, reference)
            if wrong and (is_script or not _names_file(code, reference)):
                yield Violation(
                    f"'{name}' points to '{reference.strip()}': {wrong[0]}",
                    wrong[1],
                    code.entry_point_location(group, name),
                    severity="" if is_script else WARNING,
                )


def _names_file(code: SourceCode, reference: str) -> bool:
    """Whether an entry point names a file of a package: `pkg:napari.yaml`, `pkg:data/x.json`."""
    target = reference.partition("[")[0].strip()
    package, _, path = target.partition(":" if ":" in target else "/")
    ending = f"{package.replace('.', '/')}/{path}"
    inner = map(code.inner_path, code.files)
    return any(one == ending or one.endswith(f"/{ending}") for one in inner)


def reference_problem(space: Namespace, reference: str) -> tuple[str, str] | None:
    """What is wrong with an entry point's target, and a hint; None when nothing is known to be.

    A target in a module that the project does not hold is another project's affair.
    """
    module, _, attribute = reference.partition("[")[0].partition(":")
    module, attribute = module.strip(), attribute.strip()
    if not space.is_own(module):
        return None
    if not space.exists(module):
        return f"there is no module {module}", space.nearest_module(module)
    first = attribute.partition(".")[0]
    if not first or space.has_name(module, first):
        return None
    return f"{module} has no '{first}'", space.nearest_name(module, first)


def version_mismatch(code: SourceCode) -> Iterator[Violation]:
    """TF103. A warning where the project's version is the same release with a suffix, or is in the
    module as well.

    Who packs a release again (1.0.post1), every night (1.0.dev3) or with changes of his own
    (1.0+local) often leaves the code as it is.
    """
    version = code.version
    if not version:
        return
    for module in code.modules.values():
        written, line = module.facts.version
        inner = module.name.partition(".")[2]
        is_top = inner in ("", "__about__", "_version")
        if not written or written == version or not is_top or module.is_vendored:
            continue
        severity = _judge_versions(written, version)
        if severity == "" and _writes_string(code.files.get(module.path), version):
            severity = WARNING  # the other version is another project's, which this one replaces
        if severity is not None:
            yield Violation(
                f"__version__ is '{written}', and the project's version '{version}'",
                f"write '{version}', or keep it in one place: dynamic = [\"version\"] and "
                '[tool.twofold.version] with from = "module"',
                f"{module.path}:{line}",
                severity=severity,
            )


def _writes_string(source: bytes | None, text: str) -> bool:
    return source is not None and any(f"{q}{text}{q}".encode() in source for q in "\"'")


def _judge_versions(written: str, version: str) -> str | None:
    """Return the severity of a difference ('' is the rule's own), None for equal versions."""
    from packaging.version import InvalidVersion, Version

    try:
        in_code, declared = Version(written), Version(version)
    except InvalidVersion:
        return ""
    if in_code == declared:
        return None
    unsuffixed = Version(f"{declared.base_version}{''.join(map(str, declared.pre or ()))}")
    return WARNING if in_code in (unsuffixed, Version(declared.public)) else ""


def hidden_module(code: SourceCode) -> Iterator[Violation]:
    """TF113. A backport is meant to be hidden by the standard library's module."""
    if code.requires_python and not code.minors:
        return  # for Python 2 alone
    oldest = code.minors[0] if code.minors else sys.version_info[1]
    for name, module in code.modules.items():
        is_found_first = name in sys.stdlib_module_names and not name.startswith("_")
        if not is_found_first or name in REMOVED or name in BACKPORTS or name == "test":
            continue
        if first_minor(name, ())[0] <= oldest:
            yield Violation(
                f"'{name}' is a module of Python's standard library, which Python finds first: "
                "this one can never be imported",
                "give it another name",
                module.path,
            )


def missing_in_all(code: SourceCode) -> Iterator[Violation]:
    """TF104. In a copy of another project's code, often a part of it, a warning, as TF105; and for
    a name that only type checkers see."""
    space = code.namespace
    for module in code.modules.values():
        exported = module.facts.exported
        if exported is None or not exported.is_complete:
            continue
        for name in exported.names:
            if not space.has_name(module.name, name):
                yield Violation(
                    f"__all__ names '{name}', which the module does not have",
                    space.nearest_name(module.name, name)
                    or f"define it, or take it out: 'from {module.name} import *' fails",
                    f"{module.path}:{exported.line}",
                    severity=WARNING
                    if module.is_vendored or _binds_for_types(code, module.name, name)
                    else "",
                )


def missing_import(code: SourceCode) -> Iterator[Violation]:
    """TF105: between the project's own modules. Inside a function, where it may never run, and
    under `if TYPE_CHECKING`, where it never does, a warning."""
    space = code.namespace
    for module in code.modules.values():
        for found in module.facts.imports:
            if found.is_optional or (found.is_typing_only and not code.wants_warnings):
                continue
            target = space.resolve_own(module, found)
            if target is None:
                continue
            if found.is_typing_only and _has_stub(code, target):
                continue
            where = f"{module.path}:{found.line}"
            if not space.exists(target):
                severity = _judge_import(module, found)
                is_left_out = _is_left_out(code, target)
                if code.is_complete and not is_left_out:
                    yield Violation(
                        f"there is no module {target} in the package",
                        space.nearest_module(target) or "write it, or remove the import",
                        where,
                        severity=severity,
                    )
                elif is_left_out:
                    yield Violation(
                        f"the module {target} is there, but left out of the package",
                        "name it in [tool.twofold] include"
                        if code.is_complete
                        else "name its package where the others are named",
                        where,
                        severity=severity,
                    )
                continue
            for name in found.names:
                if name != "*" and not space.has_name(target, name):
                    is_for_types = _binds_for_types(code, target, name)
                    if found.is_typing_only and is_for_types:
                        continue
                    severity = WARNING if is_for_types else _judge_import(module, found)
                    yield Violation(
                        f"{target} has no '{name}'",
                        space.nearest_name(target, name)
                        or "define it there, or correct the import",
                        where,
                        severity=severity,
                    )


def _judge_import(module: CodeModule, found: Import) -> str:
    is_doubtful = found.is_deferred or found.is_typing_only or module.is_vendored
    return WARNING if is_doubtful else ""


def _has_stub(code: SourceCode, module: str) -> bool:
    """Whether type checkers read a stub in place of a module."""
    path = module.replace(".", "/")
    return any(file.endswith((f"{path}.pyi", f"{path}/__init__.pyi")) for file in code.files)


def _binds_for_types(code: SourceCode, module: str, name: str) -> bool:
    """Whether a module binds a name under `if TYPE_CHECKING`, where only type checkers see it."""
    import ast  # seldom needed, and slow to import

    from twofold.source_analysis.definitions import defined_names

    target = code.modules.get(module)
    data = code.files.get(target.path) if target is not None else None
    return bool(data) and name in defined_names(ast.parse(data or b""), runtime_only=False)


def _is_left_out(code: SourceCode, module: str) -> bool:
    path = module.replace(".", "/")
    ends = re.compile(rf"(?:^|/){re.escape(path)}(?:\.py|/|/__init__\.py)$")
    return any(ends.search(left) for left in code.left_out)
