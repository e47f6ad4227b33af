"""Write a draft as recipe.yaml (CEP 13 and 14), which rattler-build and pixi build."""

from __future__ import annotations

from collections.abc import Sequence

from twofold.recipe.write.draft import DeclaredText, Draft, PlatformCondition
from twofold.recipe.write.sections import (
    join_conditions,
    quote_scalar,
    render_about,
    render_document,
    render_requirement,
    render_requirements,
    render_source,
)

_ABOUT = {
    "home": "homepage",
    "summary": "summary",
    "license": "license",
    "dev_url": "repository",
    "doc_url": "documentation",
}


def render_recipe_yaml(draft: Draft) -> str:
    """Render recipe.yaml."""
    head = ["schema_version: 1", "", "context:", f"  name: {quote_scalar(draft.name)}"]
    head.append(f'  version: "{draft.version}"')
    if draft.min_python:
        head.append(f'  python_min: "{draft.min_python}"')
    run = [line for entry in draft.run for line in _render_run(entry, draft)]
    sections = {
        "source": render_source(draft, _variable),
        "build": _render_build(draft),
        "requirements": render_requirements(draft, _variable, run, "run_constraints"),
        "tests": _render_tests(draft),
        "about": render_about(draft, _ABOUT),
    }
    return render_document(head, sections, _variable)


def _variable(name: str) -> str:
    return f"${{{{ {name} }}}}"


def _render_build(draft: Draft) -> list[str]:
    lines = [f"  number: {draft.number}"]
    lines += ["  noarch: python"] if draft.noarch else []
    lines += _render_build_string(draft)
    script = "${{ PYTHON }} -m pip install . -vv --no-deps --no-build-isolation"
    lines.append(f"  script: {script}")
    if draft.entry_points:
        lines += ["  python:", "    entry_points:"]
        lines += [f"      - {quote_scalar(line)}" for line in draft.entry_points]
    return lines


def _render_build_string(draft: Draft) -> list[str]:
    """Render the build string, with an expression where it differs: v1 has one value here."""
    if not draft.strings:
        return []
    if not draft.strings[0].conditions:
        return [f"  string: {draft.strings[0].text}"]
    chosen = f"'{draft.strings[-1].text}'"
    for entry in reversed(draft.strings[:-1]):
        chosen = f"'{entry.text}' if {render_expression(entry.conditions)} else {chosen}"
    return [f'  string: "${{{{ {chosen} }}}}"']


def _render_run(texts: DeclaredText, draft: Draft) -> list[str]:
    text = render_requirement(texts.text, draft, _variable)
    if not texts.conditions:
        return [f"    - {text}"]
    return [f"    - if: {render_expression(texts.conditions)}", f"      then: {text}"]


def _render_tests(draft: Draft) -> list[str]:
    lines = ["  - python:", "      imports:"]
    lines += [f"        - {quote_scalar(name)}" for name in draft.imports]
    if draft.min_python and draft.noarch:
        lines.append("      python_version: ${{ python_min }}.*")
    return [*lines, "      pip_check: true"]


def render_expression(where: Sequence[PlatformCondition]) -> str:
    """Render conditions as an expression of recipe v1."""
    return join_conditions(where, _render_condition)


def _render_condition(condition: PlatformCondition) -> Sequence[str]:
    bounds = [
        f">={_add_dot(condition.low)}" if condition.low else "",
        f"<{_add_dot(condition.high)}" if condition.high else "",
    ]
    spec = ",".join(filter(None, bounds))
    return condition.system, condition.machine, f"match(python, '{spec}')" if spec else ""


def _add_dot(short: str) -> str:
    """Write '39' and '311' as '3.9' and '3.11'."""
    return f"{short[0]}.{short[1:]}"
