"""Consoles with few characters: every command prints, and nothing ends in a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

#: Lines that print signs of our own, names from the disk, and JSON.
LINES = (
    "--help",
    "publish --help",
    "check .",
    "check . --json",
    "publish --to nowhere",
    "check \u4e2d\u6587.whl",
    "version",
    "index \u00fcber",
)
RUNNER = """
import json, sys
from twofold.cli import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit:
        pass
    sys.stdout.flush(); sys.stderr.flush()
print("done")
"""


@pytest.mark.windows
@pytest.mark.parametrize("encoding", ["ascii", "cp437", "cp1252"])
def test_a_narrow_console_gets_every_message(encoding: str, tmp_path: Path) -> None:
    folder = tmp_path / "caf\u00e9 \u4e2d"
    folder.mkdir()
    (folder / "\u00fcber").mkdir()
    text = '[project]\nname = "demo"\nversion = "1.0"\ndescription = "\u4e2d \u2026 \u2192"\n'
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    (folder / "demo.py").write_text('"""\u2026"""\n', encoding="utf-8")
    lines = json.dumps([line.split() for line in LINES])
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, lines],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    out, err = done.stdout.decode(encoding), done.stderr.decode(encoding)
    assert "Traceback" not in err, err
    assert out.rstrip().endswith("done")
    assert any(line.startswith('{"findings"') and json.loads(line) for line in out.splitlines())
    if encoding != "cp1252":  # which has the sign
        assert "\u2026" not in out + err
        assert "..." in out + err


@pytest.mark.skipif(os.name == "nt", reason="the C locale of POSIX")
def test_the_c_locale_of_an_old_system_gets_every_message(tmp_path: Path) -> None:
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    env.pop("PYTHONIOENCODING", None)
    for words in (["check", "\u4e2d.whl"], ["new", "caf\u00e9"], ["publish", "--to", "nowhere"]):
        command = [sys.executable, "-m", "twofold", *map(os.fsencode, words)]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=False)
        assert done.returncode in (1, 2)
        assert done.stderr.startswith(b"error: ")
        assert b"Traceback" not in done.stderr
