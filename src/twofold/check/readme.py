"""TF029: the readme as PyPI would render it, by the library that PyPI renders with."""

from __future__ import annotations

import io
from collections.abc import Iterator

from twofold.check.rule_table import Violation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.metadata import Metadata


def readme_does_not_render(metadata: Metadata) -> Iterator[Violation]:
    """reStructuredText with a mistake in it is shown as plain text; PyPI refuses the upload.

    Markdown and plain text always render.
    """
    kind = metadata.readme_type.partition(";")[0].strip().lower()
    if kind not in ("text/x-rst", "") or not metadata.readme.strip():
        return
    if (
        not kind
        and not metadata.readme.lstrip().startswith(("..", "="))
        and "::" not in metadata.readme
    ):
        return  # no type written: PyPI takes it as reStructuredText, and plain words are that too
    from readme_renderer import rst

    warnings = io.StringIO()
    if rst.render(metadata.readme, stream=warnings) is None:
        told = [line for line in warnings.getvalue().splitlines() if line.startswith("<string>:")]
        line, message = _first_warning(told)
        place = metadata.at("readme")
        yield Violation(
            f"line {line} of the readme is not valid reStructuredText: {message}"
            if line
            else "the readme is not valid reStructuredText",
            "mend it there, or write the readme in Markdown",
            place,
        )


def _first_warning(warnings: list[str]) -> tuple[str, str]:
    if not warnings:
        return "", ""
    _, line, message = warnings[0].split(":", 2)
    return line, message.strip().partition(") ")[2]
