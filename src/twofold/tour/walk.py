"""The tour's steps in order: new, build, serve, publish, install, use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from twofold.artifact import Artifact, Kind
from twofold.errors import SubprocessFailed, TwofoldError
from twofold.extras import require_extra
from twofold.formats.reader import read_artifact
from twofold.tour.steps import Log, twofold_command, write_next_version

#: The example is the document's: a package named my_package that depends on numpy.
EXAMPLE = "my_package"
EXAMPLE_CALL = "my_package.function1()"
#: Folders that are not part of the project: copying them costs time.
IGNORED = shutil.ignore_patterns(
    ".venv", "venv", ".tox", ".nox", "node_modules", "dist", "conda-bld"
)


@dataclass(frozen=True)
class Route:
    """The options of a tour. `call` is an expression, evaluated after the import."""

    folder: Path
    project: Path | None = None
    call: str | None = None
    conda_forge: bool = True


@dataclass(frozen=True)
class Server:
    """The running registry; `token` is its owner's."""

    channel: str
    token: str


def walk(route: Route, log: Log) -> None:
    """Run all steps below `route.folder`; raises the error of the first failed step."""
    for extra in ("server", "publish", "conda"):
        require_extra(extra)
    project = start_project(route, log)
    first = build(project, log, "Build the sdist, the wheel and the conda package")
    log.artifacts += first
    with serve(route.folder / "registry", log) as server:
        publish(project, server, log)
        wheel = _find_kind(first, Kind.WHEEL)
        second_version = write_next_version(project, wheel.version)
        second = build(project, log, f"Change the version to {second_version} and build again")
        wheel = _find_kind(second, Kind.WHEEL)
        if wheel.version == _find_kind(first, Kind.WHEEL).version:
            raise TwofoldError(
                f"the second build has the first one's version, {wheel.version}",
                "the tour needs a project whose version is written in one of its files",
            )
        log.artifacts += second
        upload_with_twine(project, server, log)
        use = _make_usage_code(wheel, route)
        python, wheels = install_with_pip(wheel, server, route.folder, log)
        use_package(python, use, route.folder, log, "Use it in the virtual environment")
        channels = choose_channels(route, wheels, log)
        conda = _find_kind(second, Kind.CONDA)
        python = install_with_rattler(conda, server, channels, route.folder, log)
        use_package(python, use, route.folder, log, "Use it in the conda environment")


def start_project(route: Route, log: Log) -> Path:
    """Create the example project, or copy the given one."""
    if route.project is None:
        target = route.folder / EXAMPLE
        command = ["new", EXAMPLE, "--dep", "numpy"]
        log.run(
            "Start a project",
            twofold_command(*command),
            cwd=route.folder,
            shown=f"twofold {' '.join(command)}",
            detail=lambda _: [" ".join(sorted(_list_files(target)))],
        )
        return target
    target = route.folder / route.project.resolve().name
    with log.step("Take a copy of the project", f"cp -r {route.project} {target.name}") as lines:
        if not route.project.is_dir():
            raise TwofoldError(
                "this is not a folder", "name the folder of a project", str(route.project)
            )
        shutil.copytree(route.project, target, symlinks=True, ignore=IGNORED)
        lines.append(f"{sum(1 for _ in _list_files(target))} files")
    return target


def build(project: Path, log: Log, title: str) -> list[Artifact]:
    """Run `twofold build` and read the files of its manifest."""
    log.run(title, twofold_command("build"), cwd=project, shown="twofold build")
    manifest = json.loads((project / "dist" / ".twofold-build.json").read_text(encoding="utf-8"))
    made = [read_artifact(project / item["path"]) for item in manifest["artifacts"]]
    for artifact in made:
        log.say(f"   {artifact.path.relative_to(project).as_posix()}  {artifact.size:,} bytes")
    return made


@contextmanager
def serve(data: Path, log: Log) -> Iterator[Server]:
    """Run a registry on a free loopback port with an empty data folder, until the block ends."""
    words = ["serve", "--port", "0", "--data", str(data), "--json"]
    with (data.parent / "registry.log").open("wb") as errors:
        with log.step("Start a registry", f"twofold {' '.join(words)}") as lines:
            process = subprocess.Popen(
                [str(word) for word in twofold_command(*words)],
                stdout=subprocess.PIPE,
                stderr=errors,
            )
            assert process.stdout is not None
            answer = json.loads(process.stdout.readline() or b"{}")
            if "url" not in answer:
                process.wait()
                output = (data.parent / "registry.log").read_text("utf-8", errors="replace")
                raise SubprocessFailed("the registry did not start", output=output)
            server = Server(f"{answer['url']}/main", answer["token"])
            lines.append(f"{server.channel} serves pip and conda")
        try:
            yield server
        finally:
            process.terminate()
            process.wait(timeout=30)


def publish(project: Path, server: Server, log: Log) -> None:
    """Publish the first version with `twofold publish`."""
    log.run(
        "Publish the first version",
        twofold_command("publish", "--to", server.channel, "--yes"),
        cwd=project,
        env={"TWOFOLD_TOKEN": server.token},
        shown=f"twofold publish --to {server.channel} --yes",
    )


def upload_with_twine(project: Path, server: Server, log: Log) -> None:
    """Upload the second version with twine."""
    files = sorted(str(path.relative_to(project)) for path in (project / "dist").glob("[!.]*"))
    log.run(
        "Upload the second version with twine, unmodified",
        [
            sys.executable,
            "-m",
            "twine",
            "upload",
            "--non-interactive",
            "--disable-progress-bar",
            *files,
        ],
        cwd=project,
        env={
            "TWINE_REPOSITORY_URL": f"{server.channel}/legacy/",
            "TWINE_USERNAME": "__token__",
            "TWINE_PASSWORD": server.token,
        },
        shown=f"TWINE_REPOSITORY_URL={server.channel}/legacy/ twine upload dist/*",
    )


def install_with_pip(wheel: Artifact, server: Server, folder: Path, log: Log) -> tuple[Path, Path]:
    """Install the wheel from the registry into a new virtual environment.

    Returns its python, and the folder of the dependencies' wheels: pip fetches them once, as
    configured, for the conda environment too.
    """
    environment = folder / "venv"
    python = _find_python(environment)
    log.run(
        "Make a virtual environment",
        [sys.executable, "-m", "venv", environment],
        cwd=folder,
        shown="python -m venv venv",
    )
    pip: list[str | Path] = [python, "-m", "pip", "--disable-pip-version-check"]
    wheels = folder / "wheels"
    wheels.mkdir()
    if wheel.depends:
        log.run(
            "Fetch what it depends on",
            [*pip, "download", "--quiet", "--only-binary", ":all:", "-d", wheels, wheel.path],
            cwd=folder,
            shown=f"pip download -d wheels {wheel.filename}",
            detail=lambda _: [
                path.name for path in sorted(wheels.glob("*.whl")) if path.name != wheel.filename
            ],
        )
        # The package itself must come from the registry.
        (wheels / wheel.filename).unlink(missing_ok=True)
    report = folder / "pip-report.json"
    requirement = f"{wheel.name}=={wheel.version}"
    index = f"{server.channel}/simple/"
    words = ["install", "--quiet", "--index-url", index, "--find-links", "wheels", requirement]
    log.run(
        "Install it with pip",
        [*pip, *words, "--report", report],
        cwd=folder,
        shown=f"pip {' '.join(words)}",
        detail=lambda _: _read_origin(report, wheel, index),
    )
    return python, wheels


def _read_origin(report: Path, wheel: Artifact, index: str) -> list[str]:
    """Read from pip's report where it got the package; must be the registry."""
    installed = json.loads(report.read_text(encoding="utf-8"))["install"]
    addresses = [item["download_info"]["url"] for item in installed]
    host = index.split("/main/")[0]
    mine = [address for address in addresses if address.rsplit("/", 1)[-1] == wheel.filename]
    if not mine or not mine[0].startswith(host):
        raise TwofoldError(f"pip did not take {wheel.filename} from {index}: {addresses}")
    return [f"from {mine[0]}"]


def choose_channels(route: Route, wheels: Path, log: Log) -> list[str]:
    """The channel of python and the dependencies: conda-forge, or packages made here."""
    if route.conda_forge and is_conda_forge_reachable():
        return ["conda-forge"]
    from twofold.index.folder import index_folder
    from twofold.install.repack_python import repack_python

    log.remarks.append(
        "conda-forge was not used or is unreachable: the conda environment's python is this "
        "interpreter, repacked, and the dependencies are converted from their wheels"
    )
    channel = route.folder / "offline"
    with log.step(
        "Repack this Python as a conda package", "(twofold.install.repack_python)"
    ) as lines:
        lines.extend(path.name for path in repack_python(channel))
        index_folder(channel)
    names = sorted(wheels.glob("*.whl"))
    if names:
        log.run(
            "Convert the dependencies' wheels into conda packages",
            twofold_command("convert", *names, "--out", channel),
            cwd=route.folder,
            shown="twofold convert wheels/*.whl --out offline",
            detail=lambda _: sorted(
                path.name
                for path in channel.glob("*/*.conda")
                if not path.name.startswith(("python-", "python_abi-"))
            ),
        )
    return [channel.as_uri()]


def is_conda_forge_reachable() -> bool:
    """Whether conda-forge's channel responds."""
    from twofold.install.conda import is_channel_reachable

    return is_channel_reachable("conda-forge")


def install_with_rattler(
    conda: Artifact, server: Server, channels: Sequence[str], folder: Path, log: Log
) -> Path:
    """Install into a new conda environment with py-rattler; returns its python."""
    spec = f"{conda.name}=={conda.version}"
    words = ["install", spec, "--from", server.channel, "--conda", "conda-env"]
    words += [word for channel in channels for word in ("--channel", channel)]
    words += ["--only"] if list(channels) != ["conda-forge"] else []
    log.run(
        "Install it in a new conda environment with py-rattler",
        twofold_command(*words),
        cwd=folder,
        shown=f"twofold {' '.join(words)}",
    )
    records = sorted((folder / "conda-env" / "conda-meta").glob("*.json"))
    mine = [json.loads(path.read_text(encoding="utf-8")) for path in records]
    urls = [record["url"] for record in mine if record["name"] == conda.name]
    if not urls or not urls[0].startswith(server.channel):
        raise TwofoldError(f"py-rattler did not take {conda.name} from {server.channel}: {urls}")
    log.say(f"   from {urls[0]}; {len(records)} packages in all")
    prefix = folder / "conda-env"
    return prefix / "python.exe" if os.name == "nt" else prefix / "bin" / "python"


def use_package(python: Path, code: str, folder: Path, log: Log, title: str) -> None:
    """Import the package with the environment's own python, outside the project's folder."""
    log.run(
        title,
        [python, "-I", "-c", code],
        cwd=folder,
        env={"PYTHONPATH": "", "PYTHONHOME": ""},
        shown=f'python -c "{code}"',
        detail=lambda out: out.strip().splitlines()[:3],
    )


def _make_usage_code(wheel: Artifact, route: Route) -> str:
    """The program that imports the package and uses it."""
    if route.project is None:
        return f"import {EXAMPLE}; print({EXAMPLE_CALL})"
    modules = find_import_names(wheel)
    if not modules:
        raise TwofoldError("the wheel contains no importable module", where=wheel.filename)
    if route.call:
        return f"import {modules[0]}; print({route.call})"
    return (
        f"import {modules[0]} as module; print(module.__name__, 'imported from', module.__file__)"
    )


def find_import_names(wheel: Artifact) -> list[str]:
    """Top-level modules and packages of a wheel; the one named like the project is first."""
    with zipfile.ZipFile(wheel.path) as archive:
        members = archive.namelist()
    names = set()
    for member in members:
        top, _, rest = member.partition("/")
        if top.endswith((".dist-info", ".data")):
            continue
        if rest.endswith(".py"):
            names.add(top)
        elif not rest and top.endswith(".py"):
            names.add(top.removesuffix(".py"))
    alike = wheel.name.lower().replace("-", "_").replace(".", "_")
    return sorted(
        names, key=lambda name: (name.lower() != alike, name.startswith(("_", "test")), name)
    )


def _find_kind(artifacts: Sequence[Artifact], kind: Kind) -> Artifact:
    for artifact in artifacts:
        if artifact.kind is kind:
            return artifact
    raise TwofoldError(f"the build made no {kind.value}", "the tour needs a pure Python project")


def _find_python(environment: Path) -> Path:
    if os.name == "nt":
        return environment / "Scripts" / "python.exe"
    return environment / "bin" / "python"


def _list_files(folder: Path) -> Iterator[str]:
    return (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
