"""Well-known projects of the configured index, installed by py-rattler from `/lazy`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.clients.installers import find_index
from tests.clients.rattler import install_specs
from tests.factories.packages import make_python
from tests.server.conftest import Place
from tests.servers.upstream_reads import JSON
from twofold.conda_metadata import CondaPackage
from twofold.formats.conda_writer import CondaWriter
from twofold.server.proxy import config, offer_list, offer_rounds
from twofold.server.registry import administration, queries
from twofold.server.store import files

#: Project -> module; None for one with binaries, which this Python may not load.
PROJECTS = {
    "requests": "requests",
    "flask": "flask",
    "click": "click",
    "rich": "rich",
    "jinja2": None,  # markupsafe has binaries
    "sortedcontainers": "sortedcontainers",
    "attrs": "attrs",
    "packaging": "packaging",
    "pyyaml": None,
    "numpy": None,
}


def make_python_abi(folder: Path) -> Path:
    package = CondaPackage("python_abi", "3.12", build="0_cp312", noarch="generic")
    path = folder / f"{package.stem}.conda"
    CondaWriter(path, package).close()
    return path


@pytest.mark.slow
def test_ten_well_known_projects_are_installed_and_imported(served: Place, tmp_path: Path) -> None:
    index = find_index()
    try:
        page = requests.get(f"{index}/idna/", headers={"accept": JSON}, timeout=60).json()
    except (OSError, ValueError) as error:
        pytest.skip(f"no index answers in JSON: {error}")
    hosts = {urlsplit(file["url"]).hostname or "" for file in page["files"]} - {""}
    made = config.UpstreamConfig(index, "pypi", files_at=tuple(hosts))
    config.add(served.registry, "owner", "main", made)
    administration.change_rule(served.registry, "operator", "main", "lazy", "yes")
    administration.change_rule(served.registry, "operator", "main", "offered-releases", "1")
    served.publish(make_python(tmp_path))
    served.publish(make_python_abi(tmp_path))
    offer_list.add(served.registry, served.owner, "main", PROJECTS)
    channel = queries.get_channel(served.registry, served.owner, "main")
    done = offer_rounds.run_round(served.registry, channel)
    assert not set(done.missing) & set(PROJECTS), done.missing
    with served.registry.database.read() as db:
        assert files.list_filenames(db, channel.id, "") == set()  # no wheel was fetched
    prefix = install_specs(f"{served.channel}/lazy", list(PROJECTS), tmp_path / "install")
    site = next(prefix.glob("lib/python3.12/site-packages"))
    code = f"import sys; sys.path.insert(0, {str(site)!r})\n"
    for module in filter(None, PROJECTS.values()):
        subprocess.run([sys.executable, "-S", "-c", f"{code}import {module}"], check=True)
    assert list(site.glob("numpy/**/*.so")) and list(site.glob("yaml/*.so"))
