"""TF301 and TF302: what becomes of the dependencies in a conda package."""

from __future__ import annotations

import re
from collections.abc import Iterator

from twofold.check.rule_table import Violation
from twofold.names.conda_forge import find_on_conda_forge
from twofold.names.same import load_further_names, load_same_names
from twofold_build.names import normalize_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import ProjectContext

_REQUIREMENT = re.compile(
    r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[^\]]*\])?\s*([^;]*?)\s*(?:;\s*(.*))?"
)


def unknown_conda_name(context: ProjectContext) -> Iterator[Violation]:
    """TF301: names that no table knows and no setting tells."""
    for name, _, _, _, requirement in _requirements(context):
        key = normalize_name(name)
        if find_on_conda_forge(key) or key in load_same_names() or key in load_further_names():
            continue
        yield Violation(
            f"it is not known whether conda has '{name}', or under which name",
            f'if conda calls it otherwise, write [tool.twofold.conda] names = {{{key} = "..."}}; '
            "if it has none, convert it with 'twofold convert'",
            context.location("dependencies", requirement),
        )


def not_in_conda(context: ProjectContext) -> Iterator[Violation]:
    """TF302: addresses, extras, exact text, markers about one machine's kernel."""
    for name, extras, spec, marker, requirement in _requirements(context):
        wrong = ""
        hint = (
            f'put conda\'s own words into [tool.twofold.conda] depends, and "{name}" into leave-out'
        )
        if spec.startswith("@"):
            wrong = "names an address, which a conda package cannot depend on"
        elif extras.strip("[] "):
            wrong = "asks for extras, which conda does not have"
            hint = (
                "'twofold convert --with-deps' finds what they add; else name it in "
                "[tool.twofold.conda] depends"
            )
        elif "===" in spec:
            wrong = "compares a version as text (===), which conda does not do"
        elif re.search(r"platform_(?:release|version)", marker):
            wrong = "asks for one machine's kernel, which no conda package can know"
        if wrong:
            yield Violation(
                f"'{requirement}' {wrong}", hint, context.location("dependencies", requirement)
            )


def _requirements(context: ProjectContext) -> Iterator[tuple[str, str, str, str, str]]:
    """Name, extras, specifier, marker and the whole, but for what the settings say otherwise."""
    conda = context.table("tool.twofold.conda")
    told = {normalize_name(str(name)) for name in conda.get("names", {})}
    left_out = conda.get("leave-out", [])
    told |= {normalize_name(name) for name in left_out if isinstance(name, str)}
    for requirement in context.project.dependencies:
        found = _REQUIREMENT.fullmatch(requirement)
        if found is None or normalize_name(found.group(1)) in told:
            continue
        name, extras, spec, marker = found.groups()
        yield name, extras or "", spec or "", marker or "", requirement
