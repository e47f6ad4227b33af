"""What meta.yaml and recipe.yaml share when they are written: block lists, one item a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from twofold.recipe.write.draft import Draft, PlatformCondition

#: Plain YAML scalars that no reader takes for something else.
_PLAIN = re.compile(r"[A-Za-z][\w ./:@+,()'-]*[\w./@+)]")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "none"})


def render_document(
    head: Sequence[str], sections: Mapping[str, Sequence[str]], variable: Callable[[str], str]
) -> str:
    """Render a recipe from its first lines and the lines of its sections; empty ones are left out.

    `variable` writes a variable of Jinja.
    """
    package = [f"  name: {variable('name')}", f"  version: {variable('version')}"]
    maintainers = ["  recipe-maintainers:", "    - your-github-name"]
    lines = list(head)
    for name, own in {"package": package, **sections, "extra": maintainers}.items():
        lines += ["", f"{name}:", *own] if own else []
    return "\n".join(lines) + "\n"


def render_source(draft: Draft, variable: Callable[[str], str]) -> list[str]:
    """Render the source; the version in a URL is a variable, so that a new release is one edit."""
    source = draft.source
    url = source.url.replace(draft.version, variable("version"))
    place = f"  url: {url}" if url else f"  path: {source.path}"
    return [place, *([f"  sha256: {source.sha256}"] if source.sha256 else [])]


def render_requirements(
    draft: Draft, variable: Callable[[str], str], run: Iterable[str], constrained: str
) -> list[str]:
    """Render the requirements; `run` are its lines, `constrained` is the key of constraints."""
    calls = [f"compiler('{language}')" for language in draft.compilers]
    calls += ["stdlib('c')"] if calls else []
    return [
        *render_list("build", [*map(variable, calls), *draft.tools]),
        *render_list("host", [f"python{render_minimum(draft, variable)}", "pip", *draft.host]),
        "  run:",
        *run,
        *render_list(constrained, draft.constrained),
    ]


def render_minimum(draft: Draft, variable: Callable[[str], str]) -> str:
    """Render what follows `python` where a noarch recipe builds and tests with the oldest one."""
    return f" {variable('python_min')}.*" if draft.min_python and draft.noarch else ""


def render_requirement(text: str, draft: Draft, variable: Callable[[str], str]) -> str:
    """Render a requirement of the package: the lower bound on Python is a variable."""
    lowest = f"python >={draft.min_python}"
    if draft.min_python and text.partition(",")[0] == lowest:
        return f"python >={variable('python_min')}{text.removeprefix(lowest)}"
    return text


def render_about(draft: Draft, keys: Mapping[str, str]) -> list[str]:
    """Render the about section; `keys` map the draft's keys to those of the format."""
    lines = [
        f"  {new}: {quote_scalar(str(draft.about[old]))}"
        for old, new in keys.items()
        if old in draft.about
    ]
    return [*lines, *render_list("license_file", map(quote_scalar, draft.license_files))]


def render_list(key: str, items: Iterable[str]) -> list[str]:
    """Render a list below a section's key; [] for an empty one."""
    lines = [f"    - {item}" for item in items]
    return [f"  {key}:", *lines] if lines else []


def quote_scalar(text: str) -> str:
    """Write a text as a YAML scalar on one line, quoted where needed."""
    text = " ".join(text.split())
    if _PLAIN.fullmatch(text) and ": " not in text and text.lower() not in _WORDS:
        return text
    # Jinja's signs in a summary would be run; braces apart are only braces.
    text = text.replace("{{", "{ {").replace("{%", "{ %").replace("{#", "{ #")
    return "'" + text.replace("'", "''") + "'"


def join_conditions(
    conditions: Sequence[PlatformCondition], render: Callable[[PlatformCondition], Sequence[str]]
) -> str:
    """Join conditions with `or`; `render` returns the parts that one of them joins with `and`."""
    each = [" and ".join(filter(None, render(condition))) for condition in conditions]
    several = len(each) > 1
    return " or ".join(f"({one})" if several and " " in one else one for one in each)
