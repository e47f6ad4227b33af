"""The findings of built files that were checked before, from the user's cache."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.check.test_extra_rules import install_acme
from tests.factories.artifacts import write_wheel
from tests.factories.checked_files import with_fields
from twofold.check import check_files
from twofold.check.cache import checks_folder
from twofold.check.checked_files import load_findings, make_key, save_findings
from twofold.check.finding import Finding

GOOD = {"my_package/__init__.py": b""}
BROKEN = {"my_package/__init__.py": b"", "my_package/b.py": b"def f(:\n"}


def kept() -> list[str]:
    """The entries of findings in the cache."""
    folder = Path(checks_folder(), "findings")
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_second_check_gives_the_same_findings_from_the_cache(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, BROKEN, with_fields())
    first = check_files([wheel])
    assert "TF101" in {finding.code for finding in first}
    (entry,) = kept()
    assert check_files([wheel]) == first
    assert check_files([wheel], ignore=["TF101"]) == [f for f in first if f.code != "TF101"]
    assert kept() == [entry]
    key = make_key([wheel], ())
    assert key is not None and load_findings(key) == first


def test_the_cache_is_what_the_second_check_reads(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, GOOD, with_fields())
    key = make_key([wheel], ())
    mark = Finding("TF101", "error", "from the cache", "a hint", "x.whl: a.py:1")
    assert key is not None
    save_findings(key, [mark])
    assert check_files([wheel]) == [mark]


def test_another_content_name_neighbour_or_setting_is_checked_again(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, BROKEN, with_fields())
    keys = {make_key([wheel], ()), make_key([wheel], ("*.pem",))}
    (tmp_path / "sub").mkdir()
    other = write_wheel(tmp_path / "sub", GOOD, with_fields())
    assert other.name == wheel.name
    keys |= {make_key([other], ()), make_key([wheel, other], ())}
    renamed = other.rename(other.with_name(other.name.replace("py3", "py2")))
    keys.add(make_key([renamed], ()))
    assert len(keys) == 5 and None not in keys
    assert make_key([wheel, renamed], ()) == make_key([renamed, wheel], ())
    assert any(finding.code == "TF101" for finding in check_files([wheel]))
    wheel.unlink()
    write_wheel(tmp_path, GOOD, with_fields())
    assert not any(finding.code == "TF101" for finding in check_files([wheel]))


@pytest.mark.parametrize(
    "damage", [b"", b"[", b"[1]", b"{}", b'{"findings": ["TF101", 1]}', b"\xff\xfe"]
)
def test_a_damaged_entry_is_not_read(tmp_path: Path, damage: bytes) -> None:
    wheel = write_wheel(tmp_path, BROKEN, with_fields())
    first = check_files([wheel])
    (entry,) = kept()
    Path(checks_folder(), "findings", entry).write_bytes(damage)
    assert check_files([wheel]) == first


def test_nothing_is_kept_of_rules_of_other_distributions(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    env = install_acme(tmp_path, "[twofold.rules]\nACME001 = acme_twofold:RULE\n")
    wheel = write_wheel(tmp_path, {**GOOD, "my_package/tom.cat": b"meow"}, with_fields())
    assert twofold("check", wheel).code == 0
    before = kept()
    ran = twofold("check", wheel, env=env)
    assert ran.code == 1 and "ACME001" in ran.out
    assert kept() == before != []


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_what_was_built_at_another_time_has_the_same_key(tmp_path: Path, form: int) -> None:
    sdist, wheel = tmp_path / "a-1.tar.gz", tmp_path / "a-1-py3-none-any.whl"
    keys = []
    for year, data in ((2001, b"same"), (2002, b"same"), (2002, b"else")):
        with tarfile.open(sdist, "w:gz", format=form) as tar:
            for name in ("a-1/a.py", "a-1/ä.py"):
                member = tarfile.TarInfo(name)
                member.size, member.mtime = len(data), year + 0.5
                tar.addfile(member, io.BytesIO(data))
        with zipfile.ZipFile(wheel, "w") as archive:
            for name in ("a.py", "b.py"):
                archive.writestr(zipfile.ZipInfo(name, (year, 1, 2, 3, 4, 6)), data)
        keys += [make_key([path], ()) for path in (sdist, wheel)]
    assert keys[:2] == keys[2:4]
    assert len({*keys[2:]}) == 4


def test_a_missing_file_has_no_key(tmp_path: Path) -> None:
    assert make_key([tmp_path / "none.whl"], ()) is None
    assert check_files([tmp_path / "none.whl"]) != []
    assert kept() == []


def test_what_is_installed_later_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = write_wheel(tmp_path, GOOD, with_fields())
    before = make_key([wheel], ())
    assert make_key([wheel], ()) == before
    (tmp_path / "site" / "rarely_seen-1.0.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert make_key([wheel], ()) != before
