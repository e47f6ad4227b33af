"""The judgement of a readme is readme_renderer's, which PyPI renders with."""

from __future__ import annotations

import io

import pytest
from readme_renderer import rst

from twofold.check.restructured_text import find_mistake

TEXTS = (
    "Title\n=====\n\nWords with *emphasis* and ``code``.",
    "Title\n==\n\nWords.",
    "`a link <https://host",
    "a\n=\n\nb",
    "",
    ".. a comment alone",
    ".. |x| replace:: y",
    ".. meta::\n   :a: b",
    ".. header:: x",
    ".. code:: no-such-language\n\n   x",
    ".. code-block:: python\n   :number-lines: x\n\n   x",
    ".. raw:: html\n\n   <b>x</b>",
    ".. include:: /etc/hostname",
    ".. image:: x.svg\n   :scale: 50",
    ".. unknown:: x",
    ".. math:: \\frac{",
    ":Author: me\n:Date: today",
    "A ``text`` with |missing| and [1]_.",
    "== ==\na b c d\n== ==",
)


@pytest.mark.parametrize("text", TEXTS)
def test_a_readme_is_refused_where_the_renderer_of_pypi_refuses_it(text: str) -> None:
    warnings = io.StringIO()
    refused = rst.render(text, stream=warnings) is None
    mistake = find_mistake(text)
    assert (mistake is not None) == refused
    if mistake and mistake.line:
        assert f"<string>:{mistake.line}: " in warnings.getvalue()
        assert mistake.message in warnings.getvalue()
