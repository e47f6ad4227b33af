"""Markers are evaluated as packaging does it, in a time that no file can stretch."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.markers import Marker

from twofold.convert import make_packages
from twofold.convert.marker_evaluation import parse_marker
from twofold.errors import TwofoldError
from twofold.names.platforms import make_marker_environment

HEAD = "Metadata-Version: 2.4\nName: my_package\nVersion: 1.0.0\nRequires-Python: >=3.9\n"

COMPARISONS = st.sampled_from(
    [
        'python_version >= "3.10"',
        '"3.8" < python_version',
        'python_full_version != "3.11.4"',
        'python_version in "3.9, 3.10"',
        'python_version not in "3.9"',
        'sys_platform == "win32"',
        '"linux" in sys_platform',
        'os_name not in "nt"',
        "platform_machine == 'arm\"64'",
        'platform_machine == "and (or)"',
        'extra == "Dev_Tools"',
        '"x" == extra',
        'platform_machine > "x"',
    ]
)
MARKERS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(" ".join),
        inner.map("({})".format),
    ),
    max_leaves=8,
)
PLACES = [("linux-64", "3.9.0"), ("osx-arm64", "3.11.4"), ("win-64", "3.12.1")]


@settings(max_examples=150, deadline=None)
@given(text=MARKERS, extra=st.sampled_from(["", "x", "dev-tools"]))
def test_a_marker_holds_where_packaging_has_it(text: str, extra: str) -> None:
    marker = Marker(text)
    for place in PLACES:
        environment = make_marker_environment(*place)
        wanted = marker.evaluate({**environment, "extra": extra})
        assert parse_marker(marker).holds(environment, extra) == wanted


def metadata_of(*lines: str) -> bytes:
    return (HEAD + "".join(f"Requires-Dist: {line}\n" for line in lines)).encode()


def test_long_markers_take_no_long_time() -> None:
    """6 kB of them, compressed, took two minutes."""
    versions = [f"python_version == '3.{minor}'" for minor in range(100)]
    metadata = metadata_of(*(f"x{n}; {' or '.join(versions)}" for n in range(40)))
    begun = time.process_time()
    make_packages(metadata, None, ["py3-none-any"])
    assert time.process_time() - begun < 5


def test_markers_that_name_very_many_patch_versions_are_refused() -> None:
    versions = [f"python_full_version == '3.9.{patch}'" for patch in range(300)]
    with pytest.raises(TwofoldError, match="too many patch versions"):
        make_packages(metadata_of(f"x; {' or '.join(versions)}"), None, ["py3-none-any"])


@pytest.mark.parametrize(
    "marker", ["os_name ~= 'posix'", "implementation_name === 'x'", "python_version ~= '3'"]
)
def test_a_comparison_that_no_installer_can_make_is_an_error_with_a_place(marker: str) -> None:
    with pytest.raises(TwofoldError, match="by an operator of versions"):
        make_packages(metadata_of(f"x; {marker}"), None, ["py3-none-any"])
