"""Words of texts and of queries, the same for both databases.

A document is a set of tokens `class:word`. Classes: `k` the whole name without separators, `i` its
endings (a query's beginning finds any part of a name), `w` the words of the name, `s` these and
those of summary and keywords, `t` all words; of what is filtered by: `c` channel, `f` world, `p`
platform, `l` license, `y` Python; `d` what it requires. A query is tried as `k`, `w`, `i`, `s` and
`t`, in this order.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: Characters of one text that are read, and different words of it that are kept.
MAX_TEXT, MAX_WORDS = 20_000, 500

#: The longest word (characters); longer ones are cut, in queries too.
MAX_WORD = 40

#: The longest name of which all endings are kept (characters without separators).
MAX_NAME = 60

#: Characters and words of a query that are read.
MAX_QUERY, MAX_TERMS = 200, 8

#: Beginnings of words are searched for from this length on.
MIN_PREFIX = 3

_WORD = re.compile(r"[^\W_]+")


def split_words(text: str, most: int = MAX_WORDS) -> list[str]:
    """Return at most `most` different words of a text, without case and accents."""
    plain = unicodedata.normalize("NFKD", text[:MAX_TEXT])
    plain = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    found: dict[str, None] = {}
    for word in _WORD.findall(plain):
        found.setdefault(word[:MAX_WORD])
        if len(found) == most:
            break
    return list(found)


@dataclass(frozen=True, slots=True)
class Document:
    """The texts of a project: its names, and texts by their weight. Facets are tokens."""

    names: tuple[str, ...]
    summary: str = ""
    text: str = ""
    facets: frozenset[str] = frozenset()

    @property
    def tokens(self) -> list[str]:
        """The tokens of the document, sorted."""
        found = set(self.facets)
        for name in self.names:
            words = split_words(name, MAX_TERMS * 2)
            found.update(f"{kind}:{word}" for kind in "wst" for word in words)
            joined = "".join(words)[:MAX_NAME]
            found.add(f"k:{joined}")
            ends = range(len(joined) - MIN_PREFIX + 1)
            found.update(f"i:{joined[at : at + MAX_WORD]}" for at in ends)
        words = split_words(self.summary)
        found.update(f"{kind}:{word}" for kind in "st" for word in words)
        found.update(f"t:{word}" for word in split_words(self.text))
        return sorted(found)


def make_facet(kind: str, value: str) -> str:
    """Return the token of a value to filter by: `l`, 'Apache-2.0' -> 'l:apache20'."""
    return f"{kind}:{''.join(split_words(value, MAX_TERMS * 2))[:MAX_WORD]}"


def make_requirement_token(name: str) -> str:
    """Return the token of a project that requires one of this normalised name."""
    return f"d:{re.sub('[^a-z0-9]', ':', name)}"


@dataclass(frozen=True, slots=True)
class Term:
    """A token to look for, or all that begin with it."""

    token: str
    is_prefix: bool = False


#: All of these, each as one of several.
Condition = tuple[tuple[Term, ...], ...]


def make_tiers(text: str) -> list[Condition]:
    """Return the conditions of a query, the best hits first; [] for a query without a word."""
    terms = split_words(text[:MAX_QUERY], MAX_TERMS)
    if not terms:
        return []
    joined = "".join(terms)[:MAX_NAME]
    tiers = [_all_of([Term(f"k:{joined}")]), _all_of([Term(f"k:{joined}", is_prefix=True)])]
    tiers.append(_all_of([_begin("w", term) for term in terms]))
    if len(joined) >= MIN_PREFIX:
        tiers.append(_all_of([Term(f"i:{joined[:MAX_WORD]}", is_prefix=True)]))
    tiers.append(_all_of([_begin("s", term) for term in terms]))
    exact = [Term(f"t:{term}") for term in terms[:-1]]
    tiers.append(_all_of([*exact, _begin("t", terms[-1])]))
    return tiers


def _begin(kind: str, word: str) -> Term:
    return Term(f"{kind}:{word}", is_prefix=len(word) >= MIN_PREFIX)


def _all_of(terms: Sequence[Term]) -> Condition:
    return tuple((term,) for term in terms)


def one_of(tokens: Iterable[str]) -> tuple[Term, ...]:
    """Return a part of a condition that one of these tokens fulfils."""
    return tuple(Term(token) for token in tokens)
