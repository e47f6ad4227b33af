"""A draft as recipe.yaml (CEP 13 and 14), the form that rattler-build and pixi build."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twofold.recipe.draft import Condition, Draft, Said
from twofold.recipe.text_v0 import scalar


def recipe_yaml(draft: Draft) -> str:
    """The text of recipe.yaml."""
    lines = ["schema_version: 1", "", "context:", f"  name: {scalar(draft.name)}"]
    lines.append(f'  version: "{draft.version}"')
    if draft.lowest:
        lines.append(f'  python_min: "{draft.lowest}"')
    lines += ["", "package:", "  name: ${{ name }}", "  version: ${{ version }}", ""]
    lines += ["source:", *_source(draft), ""]
    lines += ["build:", *_build(draft), ""]
    lines += ["requirements:", *_requirements(draft), ""]
    lines += ["tests:", *_tests(draft), ""]
    about = _about(draft)
    lines += ["about:", *about, ""] if about else []
    lines += ["extra:", "  recipe-maintainers:", "    - your-github-name"]
    return "\n".join(lines) + "\n"


def _source(draft: Draft) -> list[str]:
    source = draft.source
    url = source.url.replace(draft.version, "${{ version }}")
    place = f"  url: {url}" if url else f"  path: {source.path}"
    return [place, *([f"  sha256: {source.sha256}"] if source.sha256 else [])]


def _build(draft: Draft) -> list[str]:
    lines = [f"  number: {draft.number}"]
    lines += ["  noarch: python"] if draft.noarch else []
    lines += _string(draft)
    script = "${{ PYTHON }} -m pip install . -vv --no-deps --no-build-isolation"
    lines.append(f"  script: {script}")
    if draft.entry_points:
        lines += ["  python:", "    entry_points:"]
        lines += [f"      - {scalar(line)}" for line in draft.entry_points]
    return lines


def _string(draft: Draft) -> list[str]:
    """The build string, chosen by an expression where it differs: v1 has one value here."""
    if not draft.strings:
        return []
    if not draft.strings[0].where:
        return [f"  string: {draft.strings[0].text}"]
    chosen = f"'{draft.strings[-1].text}'"
    for said in reversed(draft.strings[:-1]):
        chosen = f"'{said.text}' if {expression(said.where)} else {chosen}"
    return [f'  string: "${{{{ {chosen} }}}}"']


def _requirements(draft: Draft) -> list[str]:
    build = [] if not draft.compiled else ["${{ compiler('c') }}", "${{ stdlib('c') }}"]
    minimum = " ${{ python_min }}.*" if draft.lowest and draft.noarch else ""
    run = [line for said in draft.run for line in _run(said, draft)]
    return [
        *_listed("build", build),
        *_listed("host", [f"python{minimum}", "pip", *draft.host]),
        "  run:",
        *run,
        *_listed("run_constraints", draft.constrained),
    ]


def _run(said: Said, draft: Draft) -> list[str]:
    text = said.text
    if draft.lowest and text == f"python >={draft.lowest}":
        text = "python >=${{ python_min }}"
    if not said.where:
        return [f"    - {text}"]
    return [f"    - if: {expression(said.where)}", f"      then: {text}"]


def _tests(draft: Draft) -> list[str]:
    lines = ["  - python:", "      imports:"]
    lines += [f"        - {scalar(name)}" for name in draft.imports]
    if draft.lowest and draft.noarch:
        lines.append("      python_version: ${{ python_min }}.*")
    return [*lines, "      pip_check: true"]


def _about(draft: Draft) -> list[str]:
    names = {
        "home": "homepage",
        "summary": "summary",
        "license": "license",
        "dev_url": "repository",
        "doc_url": "documentation",
    }
    lines = [
        f"  {new}: {scalar(str(draft.about[old]))}"
        for old, new in names.items()
        if old in draft.about
    ]
    return [*lines, *_listed("license_file", map(scalar, draft.license_files))]


def _listed(key: str, items: Iterable[str]) -> list[str]:
    lines = [f"    - {item}" for item in items]
    return [f"  {key}:", *lines] if lines else []


def expression(where: Sequence[Condition]) -> str:
    """The condition under which something holds, as recipe v1 writes it."""
    each = [_condition(condition) for condition in where]
    several = len(each) > 1
    return " or ".join(f"({one})" if several and " " in one else one for one in each)


def _condition(condition: Condition) -> str:
    bounds = [
        f">={_dotted(condition.low)}" if condition.low else "",
        f"<{_dotted(condition.high)}" if condition.high else "",
    ]
    spec = ",".join(filter(None, bounds))
    parts = [condition.system, condition.machine, f"match(python, '{spec}')" if spec else ""]
    return " and ".join(filter(None, parts))


def _dotted(short: str) -> str:
    """'39' and '311' as '3.9' and '3.11'."""
    return f"{short[0]}.{short[1:]}"
