#!/usr/bin/env python3
"""Words and turns of phrase that the documentation does without, each with what to write instead.

    scripts/prose.py            every page of docs/, and the README
    scripts/prose.py FILE...    only those

A list of our own, beside codespell's of misspellings; `scripts/test --lint` runs both. Code,
commands and their output are not looked at.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

#: Regular expression -> what to write.
INSTEAD = {
    r"\b(?:is|are|was|were|be) told\b|\btold (?:of|together)\b": "reported, or who reports it",
    r"\b(?:tell|tells) of\b": "reports, lists, names",
    r"\b(?:is|are|was|were) said\b|\bunless said\b|\bas said\b": "stated; by default",
    r"\bwho(?:ever)? asks\b|\bwhoever\b": "the caller, the client; whoever -> anyone who",
    r"\bat hand\b": "local, available",
    r"\bin the manner\b": "as, like",
    r"\banew\b": "again",
    r"\b(?:is|are) none\b": "there is no ..., does not",
    r"\bis no more\b|\bare no more\b": "no longer exists",
    r"\b(?:lies|lie) (?:in|beside|under|at|there|on)\b": "is in, is beside",
    r"\bstands? (?:in|beside|under|there|at) (?!front)": "is in, is written in",
    r"\bas (?!it)\w+ has it\b|\bas it has it\b": "as ... does, by the rules of",
    r"\bcannot be had\b|\bcan be had\b": "is (not) available",
    r"\bfor which there is no\b": "without",
    r"\btakes? its time\b": "is slow",
    r"\btwins?\b": "converted package",
    r"\bof its own accord\b|\bby its own hand\b": "by itself",
    r"\bthe other way (?:around|round)\b": "say both directions",
    r"\bwhereof\b|\bthereof\b|\bwherefore\b|\bhence\b": "of which; so",
    r"\bspeaks?\b|\bspoken\b": "supports; the protocol is",
    r"\bthe very (?!same)": "exactly the",
    r"\bone's own\b|\banother's\b": "your own, the user's own; of another user",
    r"(?:^|[.:;] )Who [a-z]+s\b(?![^.]*\?)": "Anyone who; address the reader; name the role",
    r"\bwho has none\b|\bfor who\b|\bof who\b": "users without; for anyone who",
    r"\bwords? counts?\b|\bword that\b": "decides; the value",
    r"\bwhat (?:was|is) asked\b|\bwhat it (?:was|is) asked\b": "the request",
    r"\bmay not\b": "must not, cannot; it may be that",
    r"\bkept by nobody\b|\bgood for nothing\b|\bin vain\b": "not cached; has no effect",
    r"\bturned? away\b|\blet in\b|\bled (?:in|out|inside)\b": "refused, accepted",
    r"\butili[sz]e": "use",
    r"\bin order to\b": "to",
    r"\bplease note\b|\bnote that\b": "leave it out",
    r"\b(?:simply|obviously|of course)\b": "leave it out",
    r"\be\.g\.|\bi\.e\.": "for example; that is",
}
RULES = [(re.compile(pattern, re.IGNORECASE), better) for pattern, better in INSTEAD.items()]
#: What is not prose: fenced and indented blocks, code between backticks, addresses, comments.
NOT_PROSE = re.compile(
    r"^ *(```+).*?^ *\1`*$|^(?: {4}|\t).*?$|`[^`\n]*`|\]\([^)]*\)|<!--.*?-->|<[^>\n]*>",
    re.MULTILINE | re.DOTALL,
)
#: The glossary names the words it replaces.
LEFT_OUT = {"docs/explanation/glossary.md"}


def find(text: str) -> Iterator[tuple[int, str, str]]:
    """(line, phrase, what to write instead) of each phrase in a page."""
    prose = NOT_PROSE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for rule, better in RULES:
        for match in rule.finditer(prose):
            yield prose.count("\n", 0, match.start()) + 1, " ".join(match[0].split()), better


def pages() -> list[Path]:
    """The pages that a stranger reads."""
    found = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    return [page for page in found if page.relative_to(ROOT).as_posix() not in LEFT_OUT]


def main(words: list[str]) -> int:
    count = 0
    for page in [Path(word) for word in words] or pages():
        for line, phrase, better in sorted(find(page.read_text(encoding="utf-8"))):
            print(f"{page}:{line}: '{phrase}': {better}")
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
