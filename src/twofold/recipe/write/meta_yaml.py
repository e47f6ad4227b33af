"""Write a draft as meta.yaml, in conda-forge's style: block lists, one item a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from twofold.recipe.write.draft import DeclaredText, Draft, PlatformCondition

#: Plain YAML scalars that no reader takes for something else.
_PLAIN = re.compile(r"[A-Za-z][\w ./:@+,()'-]*[\w./@+)]")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "none"})


def render_meta_yaml(draft: Draft) -> str:
    """Render meta.yaml."""
    lines = [
        f'{{% set name = "{draft.name}" %}}',
        f'{{% set version = "{draft.version}" %}}',
    ]
    if draft.min_python:
        lines.append(f'{{% set python_min = "{draft.min_python}" %}}')
    lines += ["", "package:", "  name: {{ name }}", "  version: {{ version }}", ""]
    lines += ["source:", *_render_source(draft), ""]
    lines += ["build:", *_render_build(draft), ""]
    lines += ["requirements:", *_render_requirements(draft), ""]
    lines += ["test:", *_render_tests(draft), ""]
    about = _render_about(draft)
    lines += ["about:", *about, ""] if about else []
    lines += ["extra:", "  recipe-maintainers:", "    - your-github-name"]
    return "\n".join(lines) + "\n"


def _render_source(draft: Draft) -> list[str]:
    source = draft.source
    place = (
        f"  url: {template_version(source.url, draft)}" if source.url else f"  path: {source.path}"
    )
    return [place, *([f"  sha256: {source.sha256}"] if source.sha256 else [])]


def template_version(url: str, draft: Draft) -> str:
    """Replace the version in a URL by its variable, so that the next release is one edit."""
    return url.replace(draft.version, "{{ version }}")


def _render_build(draft: Draft) -> list[str]:
    lines = [f"  number: {draft.number}"]
    lines += ["  noarch: python"] if draft.noarch else []
    lines += [
        f"  string: {entry.text}{render_selector(entry.conditions)}" for entry in draft.strings
    ]
    lines += _render_list("entry_points", draft.entry_points)
    script = "{{ PYTHON }} -m pip install . -vv --no-deps --no-build-isolation"
    return [*lines, f"  script: {script}"]


def _render_requirements(draft: Draft) -> list[str]:
    build = [] if not draft.compiled else ["{{ compiler('c') }}", "{{ stdlib('c') }}"]
    minimum = " {{ python_min }}.*" if draft.min_python and draft.noarch else ""
    run = [
        f"    - {_render_run(entry, draft)}{render_selector(entry.conditions)}"
        for entry in draft.run
    ]
    return [
        *_render_list("build", build, quoted=False),
        *_render_list("host", [f"python{minimum}", "pip", *draft.host], quoted=False),
        "  run:",
        *run,
        *_render_list("run_constrained", draft.constrained, quoted=False),
    ]


def _render_run(texts: DeclaredText, draft: Draft) -> str:
    if draft.min_python and texts.text == f"python >={draft.min_python}":
        return "python >={{ python_min }}"
    return texts.text


def _render_tests(draft: Draft) -> list[str]:
    minimum = " {{ python_min }}.*" if draft.min_python and draft.noarch else ""
    return [
        *_render_list("imports", draft.imports),
        *_render_list("commands", ["pip check"]),
        *_render_list("requires", [f"python{minimum}", "pip"], quoted=False),
    ]


def _render_about(draft: Draft) -> list[str]:
    keys = ("home", "summary", "license", "dev_url", "doc_url")
    lines = [
        f"  {key}: {quote_scalar(str(draft.about[key]))}" for key in keys if key in draft.about
    ]
    return [*lines, *_render_list("license_file", draft.license_files)]


def _render_list(key: str, items: Iterable[str], quoted: bool = True) -> list[str]:
    lines = [f"    - {quote_scalar(item) if quoted else item}" for item in items]
    return [f"  {key}:", *lines] if lines else []


def quote_scalar(text: str) -> str:
    """Write a text as a YAML scalar on one line, quoted where needed."""
    text = " ".join(text.split())
    if _PLAIN.fullmatch(text) and ": " not in text and text.lower() not in _WORDS:
        return text
    # Jinja's signs in a summary would be run; braces apart are only braces.
    text = text.replace("{{", "{ {").replace("{%", "{ %").replace("{#", "{ #")
    return "'" + text.replace("'", "''") + "'"


def render_selector(where: Sequence[PlatformCondition]) -> str:
    """Return the selector comment for conditions, '' for everywhere."""
    if not where:
        return ""
    each = [_render_condition(condition) for condition in where]
    several = len(each) > 1
    return f"  # [{' or '.join(f'({one})' if several and ' ' in one else one for one in each)}]"


def _render_condition(condition: PlatformCondition) -> str:
    parts = [
        condition.system,
        condition.machine,
        f"py>={condition.low}" if condition.low else "",
        f"py<{condition.high}" if condition.high else "",
    ]
    return " and ".join(filter(None, parts))
