"""Built files with bytes changed anywhere: findings, never a traceback."""

from __future__ import annotations

import shutil
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories.artifacts import make_member, write_conda, write_sdist, write_wheel
from tests.factories.checked_files import GOOD
from twofold.check import artifact_findings, check_file

_SETTINGS = settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@_SETTINGS
@given(kind=st.integers(0, 3), data=st.data())
def test_a_damaged_file_gives_findings_or_is_still_right(
    tmp_path: Path, kind: int, data: st.DataObject
) -> None:
    folder = tmp_path / "files"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if kind == 0:
        path = write_wheel(folder, None, GOOD)
    elif kind == 1:
        path = write_sdist(folder, make_member("my_package-1.0.0/a.py", b"x = 1\n"), metadata=GOOD)
    else:
        path = write_conda(folder, ending=".conda" if kind == 2 else ".tar.bz2")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.sampled_from([None, None, len(content) // 2]))])
    assert all(finding.where for finding in [*artifact_findings(path), *check_file(path)])
