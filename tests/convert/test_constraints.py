"""A project's own extras: constraints where they can be, else told; nothing is dropped silently."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories.artifacts import METADATA
from twofold.convert import CondaOptions, make_packages
from twofold.convert.package import list_dropped_requirements
from twofold.convert.requirements import parse_requirement, to_match_spec
from twofold.errors import TwofoldError

PURE = ["py3-none-any"]
HEAD = METADATA + "Requires-Python: >=3.9\nProvides-Extra: fast\nProvides-Extra: test\n"


def classify(*requires: str, tags: list[str] = PURE) -> tuple[list[str], list[str], list[str]]:
    """constrains, notes and what is unsaid of a wheel with such requirements."""
    metadata = (HEAD + "".join(f"Requires-Dist: {line}\n" for line in requires)).encode()
    packages = make_packages(metadata, None, tags)
    return (
        list(packages[0].constrains),
        list(packages[0].notes),
        list_dropped_requirements(metadata, tags),
    )


@pytest.mark.parametrize(
    "marker",
    [
        "extra == 'fast'",
        "extra == 'fast' and python_version >= '3.8'",
        "'fast' == extra and platform_python_implementation == 'CPython'",
        "(extra == 'fast' or extra == 'test') and python_version < '4'",
    ],
)
def test_an_extra_whose_marker_holds_wherever_the_package_is_for_is_a_constraint(
    marker: str,
) -> None:
    assert classify(f"numba>=0.60; {marker}") == (["numba >=0.60"], [], [])


def test_an_extra_that_holds_only_somewhere_is_a_note() -> None:
    requirement = "uvloop>=0.15; extra == 'fast' and sys_platform != 'win32'"
    constrains, notes, unsaid = classify(requirement)
    assert (constrains, unsaid) == ([], [])
    assert notes == [
        f"'{requirement}' is not a constraint: it holds only on some Pythons or platforms, "
        "and a constraint holds everywhere"
    ]
    assert classify(requirement, tags=["cp311-cp311-manylinux_2_17_x86_64"])[0] == ["uvloop >=0.15"]


def test_an_address_that_only_an_extra_wants_stops_no_package() -> None:
    requirement = "numba @ https://example.org/numba.whl ; extra == 'fast'"
    assert classify(requirement) == ([], [], [f"{requirement}: an extra that takes any version"])
    with pytest.raises(TwofoldError, match="names a URL"):
        classify("numba @ https://example.org/numba.whl ; python_version > '3'")


def test_extras_that_want_two_versions_are_notes() -> None:
    constrains, notes, _ = classify(
        "a>=1; extra == 'fast'", "a<1; extra == 'slow'", "b>1; extra=='x'"
    )
    assert constrains == ["b >1,!=1.post.*"]
    assert len(notes) == 2
    assert all("extras want a in 2 ways" in note for note in notes)


def test_what_the_rules_leave_out_is_reported_as_dropped_with_its_reason() -> None:
    assert classify(
        "pytest<9; extra == 'test'",
        "rich; extra == 'fast'",
        "old>=1; extra == 'fast' and python_version < '3'",
        "older; python_version < '3'",
    ) == (
        [],
        [],
        [
            "pytest<9; extra == 'test': an extra for developers",
            "rich; extra == 'fast': an extra that takes any version",
            "old>=1; extra == 'fast' and python_version < '3': "
            "holds nowhere that the package is for",
            "older; python_version < '3': holds nowhere that the package is for",
        ],
    )


def test_extras_of_a_dependency_that_never_applies_need_no_metadata() -> None:
    constrains, _, unsaid = classify(
        "uvicorn[standard]>=1; python_version < '3'",
        "httpx[http2]>=1; extra == 'fast' and python_version > '3'",
    )
    assert constrains == ["httpx >=1"]
    assert unsaid == [
        "uvicorn[standard]>=1; python_version < '3': holds nowhere that the project is for"
    ]


ATOMS = st.sampled_from(
    [
        "extra == 'fast'",
        "extra == 'test'",
        "extra != 'fast'",
        "python_version < '3.11'",
        "python_version >= '3'",
        "python_version < '3'",
        "python_full_version < '3.11.4'",
        "sys_platform == 'win32'",
        "platform_machine == 'x86_64'",
        "platform_python_implementation == 'PyPy'",
    ]
)
MARKERS = st.one_of(
    st.just(""),
    ATOMS,
    st.builds("{} and {}".format, ATOMS, ATOMS),
    st.builds("{} or {}".format, ATOMS, ATOMS),
    st.builds("({} or {}) and {}".format, ATOMS, ATOMS, ATOMS),
)
SPECS = st.sampled_from(["", ">=1", "<2", "~=1.4", "===x y", "==1.0+cpu"])
EXTRAS = st.sampled_from(["", "", "", "[more]"])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(EXTRAS, SPECS, MARKERS), min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
)
def test_every_requirement_becomes_a_dependency_a_constraint_or_a_report(
    drawn: list[tuple[str, str, str]], v3: bool, pure: bool
) -> None:
    dep = METADATA.replace("my_package", "x") + "Provides-Extra: more\n"
    options = CondaOptions(v3=v3, find_metadata=lambda *_: dep.encode())
    lines = [
        f"dep{number}{extras}{spec}" + (f"; {marker}" if marker else "")
        for number, (extras, spec, marker) in enumerate(drawn)
    ]
    metadata = (HEAD + "".join(f"Requires-Dist: {line}\n" for line in lines)).encode()
    tags = PURE if pure else ["cp311-cp311-win_amd64"]
    try:
        packages = make_packages(metadata, None, tags, options)
        unsaid = list_dropped_requirements(metadata, tags, options)
    except TwofoldError as error:
        assert any("dep" in f"{p.message} {p.where}" for p in error.problems)
        return
    message = {spec for p in packages for spec in (*p.depends, *p.constrains)}
    for package in packages:
        message |= {
            spec for own in package.extra_index.get("extra_depends", {}).values() for spec in own
        }
    words = [*(note for p in packages for note in p.notes), *unsaid]
    for line in lines:
        need = parse_requirement(line)
        name, _, version = to_match_spec(need, options).partition(" ")
        is_stated = any(
            spec == name or spec.startswith((f"{name} {version}", f"{name}[")) for spec in message
        )
        assert is_stated or any(line in word for word in words), (line, message, words)


def test_an_unreadable_requirement_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(TwofoldError, match="not a requirement"):
        classify("this is ~ no requirement")
