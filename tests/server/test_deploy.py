"""The examples in deploy/: read by the programs they are for, and in step with the registry."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from twofold.cli.server_settings import SERVING, STORE
from twofold.server.web.status import Metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
needs = {
    name: pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not installed")
    for name in ("systemd-analyze", "nginx", "caddy", "logrotate", "openssl", "hadolint")
}


def run(*words: str | Path) -> str:
    done = subprocess.run(list(words), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_dashboard_shows_metrics_that_the_registry_has() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "twofold.json").read_text())
    named = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"twofold_\w+", target["expr"])
    }
    metrics = Metrics()
    metrics.observe("GET", 200, 0.1, 1)
    have = set(re.findall(r"^(twofold_\w+)", metrics.render(), re.MULTILINE))
    assert named and sorted(named - have) == []
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in named}
    assert shown == {re.sub(r"_(bucket|sum|count)$", "", name) for name in have}
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_the_container_runs_as_nobody_special_and_keeps_its_data() -> None:
    lines = (DEPLOY / "container" / "Containerfile").read_text().splitlines()
    words = [line.split() for line in lines if line and line[0].isupper()]
    used = [line[0] for line in words]
    assert used.index("FROM") < used.index("USER") < used.index("ENTRYPOINT")
    assert [line[1] for line in words if line[0] == "USER"] == ["10001"]
    assert "ADD" not in used and "HEALTHCHECK" in used and ["VOLUME", "/data"] in words
    assert not any(line[1].endswith(":latest") for line in words if line[0] == "FROM")
    named = set(re.findall(r"TWOFOLD_\w+(?==)", "\n".join(lines)))
    assert named <= {option.variable for option in (*STORE, *SERVING)}


@needs["hadolint"]
def test_a_linter_finds_nothing_in_the_container_file() -> None:
    run("hadolint", DEPLOY / "container" / "Containerfile")


@needs["systemd-analyze"]
def test_systemd_reads_the_units_and_finds_the_service_well_closed(tmp_path: Path) -> None:
    for path in (DEPLOY / "systemd").iterdir():
        text = path.read_text().replace("/opt/twofold/bin/twofold", "/bin/true")
        (tmp_path / path.name).write_text(text)
    run("systemd-analyze", "verify", *sorted(tmp_path.iterdir()))
    for unit in ("twofold.service", "twofold-maintenance.service"):
        output = run("systemd-analyze", "security", "--offline=yes", tmp_path / unit)
        level = re.search(r"exposure level for .*: ([\d.]+)", output)
        assert level is not None and float(level[1]) < 2.5


@needs["nginx"]
@needs["openssl"]
def test_nginx_reads_its_example(tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "fullchain.pem"
    subject = ["-subj", "/CN=packages.example", "-days", "2", "-nodes"]
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", *subject, "-keyout", key, "-out", cert)
    server = (DEPLOY / "nginx" / "twofold.conf").read_text()
    server = server.replace("/etc/ssl/packages.example", str(tmp_path))
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{ access_log off;\n{server}}}\n"
    )
    run("nginx", "-t", "-c", config, "-p", tmp_path)


@needs["caddy"]
def test_caddy_reads_its_example() -> None:
    run("caddy", "adapt", "--adapter", "caddyfile", "--config", DEPLOY / "caddy" / "Caddyfile")


@needs["logrotate"]
def test_logrotate_reads_its_example(tmp_path: Path) -> None:
    copy = tmp_path / "twofold"
    copy.write_text((DEPLOY / "logrotate" / "twofold").read_text())
    copy.chmod(0o644)
    run("logrotate", "--debug", "--state", tmp_path / "state", copy)
