"""info/about.json of a conda package from a wheel's METADATA."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from twofold.formats.core_metadata import CoreMetadata


def make_about(parsed: CoreMetadata, expanded: Sequence[str] = ()) -> dict[str, Any]:
    """info/about.json from METADATA, with the keys that conda's tools show.

    `expanded` tells of which version of a dependency its extras were taken.
    """
    about: dict[str, Any] = {}
    summary, licence = parsed.get("Summary"), _choose_license(parsed)
    urls = dict(_read_project_urls(parsed))
    home = parsed.get("Home-page") or _find_url(urls, "homepage", "home", "website")
    pairs = {
        "summary": "" if summary == "UNKNOWN" else summary,
        "description": parsed.description.strip(),
        "license": licence,
        "home": "" if home == "UNKNOWN" else home,
        "dev_url": _find_url(urls, "repository", "source", "sourcecode", "github", "code"),
        "doc_url": _find_url(urls, "documentation", "docs", "doc"),
        "keywords": _read_keywords(parsed),
        "author": parsed.get("Author") or parsed.get("Author-email"),
    }
    about |= {key: value for key, value in pairs.items() if value}
    if expanded:
        about["extra"] = {"expanded": sorted(set(expanded))}
    return about


def _choose_license(parsed: CoreMetadata) -> str:
    """The licence, PEP 639's expression first; a whole licence text is no name of one."""
    licence = parsed.get("License-Expression") or parsed.get("License")
    if licence and "\n" not in licence and len(licence) <= 100 and licence != "UNKNOWN":
        return licence
    for classifier in parsed.all("Classifier"):
        if classifier.startswith("License :: OSI Approved :: "):
            return classifier.rpartition(" :: ")[2]
    return ""


def _read_keywords(parsed: CoreMetadata) -> list[str]:
    words = parsed.get("Keywords").replace(",", " ").split()
    return list(dict.fromkeys(words))


def _read_project_urls(parsed: CoreMetadata) -> list[tuple[str, str]]:
    pairs = (line.partition(",") for line in parsed.all("Project-URL"))
    return [
        ("".join(c for c in label.lower() if c.isalnum()), url.strip()) for label, _, url in pairs
    ]


def _find_url(urls: dict[str, str], *labels: str) -> str:
    return next((urls[label] for label in labels if label in urls), "")
