"""Markers become several packages, fold away, or are refused; nothing is dropped silently."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.markers import Marker
from rattler import Version, VersionSpec

from twofold.conda_metadata import CondaPackage
from twofold.convert import CondaOptions, make_package, make_packages
from twofold.convert.metadata_sources import from_mapping
from twofold.errors import TwofoldError

HEAD = "Metadata-Version: 2.4\nName: my_package\nVersion: 1.0.0\n"
PURE = ["py3-none-any"]


def make(
    *requires: str,
    python: str = ">=3.9",
    options: CondaOptions | None = None,
    tags: list[str] = PURE,
) -> dict[str, list[str]]:
    """Subdir/build -> depends of the packages made of such metadata."""
    lines = "".join(f"Requires-Dist: {line}\n" for line in requires)
    metadata = f"{HEAD}Requires-Python: {python}\n{lines}".encode()
    packages = make_packages(metadata, None, tags, options)
    return {f"{p.subdir}/{p.build}": list(p.depends) for p in packages}


def test_without_markers_there_is_one_package() -> None:
    assert make("numpy>=1.26") == {"noarch/py_0": ["python >=3.9", "numpy >=1.26"]}


@pytest.mark.parametrize(
    "marker",
    [
        "python_version >= '3.7'",
        "python_version < '4'",
        "python_full_version >= '3.8.1'",
        "platform_python_implementation == 'CPython'",
        "implementation_name != 'pypy'",
        "sys_platform != 'emscripten'",
        "os_name == 'nt' or os_name == 'posix'",
    ],
)
def test_a_marker_that_always_holds_folds_away(marker: str) -> None:
    assert make(f"tomli; {marker}") == {"noarch/py_0": ["python >=3.9", "tomli"]}


@pytest.mark.parametrize(
    "marker",
    [
        "python_version < '3.9'",
        "platform_python_implementation == 'PyPy'",
        "sys_platform == 'cygwin'",
    ],
)
def test_a_marker_that_never_holds_folds_away(marker: str) -> None:
    assert make(f"tomli; {marker}") == {"noarch/py_0": ["python >=3.9"]}


def test_a_platform_makes_a_package_for_each_side() -> None:
    assert make("colorama; sys_platform == 'win32'") == {
        "noarch/unix_py_0": ["python >=3.9", "__unix"],
        "noarch/win_py_0": ["python >=3.9", "colorama", "__win"],
    }


def test_three_platforms_make_three_packages() -> None:
    assert make("a; sys_platform == 'linux'", "b; platform_system == 'Darwin'") == {
        "noarch/linux_py_0": ["python >=3.9", "a", "__linux"],
        "noarch/osx_py_0": ["python >=3.9", "b", "__osx"],
        "noarch/win_py_0": ["python >=3.9", "__win"],
    }


def test_a_python_makes_a_package_for_each_range() -> None:
    assert make("tomli>=1; python_version < '3.11'") == {
        "noarch/pylt311_0": ["python >=3.9,<3.11", "tomli >=1"],
        "noarch/pyge311_0": ["python >=3.11"],
    }


def test_a_patch_version_of_python_bounds_a_package_too() -> None:
    assert make("async-timeout; python_full_version < '3.11.3'") == {
        "noarch/pylt311p3_0": ["python >=3.9,<3.11.3", "async-timeout"],
        "noarch/pyge311p3_0": ["python >=3.11.3"],
    }


def test_the_machine_makes_a_package_for_each_platform() -> None:
    packages = make("greenlet; platform_machine == 'x86_64'")
    assert packages["linux-64/py_0"] == ["python >=3.9", "greenlet"]
    assert packages["linux-aarch64/py_0"] == ["python >=3.9"]
    assert len(packages) == 8


def test_a_target_narrows_down_only_what_differs() -> None:
    target = CondaOptions(python="3.12", platform="linux-64")
    assert make("a; python_version < '3.11'", "b; sys_platform == 'win32'", options=target) == {
        "noarch/unix_pyge311_0": ["python >=3.11", "__unix"]
    }
    assert make("a; platform_machine == 'x86_64'", options=target) == {
        "linux-64/py_0": ["python >=3.9", "a"]
    }
    assert make("a", options=target) == {"noarch/py_0": ["python >=3.9", "a"]}


def test_a_binary_wheel_has_its_markers_answered() -> None:
    tags = ["cp311-cp311-manylinux_2_17_x86_64"]
    assert make(
        "a; python_version >= '3.11'",
        "b; sys_platform == 'win32'",
        "c; platform_machine == 'x86_64'",
        tags=tags,
    ) == {
        "linux-64/py311_0": [
            "python >=3.11,<3.12.0a0",
            "python_abi 3.11.* *_cp311",
            "a",
            "c",
            "__glibc >=2.17",
        ]
    }


@pytest.mark.parametrize("marker", ["platform_release >= '5'", "platform_version == '1'"])
def test_a_marker_that_cannot_be_evaluated_is_an_error_that_names_it(marker: str) -> None:
    with pytest.raises(TwofoldError) as refusal:
        make(f"tomli; {marker}")
    assert marker.split(" ")[0] in str(refusal.value)
    assert "leave-out" in str(refusal.value)
    assert make(f"tomli; {marker}", options=CondaOptions(leave_out=["tomli"]))


def test_the_one_package_of_several_is_an_error_that_names_them() -> None:
    metadata = f"{HEAD}Requires-Dist: a; sys_platform == 'win32'\n".encode()
    with pytest.raises(TwofoldError, match="noarch/unix_py_0, noarch/win_py_0"):
        make_package(metadata, None, PURE)


def test_own_extras_become_constraints_but_not_those_of_developers() -> None:
    metadata = (
        f"{HEAD}Requires-Dist: scipy>=1; extra == 'fast'\n"
        "Requires-Dist: pytest<8; extra == 'test'\n"
        "Requires-Dist: rich; extra == 'fast'\n"
    ).encode()
    package = make_package(metadata, None, PURE)
    assert package.constrains == ("scipy >=1",)
    assert package.depends == ("python",)


def test_extras_of_a_dependency_are_expanded_from_its_metadata() -> None:
    uvicorn = (
        b"Metadata-Version: 2.4\nName: uvicorn\nVersion: 1\n"
        b"Requires-Dist: httptools>=0.6; extra == 'standard'\n"
        b"Requires-Dist: uvloop; sys_platform != 'win32' and extra == 'standard'\n"
        b"Requires-Dist: pytest; extra == 'dev'\n"
    )
    options = CondaOptions(find_metadata=from_mapping({"uvicorn": uvicorn}))
    assert make("uvicorn[standard]>=0.30", options=options) == {
        "noarch/unix_py_0": [
            "python >=3.9",
            "httptools >=0.6",
            "uvicorn >=0.30",
            "uvloop",
            "__unix",
        ],
        "noarch/win_py_0": ["python >=3.9", "httptools >=0.6", "uvicorn >=0.30", "__win"],
    }


def test_an_extra_that_cannot_be_expanded_is_an_error_that_names_it() -> None:
    with pytest.raises(TwofoldError, match=r"uvicorn\[standard\]"):
        make("uvicorn[standard]")


def test_extras_that_name_their_own_project_are_followed_once() -> None:
    everything = (
        b"Metadata-Version: 2.4\nName: big\nVersion: 1\n"
        b"Requires-Dist: big[a,all]; extra == 'all'\nRequires-Dist: x; extra == 'a'\n"
    )
    options = CondaOptions(find_metadata=from_mapping({"big": everything}))
    assert make("big[all]", options=options) == {"noarch/py_0": ["python >=3.9", "big", "x"]}


def test_all_mistakes_of_the_dependencies_are_reported_together() -> None:
    with pytest.raises(TwofoldError) as refusal:
        make("a @ https://example.org/a.whl", "b ===x y", "c")
    message = str(refusal.value)
    assert "a @" in message
    assert "'b ===x y'" in message


ENVIRONMENTS = [
    {"sys_platform": s, "os_name": o, "platform_system": p, "platform_machine": m}
    for s, o, p, m in [
        ("linux", "posix", "Linux", "x86_64"),
        ("linux", "posix", "Linux", "aarch64"),
        ("darwin", "posix", "Darwin", "arm64"),
        ("win32", "nt", "Windows", "AMD64"),
    ]
]
SUBDIRS = ["linux-64", "linux-aarch64", "osx-arm64", "win-64"]
VIRTUAL = {"linux": {"__unix", "__linux"}, "osx": {"__unix", "__osx"}, "win": {"__win"}}
ATOMS = st.sampled_from(
    [
        "python_version < '3.11'",
        "python_version >= '3.10'",
        "python_version != '3.12'",
        "python_full_version < '3.11.4'",
        "python_full_version <= '3.12.0'",
        "sys_platform == 'linux'",
        "sys_platform != 'win32'",
        "platform_system == 'Darwin'",
        "os_name == 'nt'",
        "platform_machine == 'x86_64'",
        "platform_machine in 'arm64 aarch64'",
    ]
)
MARKERS = st.one_of(
    ATOMS,
    st.builds("{} and {}".format, ATOMS, ATOMS),
    st.builds("({} or {}) and {}".format, ATOMS, ATOMS, ATOMS),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(MARKERS, min_size=1, max_size=3))
def test_wherever_it_is_installed_exactly_one_package_fits_and_depends_as_the_markers_say(
    markers: list[str],
) -> None:
    names = [f"dep{number}" for number in range(len(markers))]
    lines = [f"{name}; {marker}" for name, marker in zip(names, markers, strict=True)]
    metadata = (
        HEAD + "Requires-Python: >=3.9\n" + "".join(f"Requires-Dist: {line}\n" for line in lines)
    )
    packages = make_packages(metadata.encode(), None, PURE)
    pythons = ["3.9.0", "3.10.2", "3.11.3", "3.11.4", "3.12.0", "3.12.1", "3.13.5"]
    for (subdir, environment), python in itertools.product(
        zip(SUBDIRS, ENVIRONMENTS, strict=True), pythons
    ):
        minor = python.rpartition(".")[0]
        full = {**environment, "python_version": minor, "python_full_version": python}
        wanted = {n for n, m in zip(names, markers, strict=True) if Marker(m).evaluate(full)}
        fitting = [p for p in packages if fits(p, subdir, python)]
        assert len(fitting) == 1, (subdir, python, [p.build for p in fitting])
        assert {d for d in fitting[0].depends if d.startswith("dep")} == wanted


def fits(package: CondaPackage, subdir: str, python: str) -> bool:
    """Whether a solver could take the package there."""
    if package.subdir not in ("noarch", subdir):
        return False
    guards = {spec for spec in package.depends if spec.startswith("__")}
    spec = package.depends[0].removeprefix("python ")
    return guards <= VIRTUAL[subdir.partition("-")[0]] and bool(
        VersionSpec(spec).matches(Version(python))
    )
