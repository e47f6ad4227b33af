"""The documentation's own list of phrases to avoid: scripts/prose.py."""

from __future__ import annotations

from scripts import prose


def test_the_pages_hold_no_phrase_of_the_list() -> None:
    found = [
        f"{page.relative_to(prose.ROOT)}:{line}: {phrase} -> {better}"
        for page in prose.pages()
        for line, phrase, better in prose.find(page.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_phrases_are_found_in_prose_and_not_in_code() -> None:
    page = "A\nfile is told\nof.\n\n```console\n$ is told\n```\n\n    is told\n\n`is told` here\n"
    assert [(line, phrase) for line, phrase, _ in prose.find(page)] == [(2, "is told")]
