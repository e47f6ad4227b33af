"""Write a draft as recipe.yaml (CEP 13 and 14), which rattler-build and pixi build."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twofold.recipe.write.draft import DeclaredText, Draft, PlatformCondition
from twofold.recipe.write.meta_yaml import quote_scalar


def render_recipe_yaml(draft: Draft) -> str:
    """Render recipe.yaml."""
    lines = ["schema_version: 1", "", "context:", f"  name: {quote_scalar(draft.name)}"]
    lines.append(f'  version: "{draft.version}"')
    if draft.min_python:
        lines.append(f'  python_min: "{draft.min_python}"')
    lines += ["", "package:", "  name: ${{ name }}", "  version: ${{ version }}", ""]
    lines += ["source:", *_render_source(draft), ""]
    lines += ["build:", *_render_build(draft), ""]
    lines += ["requirements:", *_render_requirements(draft), ""]
    lines += ["tests:", *_render_tests(draft), ""]
    about = _render_about(draft)
    lines += ["about:", *about, ""] if about else []
    lines += ["extra:", "  recipe-maintainers:", "    - your-github-name"]
    return "\n".join(lines) + "\n"


def _render_source(draft: Draft) -> list[str]:
    source = draft.source
    url = source.url.replace(draft.version, "${{ version }}")
    place = f"  url: {url}" if url else f"  path: {source.path}"
    return [place, *([f"  sha256: {source.sha256}"] if source.sha256 else [])]


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


def _render_requirements(draft: Draft) -> list[str]:
    build = [] if not draft.compiled else ["${{ compiler('c') }}", "${{ stdlib('c') }}"]
    minimum = " ${{ python_min }}.*" if draft.min_python and draft.noarch else ""
    run = [line for entry in draft.run for line in _render_run(entry, draft)]
    return [
        *_render_list("build", build),
        *_render_list("host", [f"python{minimum}", "pip", *draft.host]),
        "  run:",
        *run,
        *_render_list("run_constraints", draft.constrained),
    ]


def _render_run(texts: DeclaredText, draft: Draft) -> list[str]:
    text = texts.text
    if draft.min_python and text == f"python >={draft.min_python}":
        text = "python >=${{ python_min }}"
    if not texts.conditions:
        return [f"    - {text}"]
    return [f"    - if: {render_expression(texts.conditions)}", f"      then: {text}"]


def _render_tests(draft: Draft) -> list[str]:
    lines = ["  - python:", "      imports:"]
    lines += [f"        - {quote_scalar(name)}" for name in draft.imports]
    if draft.min_python and draft.noarch:
        lines.append("      python_version: ${{ python_min }}.*")
    return [*lines, "      pip_check: true"]


def _render_about(draft: Draft) -> list[str]:
    names = {
        "home": "homepage",
        "summary": "summary",
        "license": "license",
        "dev_url": "repository",
        "doc_url": "documentation",
    }
    lines = [
        f"  {new}: {quote_scalar(str(draft.about[old]))}"
        for old, new in names.items()
        if old in draft.about
    ]
    return [*lines, *_render_list("license_file", map(quote_scalar, draft.license_files))]


def _render_list(key: str, items: Iterable[str]) -> list[str]:
    lines = [f"    - {item}" for item in items]
    return [f"  {key}:", *lines] if lines else []


def render_expression(where: Sequence[PlatformCondition]) -> str:
    """Render conditions as an expression of recipe v1."""
    each = [_render_condition(condition) for condition in where]
    several = len(each) > 1
    return " or ".join(f"({one})" if several and " " in one else one for one in each)


def _render_condition(condition: PlatformCondition) -> str:
    bounds = [
        f">={_add_dot(condition.low)}" if condition.low else "",
        f"<{_add_dot(condition.high)}" if condition.high else "",
    ]
    spec = ",".join(filter(None, bounds))
    parts = [condition.system, condition.machine, f"match(python, '{spec}')" if spec else ""]
    return " and ".join(filter(None, parts))


def _add_dot(short: str) -> str:
    """Write '39' and '311' as '3.9' and '3.11'."""
    return f"{short[0]}.{short[1:]}"
