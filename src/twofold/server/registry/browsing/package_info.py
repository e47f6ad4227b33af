"""What a conda package says of itself beside its index.json, as the registry keeps it."""

from __future__ import annotations

import json
from pathlib import Path

from twofold.formats import limits
from twofold.formats.conda_reader import parse_json, read_info

RUN_EXPORTS, ABOUT = "info/run_exports.json", "info/about.json"

#: The largest about.json that is kept (bytes); larger ones are cut down to their short values.
MAX_ABOUT = 64 << 10


def read_package_info(path: Path) -> tuple[str | None, str | None]:
    """Return a conda package's run_exports (CEP 12) and about.json as JSON, None without one."""
    if not path.name.endswith((".conda", ".tar.bz2")):
        return None, None
    found = read_info(
        path, {"info/index.json": 1 << 20, RUN_EXPORTS: 1 << 20, ABOUT: limits.METADATA}
    )
    exports, about = found.get(RUN_EXPORTS), found.get(ABOUT)
    return (
        json.dumps(parse_json(exports, path, RUN_EXPORTS)) if exports else None,
        _shorten_about(parse_json(about, path, ABOUT)) if about else None,
    )


def _shorten_about(about: dict[str, object]) -> str:
    """Return about.json; of a large one, a recipe's environment for example, its short values."""
    text = json.dumps(about)
    if len(text) <= MAX_ABOUT:
        return text
    short = {key: value for key, value in about.items() if len(json.dumps(value)) < MAX_ABOUT // 16}
    return json.dumps(dict(list(short.items())[:16]))
