"""Records of revision 3 keep conditions and extras, and rattler reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rattler import MatchSpec

from tests.conftest import Ran
from tests.formats.making import METADATA, put_wheel
from twofold.convert.v3 import wheel_record
from twofold.errors import TwofoldError
from twofold.formats.opening import read

LINES = """\
Requires-Python: >=3.9
Requires-Dist: numpy<3,>=1.26
Requires-Dist: colorama; sys_platform == 'win32'
Requires-Dist: tomli>=1; python_version < '3.11'
Requires-Dist: pywin; sys_platform == 'win32' and python_version >= '3.12'
Requires-Dist: old; python_version < '3'
Requires-Dist: uvicorn[standard]>=0.30; platform_system != 'Windows'
Requires-Dist: rich>=13; extra == 'fancy'
Requires-Dist: torch; extra == 'fancy' and sys_platform == 'linux'
Provides-Extra: fancy
"""


def test_conditions_and_extras_are_kept_and_rattler_reads_them(tmp_path: Path) -> None:
    artifact = read(put_wheel(tmp_path, metadata=METADATA + LINES))
    key, record = wheel_record(artifact, "../x.whl", 1000)
    assert key == "my_package-1.0.0-py3_none_any_0"
    assert record["depends"] == [
        'python[version=">=3.9"]',
        'colorama[when="__win"]',
        'numpy[version=">=1.26,<3dev0"]',
        'pywin[when="python>=3.12 and __win"]',
        'tomli[version=">=1",when="python<3.11"]',
        'uvicorn[version=">=0.30",extras=[standard],when="__unix"]',
    ]
    assert record["extra_depends"] == {"fancy": ['pytorch[when="__linux"]', 'rich[version=">=13"]']}
    assert (record["sha256"], record["size"]) == (artifact.sha256, artifact.size)
    for spec in [*record["depends"], *record["extra_depends"]["fancy"]]:
        assert MatchSpec(spec).name is not None


def test_the_machine_is_an_error_that_names_the_marker(tmp_path: Path) -> None:
    metadata = METADATA + "Requires-Dist: a; platform_machine == 'x86_64'\n"
    with pytest.raises(TwofoldError, match="platform_machine"):
        wheel_record(read(put_wheel(tmp_path, metadata=metadata)), "x")


def test_index_writes_them_where_asked_for(tmp_path: Path, twofold: Callable[..., Ran]) -> None:
    put_wheel(tmp_path / "dist", metadata=METADATA + LINES)
    assert twofold("index", tmp_path, "--v3").code == 0
    found = json.loads((tmp_path / "noarch/repodata.json").read_text("utf-8"))
    (record,) = found["v3"]["whl"].values()
    assert record["url"] == "../dist/my_package-1.0.0-py3-none-any.whl"
    assert found["info"]["repodata_revisions"]["v3"]["n_packages"] == 1
    assert found["repodata_version"] == 1
