"""PEP 440 specifiers in conda's grammar: packaging and rattler's matcher must agree."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from rattler import MatchSpec, Version, VersionSpec

from twofold.convert.options import CondaOptions
from twofold.convert.requirements import parse_requirement, to_match_spec
from twofold.convert.versions import to_conda_spec
from twofold.errors import TwofoldError

SMALL = st.one_of(st.integers(0, 3), st.integers(0, 3), st.sampled_from([9, 10, 99, 20261123]))


@st.composite
def versions(draw: st.DrawFn, local: bool = False) -> str:
    """Versions with three components, as canonical PEP 440 writes them."""
    epoch = draw(st.sampled_from(["", "", "", "1!"]))
    release = ".".join(str(draw(SMALL)) for _ in range(3))
    pre = draw(st.sampled_from(["", "", "a", "b", "rc"]))
    pre = f"{pre}{draw(SMALL)}" if pre else ""
    post = draw(st.sampled_from(["", "", f".post{draw(SMALL)}"]))
    dev = draw(st.sampled_from(["", "", f".dev{draw(SMALL)}"]))
    end = draw(st.sampled_from(["+cpu", "+l.1"])) if local else ""
    return f"{epoch}{release}{pre}{post}{dev}{end}"


@st.composite
def clauses(draw: st.DrawFn) -> str:
    operator = draw(st.sampled_from([">=", "<=", ">", "<", "==", "!=", "~=", "==*", "!=*"]))
    if operator.endswith("*"):
        epoch = draw(st.sampled_from(["", "", "1!"]))
        release = ".".join(str(draw(SMALL)) for _ in range(draw(st.integers(1, 3))))
        return f"{operator[:2]}{epoch}{release}.*"
    return operator + draw(versions())


def contains_in_both(specifiers: str, version: str) -> tuple[bool, bool]:
    """What packaging says, pre-releases admitted, and what rattler says of the translation."""
    theirs = SpecifierSet(specifiers).contains(version, prereleases=True)
    spec = to_conda_spec(specifiers)
    return theirs, not spec or bool(VersionSpec(spec).matches(Version(version)))


@settings(max_examples=1500, deadline=None)
@given(st.lists(clauses(), min_size=1, max_size=3), versions())
@example([">=2.0.0.dev0"], "2.0.0a1")
@example(["<2.0.0"], "2.0.0a0.dev0")
@example([">1.0.0"], "1.0.0.post1")
@example(["<1.0.0.post1"], "1.0.0a1")
@example(["<=1.0.0rc1"], "1.0.0.dev1")
def test_packaging_and_rattler_agree(drawn: list[str], version: str) -> None:
    theirs, ours = contains_in_both(",".join(drawn), version)
    assert theirs == ours, to_conda_spec(",".join(drawn))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([">=", "<=", ">", "<", "==", "!=", "~="]), SMALL, SMALL)),
    st.lists(SMALL, min_size=1, max_size=5),
)
def test_final_releases_agree_however_many_components_are_written(
    drawn: list[tuple[str, int, int]], release: list[int]
) -> None:
    specifiers = ",".join(f"{operator}{major}.{minor}" for operator, major, minor in drawn)
    theirs, ours = contains_in_both(specifiers, ".".join(map(str, release)))
    assert theirs == ours


@pytest.mark.parametrize(
    ("pypi", "conda"),
    [
        ("", ""),
        (">=1.26", ">=1.26"),
        ("<3,>=1.26", ">=1.26,<3dev0"),
        (">= 1.0 , != 1.5", ">=1.0,!=1.5"),
        ("~=1.4.2", ">=1.4.2,1.4.*"),
        ("==1.4.*", "1.4.*"),
        ("!=1.4.*", "!=1.4.*"),
        ("==1!2.0", "==1!2.0"),
        ("===1.0", "==1.0"),
        ("==1.0+cpu", "==1.0+cpu"),
        (">1.0", ">1.0,!=1.0.post.*"),
        (">=1.0c1", ">=1.0rc1,!=1.0.dev.*"),
        (">=2.0.dev0", ">=2.0dev0"),
        ("~=2.2.post3", ">=2.2.post3,2.*"),
    ],
)
def test_what_is_written(pypi: str, conda: str) -> None:
    assert to_conda_spec(pypi) == conda


@pytest.mark.parametrize("specifiers", ["===foobar", "~=1", ">=1.0.*", "=>1", "1.0", "==a.*"])
def test_what_cannot_be_expressed_is_an_error_that_names_it(specifiers: str) -> None:
    with pytest.raises(TwofoldError) as refusal:
        to_conda_spec(specifiers)
    assert specifiers in str(refusal.value)


@given(st.text(max_size=12))
def test_any_text_is_translated_or_refused_with_a_message(text: str) -> None:
    try:
        to_conda_spec(text)
    except TwofoldError as error:
        assert error.problems[0].message


# Where conda's grammar cannot agree: docs/reference/convert.md tells of each of these.


def test_difference_local_versions_match_only_exactly() -> None:
    assert contains_in_both("==1.0", "1.0+cpu") == (True, False)
    assert contains_in_both("==1.0+cpu", "1.0+cpu") == (True, True)


def test_difference_pre_releases_are_not_left_out_by_default() -> None:
    assert not SpecifierSet(">=1.0").contains("2.0a1", prereleases=False)  # as pip asks it
    assert VersionSpec(to_conda_spec(">=1.0")).matches(Version("2.0a1"))


def test_difference_arbitrary_equality_compares_versions() -> None:
    assert contains_in_both("===1.0", "1.0.0") == (False, True)


def test_difference_suffixes_need_the_same_number_of_components() -> None:
    assert contains_in_both(">=1.0a1", "1.0.0a0") == (False, True)
    assert contains_in_both("==1.0.0a1", "1.0a1") == (True, False)


@settings(max_examples=200, deadline=None)
@given(clauses())
def test_a_whole_requirement_is_a_matchspec_that_rattler_reads(clause: str) -> None:
    try:
        Requirement(f"my-package{clause}")
    except InvalidSpecifier:
        assume(False)
    spec = to_match_spec(parse_requirement(f"my-package{clause}"), CondaOptions())
    assert MatchSpec(spec).name.normalized == "my-package"
