"""Every code a registry may refuse with stands in the reference of errors, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def codes_in_the_source() -> set[str]:
    found = set()
    for path in (ROOT / "src" / "twofold").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Refused" and node.args:
                code = node.args[0]
                if isinstance(code, ast.Constant):
                    found.add(str(code.value))
    return found


def test_the_reference_lists_every_code_of_a_refusal() -> None:
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE))
    assert listed == codes_in_the_source()


def test_every_message_of_twofold_on_the_page_of_troubles_is_in_the_code() -> None:
    page = (ROOT / "docs" / "how-to" / "troubleshooting.md").read_text(encoding="utf-8")
    ours = page.partition("## pip\n")[0]
    rows = re.findall(r"^\| (`.*?) \|", ours, re.MULTILINE)
    messages = [word for row in rows for word in re.findall(r"`([^`]+)`", row)]
    assert len(messages) > 30
    files = [path for folder in ("src", "backend/src") for path in (ROOT / folder).rglob("*.py")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    foreign = {"No matching distribution found"}  # pip's, beside `twofold install`
    lost = [
        part
        for message in messages
        for part in message.split("...")  # a value is put in there
        if not message.isdecimal() and message not in foreign and part not in source
    ]
    assert lost == []
