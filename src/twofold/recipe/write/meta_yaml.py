"""Write a draft as meta.yaml, in conda-forge's style."""

from __future__ import annotations

from collections.abc import Sequence

from twofold.recipe.write.draft import Draft, PlatformCondition
from twofold.recipe.write.sections import (
    join_conditions,
    quote_scalar,
    render_about,
    render_document,
    render_list,
    render_minimum,
    render_requirement,
    render_requirements,
    render_source,
)

_ABOUT = ("home", "summary", "license", "dev_url", "doc_url")


def render_meta_yaml(draft: Draft) -> str:
    """Render meta.yaml."""
    head = [
        f'{{% set name = "{draft.name}" %}}',
        f'{{% set version = "{draft.version}" %}}',
    ]
    if draft.min_python:
        head.append(f'{{% set python_min = "{draft.min_python}" %}}')
    run = [
        f"    - {render_requirement(entry.text, draft, _variable)}"
        f"{render_selector(entry.conditions)}"
        for entry in draft.run
    ]
    sections = {
        "source": render_source(draft, _variable),
        "build": _render_build(draft),
        "requirements": render_requirements(draft, _variable, run, "run_constrained"),
        "test": _render_tests(draft),
        "about": render_about(draft, dict(zip(_ABOUT, _ABOUT, strict=True))),
    }
    return render_document(head, sections, _variable)


def _variable(name: str) -> str:
    return f"{{{{ {name} }}}}"


def _render_build(draft: Draft) -> list[str]:
    lines = [f"  number: {draft.number}"]
    lines += ["  noarch: python"] if draft.noarch else []
    lines += [
        f"  string: {entry.text}{render_selector(entry.conditions)}" for entry in draft.strings
    ]
    lines += render_list("entry_points", map(quote_scalar, draft.entry_points))
    script = "{{ PYTHON }} -m pip install . -vv --no-deps --no-build-isolation"
    return [*lines, f"  script: {script}"]


def _render_tests(draft: Draft) -> list[str]:
    return [
        *render_list("imports", map(quote_scalar, draft.imports)),
        *render_list("commands", ["pip check"]),
        *render_list("requires", [f"python{render_minimum(draft, _variable)}", "pip"]),
    ]


def render_selector(where: Sequence[PlatformCondition]) -> str:
    """Return the selector comment for conditions, '' for everywhere."""
    return f"  # [{join_conditions(where, _render_condition)}]" if where else ""


def _render_condition(condition: PlatformCondition) -> Sequence[str]:
    return (
        condition.system,
        condition.machine,
        f"py>={condition.low}" if condition.low else "",
        f"py<{condition.high}" if condition.high else "",
    )
