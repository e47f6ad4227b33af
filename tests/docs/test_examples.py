"""The examples of the tutorials and the how-to pages are run as a reader would type them.

What a page's blocks stand for: tests/docs/examples.py. They run in order, in one shell, in an empty
folder. The registry of a page (`twofold serve` on port 8080) is started on a free port instead, and
conda-forge, which cannot be reached everywhere, is a channel with numpy and the running python.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.installers import Clients
from tests.docs.examples import BLOCK, pair_systems, read_steps

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(
    [*DOCS.glob("tutorial/*.md"), *DOCS.glob("how-to/*.md"), DOCS / "reference/library.md"]
)
#: Pages whose examples take long: they build with other backends, download, or walk far.
SLOW = frozenset(
    str.split(
        "a-package-for-a-group c-extensions from-the-old-commands monorepo move-a-project"
        " move-a-registry run-a-registry"
    )
)
PAGES_WITH_EXAMPLES = [
    pytest.param(page, id=page.stem, marks=[pytest.mark.slow] if page.stem in SLOW else [])
    for page in PAGES
    if read_steps(page)
]


def test_there_are_pages_with_examples() -> None:
    assert DOCS / "tutorial" / "your-first-package.md" in [
        one.values[0] for one in PAGES_WITH_EXAMPLES
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_tab_for_windows_has_the_commands_of_the_other(page: Path) -> None:
    for posix, windows in pair_systems(page):
        assert windows == posix


#: What PowerShell does not understand, or where programs are elsewhere on Windows.
POSIX = re.compile(
    r"\bexport |\bsource |\$\(|&&|\|\||/bin/|^\$ [A-Z_]+=|<<|\b(?:sed|grep|touch)\b"
    r"|\bpip\b.*\*\.(?:whl|conda)"
)
#: Pages about a server's machine.
SERVERS = frozenset(["operate-a-registry"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_command_for_posix_alone_has_a_tab_for_windows_or_a_note(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    blocks = [(one["kind"], one["body"]) for one in BLOCK.finditer(text)] + [("", "")]
    lost = [
        line.strip()
        for (kind, body), (following, _) in itertools.pairwise(blocks)
        if kind == "console" and following != "powershell"
        for line in body.splitlines()
        if POSIX.search(line.lstrip()) and re.match(r" *\$ (?!twofold )", line)
    ]
    assert lost == [] or "On Windows write" in text or page.stem in SERVERS


@pytest.mark.parametrize("page", PAGES_WITH_EXAMPLES)
def test_the_page_does_what_it_says(
    page: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    text = page.read_text(encoding="utf-8")
    clients: Clients | None = None
    if re.search(r"127\.0\.0\.1:8080|--channel conda-forge|--data /srv", text):
        clients = request.getfixturevalue("clients")
    steps = read_steps(page)
    script = ["set -e"]
    for number, step in enumerate(steps):
        script += [
            f"printf '\\n@@{number}\\n'",
            _here(step.command, clients) if clients else step.command,
        ]
    folder = tmp_path / "page"
    folder.mkdir()
    bash = shutil.which("bash")
    assert bash, "the pages' examples are for a POSIX shell"
    environment = dict(clients.environment if clients else os.environ)
    environment.pop("TWOFOLD_TOKEN", None)
    if clients:
        (folder / "group-data").symlink_to(clients.registry.data)
        # A reader has the clients as they come, not pointed at the registry.
        for name in [name for name in environment if name.startswith(("TWINE_", "UV_"))]:
            del environment[name]
        environment.pop("PIP_INDEX_URL")
    done = subprocess.run(
        [bash, "-c", "\n".join(script)],
        cwd=folder, env=environment, text=True, timeout=600, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,  # as a terminal shows both
    )  # fmt: skip
    outputs = dict(
        re.findall(r"^@@(\d+)\n(.*?)(?=^@@\d+$|\Z)", done.stdout, re.MULTILINE | re.DOTALL)
    )
    last = steps[max(map(int, outputs), default=0)].command
    assert done.returncode == 0, f"after: $ {last}\n{done.stdout[-4000:]}"
    for number, step in enumerate(steps):
        printed = outputs[str(number)]
        for line in step.wanted:
            assert line in printed, f"$ {step.command}\nprinted:\n{printed}"


def _here(command: str, clients: Clients) -> str:
    """The command with this run's registry, token and conda channel in place of the page's."""
    if command.startswith("twofold serve"):
        return ":"
    if command.startswith("anaconda login"):
        command += f" --password {clients.registry.token}"
    if command.startswith("twofold login"):
        command = f"printf %s {clients.registry.token} | {command}"  # what a reader types there
    command = command.replace("--data /srv/twofold", f"--data {clients.registry.data}")
    command = command.replace("http://127.0.0.1:8080", clients.registry.url)
    command = command.replace("PASTE-THE-TOKEN-HERE", clients.registry.token)
    return command.replace("--channel conda-forge", f"--channel {clients.offline.as_uri()} --only")
