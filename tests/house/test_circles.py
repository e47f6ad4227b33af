"""No two modules need each other, imports for types alone included."""

from __future__ import annotations

from tests.house.source import imports_between


def _circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """The strongly connected components of more than one module (Tarjan)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = lowest[name] = len(number)
        open_.append(name)
        for other in sorted(edges[name]):
            if other not in number:
                visit(other)
                lowest[name] = min(lowest[name], lowest[other])
            elif other in open_:
                lowest[name] = min(lowest[name], number[other])
        if lowest[name] == number[name]:
            start = open_.index(name)
            circle = sorted(open_[start:])
            del open_[start:]
            if len(circle) > 1:
                found.append(circle)

    for name in sorted(edges):
        if name not in number:
            visit(name)
    return found


def test_the_search_finds_a_circle() -> None:
    assert _circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


def test_no_module_imports_itself_through_others() -> None:
    assert _circles(imports_between()) == []
