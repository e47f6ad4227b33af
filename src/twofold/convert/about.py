"""info/about.json of a conda package from a wheel's METADATA."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from twofold.formats.core_metadata import CoreMetadata


def about_of(parsed: CoreMetadata, expanded: Sequence[str] = ()) -> dict[str, Any]:
    """info/about.json from METADATA, with the keys that conda's tools show.

    `expanded` tells of which version of a dependency its extras were taken.
    """
    about: dict[str, Any] = {}
    summary, licence = parsed.get("Summary"), _licence(parsed)
    urls = dict(_urls(parsed))
    home = parsed.get("Home-page") or _first(urls, "homepage", "home", "website")
    pairs = {
        "summary": "" if summary == "UNKNOWN" else summary,
        "description": parsed.description.strip(),
        "license": licence,
        "home": "" if home == "UNKNOWN" else home,
        "dev_url": _first(urls, "repository", "source", "sourcecode", "github", "code"),
        "doc_url": _first(urls, "documentation", "docs", "doc"),
        "keywords": _keywords(parsed),
        "author": parsed.get("Author") or parsed.get("Author-email"),
    }
    about |= {key: value for key, value in pairs.items() if value}
    if expanded:
        about["extra"] = {"expanded": sorted(set(expanded))}
    return about


def _licence(parsed: CoreMetadata) -> str:
    """The licence, PEP 639's expression first; a whole licence text is no name of one."""
    licence = parsed.get("License-Expression") or parsed.get("License")
    if licence and "\n" not in licence and len(licence) <= 100 and licence != "UNKNOWN":
        return licence
    for classifier in parsed.all("Classifier"):
        if classifier.startswith("License :: OSI Approved :: "):
            return classifier.rpartition(" :: ")[2]
    return ""


def _keywords(parsed: CoreMetadata) -> list[str]:
    words = parsed.get("Keywords").replace(",", " ").split()
    return list(dict.fromkeys(words))


def _urls(parsed: CoreMetadata) -> list[tuple[str, str]]:
    pairs = (line.partition(",") for line in parsed.all("Project-URL"))
    return [
        ("".join(c for c in label.lower() if c.isalnum()), url.strip()) for label, _, url in pairs
    ]


def _first(urls: dict[str, str], *labels: str) -> str:
    return next((urls[label] for label in labels if label in urls), "")
