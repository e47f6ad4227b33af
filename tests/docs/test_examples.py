"""The examples of the tutorial and the how-to pages are run as a reader would type them.

In a ```console block a line that begins with `$ ` is a command; the lines below it must occur
in what it prints. The page's blocks run in order, in one shell, in an empty folder. The
registry of a page (`twofold serve` on port 8080) is started on a free port instead, and
conda-forge, which cannot be reached everywhere, is a channel with the running python, repacked.
A block that cannot be run here stands below a `<!-- not run: REASON -->` line.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.installers import Clients

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted([*DOCS.glob("tutorial/*.md"), *DOCS.glob("how-to/*.md")])
BLOCK = re.compile(
    r"(?P<skip><!-- not run: [^\n]+ -->\n+)?^```console\n(?P<body>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


def examples(page: Path) -> list[tuple[str, list[str]]]:
    """(command, lines its output must hold) in the page's order."""
    found: list[tuple[str, list[str]]] = []
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["skip"]:
            continue
        for line in block["body"].splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line.strip() and line.strip() != "...":
                found[-1][1].append(line.rstrip())
    return found


PAGES_WITH_EXAMPLES = [page for page in PAGES if examples(page)]


def test_there_are_pages_with_examples() -> None:
    assert DOCS / "tutorial" / "your-first-package.md" in PAGES_WITH_EXAMPLES


@pytest.mark.parametrize("page", PAGES_WITH_EXAMPLES, ids=lambda page: page.stem)
def test_the_page_does_what_it_says(page: Path, clients: Clients, tmp_path: Path) -> None:
    runs = [(_here(command, clients), wanted) for command, wanted in examples(page)]
    script = ["set -e"]
    for number, (command, _) in enumerate(runs):
        script += [f"echo '@@{number}'", command]
    folder = tmp_path / "page"
    folder.mkdir()
    bash = shutil.which("bash")
    assert bash, "the pages' examples are for a POSIX shell"
    environment = {
        key: value for key, value in clients.environment.items() if key != "TWOFOLD_TOKEN"
    }
    # A reader has pip as it comes, not pointed at the registry.
    environment.pop("PIP_INDEX_URL")
    done = subprocess.run(
        [bash, "-c", "\n".join(script)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    outputs = dict(re.findall(r"^@@(\d+)\n(.*?)(?=^@@|\Z)", done.stdout, re.MULTILINE | re.DOTALL))
    last = runs[max(map(int, outputs), default=0)][0]
    assert done.returncode == 0, f"after: $ {last}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    for number, (command, wanted) in enumerate(runs):
        for line in wanted:
            assert line in outputs[str(number)], f"$ {command}\nprinted:\n{outputs[str(number)]}"


def _here(command: str, clients: Clients) -> str:
    """The command with this run's registry, token and conda channel in place of the page's."""
    if command.startswith("twofold serve"):
        return ":"
    command = command.replace("http://127.0.0.1:8080", clients.registry.url)
    command = command.replace("PASTE-THE-TOKEN-HERE", clients.registry.token)
    return command.replace("--channel conda-forge", f"--channel {clients.offline.as_uri()} --only")
