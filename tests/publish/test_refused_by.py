"""What only PyPI refuses stops a publication to PyPI; elsewhere it is a warning. What is broken
goes nowhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import make_wheel
from tests.servers.package_servers import TOKEN, AnacondaServer, run_server
from twofold.check.rule_table import RULES, Rule
from twofold.publish.targets.kinds import KINDS

#: What goes into METADATA for TF020, TF022 and TF027 to speak.
ODD = """Classifier: Programming Language :: Pythonn
Requires-Dist: other @ https://example.org/other-1.0.zip
Project-URL: Docs, ftp://example.org
"""
CODES = ["TF020", "TF022", "TF027"]


@pytest.fixture
def pypi(registry: Any, tmp_path: Path) -> str:
    """A target of the kind `pypi`: a registry stands in for the index and is asked what it has."""
    folder = tmp_path / "twofold-config"
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(
        f'[targets.warehouse]\nkind = "pypi"\nurl = "{registry.channel}/legacy/"\n'
        f'index = "{registry.channel}/simple/"\n'
    )
    return "warehouse"


def test_every_rule_says_which_kinds_of_target_hold_to_it() -> None:
    known = {*KINDS, "all"}
    assert [rule.code for rule in RULES if not rule.refused_by <= known] == []
    silent = [r.code for r in RULES if (r.severity == "error") != bool(r.refused_by)]
    assert silent == []


@pytest.mark.parametrize("rule", [r for r in RULES if r.severity == "error"], ids=lambda r: r.code)
def test_what_one_target_refuses_pypi_refuses_too(rule: Rule) -> None:
    assert rule.stops("pypi")
    assert rule.stops("folder") == rule.stops("legacy") == rule.stops("anaconda")


def test_a_local_version_goes_to_a_registry_a_folder_and_anaconda_with_a_warning(
    twofold: Callable[..., Any], registry: Any, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "my_package", "1.0+local")
    with run_server(AnacondaServer) as (address, _):
        places = [registry.channel, "./static", f"anaconda+{address}/api/me"]
        words = [word for place in places for word in ("--to", place)]
        tokens = {"TWOFOLD_TOKEN": registry.token, "ANACONDA_API_TOKEN": TOKEN}
        ran = twofold("publish", wheel, *words, env=tokens)
    assert ran.code == 0, ran.err
    assert "published: 3 uploaded" in ran.out
    assert "warning: my_package-1.0+local-py3-none-any.whl: version: the version" in ran.err
    assert "error" not in ran.err


def test_what_pypi_and_registries_refuse_goes_into_a_folder_with_a_warning(
    twofold: Callable[..., Any], registry: Any, tmp_path: Path
) -> None:
    """The registry is asked itself whether it is as the rule says."""
    wheel = make_wheel(tmp_path, "my_package", "1.0", extra=ODD)
    token = {"TWOFOLD_TOKEN": registry.token}
    words = ["publish", wheel, "--dry-run", "--json", "--to"]
    dry = twofold(*words, "./static")
    severities = {finding["code"]: finding["severity"] for finding in dry.json["findings"]}
    assert (dry.code, {severities[code] for code in CODES}) == (0, {"warning"})
    assert twofold("publish", wheel, "--to", "./static").code == 0
    plan = twofold(*words, registry.channel, env=token)
    assert (plan.code, sorted(plan.json["files"][0]["rules"])) == (1, CODES)
    requested = twofold("publish", wheel, "--to", f"legacy+{registry.channel}/legacy/", env=token)
    assert requested.code == 1
    assert all(f"[{code}]" in requested.err for code in CODES)


def test_what_pypi_refuses_stops_the_other_targets_when_pypi_is_one_of_them(
    twofold: Callable[..., Any], pypi: str, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "my_package", "1.0+local")
    words = ["publish", wheel, "--to", "./static", "--to", pypi]
    ran = twofold(*words, env={"TWOFOLD_TOKEN_WAREHOUSE": "some-token"})
    assert ran.code == 1
    assert "error: my_package-1.0+local-py3-none-any.whl: version: the version" in ran.err
    assert not (tmp_path / "static").exists()
    dry = twofold(*words, "--dry-run", "--json")
    assert [row["action"] for row in dry.json["files"]] == ["upload", "refused"]


def test_a_secret_in_a_file_stops_every_target(twofold: Callable[..., Any], tmp_path: Path) -> None:
    key = "-----BEGIN RSA " + "PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA" * 4
    wheel = make_wheel(tmp_path, "my_package", "1.0", code=f'KEY = """{key}"""\n')
    ran = twofold("publish", wheel, "--to", "./static")
    assert ran.code == 1
    assert "TF201" in ran.err
    assert not (tmp_path / "static").exists()
