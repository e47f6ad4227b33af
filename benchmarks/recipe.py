"""A trivial project to `.conda`: `twofold build` beside py-rattler-build, in alternating runs.

    python benchmarks/recipe.py [--runs 5]

Both build the same project: twofold its folder, py-rattler-build the recipe.yaml that `twofold
recipe` writes of it; a second row of twofold's builds that same recipe.yaml. py-rattler-build is
timed as its command works by default (the package is tested in an environment of its own) and with
its tests skipped.

conda-forge is not needed: the peer's host environment comes from a channel on disk with this
machine's Python repacked (a fifth of the size of conda-forge's and of what that needs), pip,
twofold-build and packaging; the uncounted round fills its caches. So the peer's time is its own
work: solving, linking a Python, `pip install .` in there, packing. Linux only, where a Python can
be repacked. Times are of whole processes. Raw runs go to results/recipe.json.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from conda_package_streaming.package_streaming import stream_conda_component
from measure import Contender, format_table, run_alternately, save

ROOT = Path(__file__).parent.parent
#: The peer's API as its command line uses it.
THEIRS = """\
import sys
from pathlib import Path
from rattler_build import PlatformConfig, RenderConfig, Stage0Recipe, ToolConfiguration
from rattler_build import VariantConfig
recipe, out, channel, tests = sys.argv[1:]
variants = VariantConfig({"python": [f"{sys.version_info.major}.{sys.version_info.minor}"]})
for variant in Stage0Recipe.from_file(Path(recipe)).render(variants, RenderConfig()):
    built = variant.run_build(
        ToolConfiguration(test_strategy=tests), output_dir=Path(out), channels=[channel],
        no_build_id=True,
    )
    assert built.packages, "nothing was built"
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=5)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="twofold-benchmark-") as folder:
        work = Path(folder).resolve()
        project = write_trivial_recipe(work / "trivial")
        recipe = work / "recipe" / "recipe.yaml"
        run("twofold", "recipe", project, "--format", "recipe.yaml", "--out", recipe)
        channel = make_host_channel(work)
        (work / "theirs.py").write_text(THEIRS, encoding="utf-8")
        contenders = [
            make_contender("twofold", work / "ours", build_command(project, work / "ours")),
            make_contender(
                "twofold, the recipe", work / "read", build_command(recipe.parent, work / "read")
            ),
            *(
                make_contender(name, work / "theirs", [work / "theirs.py", recipe, *rest])
                for name, tests in (("rattler-build", "native"), ("rattler-build, no test", "skip"))
                for rest in [(work / "theirs", channel.as_uri(), tests)]
            ),
        ]
        times = run_alternately(contenders, given.runs)
        check_same(work)
    print(format_table(times, "twofold"))
    save("recipe", {"trivial": times}, ["py-rattler-build", "py-rattler", "zstandard"])


def write_trivial_recipe(folder: Path) -> Path:
    """A package of two modules, for this Python and later ones."""
    package = folder / "trivial"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from .module1 import function1\n", encoding="utf-8")
    for name in ("module1", "module2"):
        text = f"def function{name[-1]}():\n    return '{name}'\n"
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    (folder / "pyproject.toml").write_text(
        f"""\
[build-system]
requires = ["twofold-build"]
build-backend = "twofold_build"

[project]
name = "trivial"
version = "1.0.0"
description = "An input of the benchmark"
requires-python = ">={sys.version_info.major}.{sys.version_info.minor}"
license = "MIT"
""",
        encoding="utf-8",
    )
    return folder


def make_host_channel(work: Path) -> Path:
    """What the peer's host environment is made of, as a channel."""
    wheels, channel = work / "wheels", work / "channel"
    repack = (
        "import sys, pathlib, twofold.install.repack_python as i; i.repack_python(pathlib.Path("
    )
    subprocess.run([sys.executable, "-c", f"{repack}sys.argv[1]))", str(channel)], check=True)
    run("twofold", "build", ROOT / "backend", "--only", "wheel", "--out", work / "backend")
    run("pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "-d", wheels,
        "packaging")  # fmt: skip
    files = [*wheels.glob("*.whl"), *work.glob("backend/dist/*.whl")]
    run("twofold", "convert", *files, "--out", channel)  # which indexes the whole channel
    return channel


def build_command(folder: Path, out: Path) -> list[str | Path]:
    return ["-m", "twofold", "build", folder, "--only", "conda", "--out", out]


def make_contender(name: str, out: Path, words: list[str | Path]) -> Contender:
    return Contender(name, [sys.executable, *map(str, words)], Path.cwd(), make_cleaner(out))


def make_cleaner(folder: Path) -> Callable[[], None]:
    return lambda: shutil.rmtree(folder, ignore_errors=True)


def run(module: str, *words: str | Path) -> None:
    command = [sys.executable, "-m", module, *map(str, words)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def check_same(work: Path) -> None:
    """All three made packages of the same modules, or their times say nothing."""
    made = [read_modules(work / name) for name in ("ours", "read", "theirs")]
    if made.count(made[0]) != len(made) or len(made[0]) != 3:
        sys.exit(f"the packages differ: {made}")


def read_modules(out: Path) -> dict[str, bytes]:
    """The Python files of the package that was built."""
    (package,) = out.rglob("trivial-*.conda")
    with package.open("rb") as file:
        return {
            member.name: tar.extractfile(member).read()
            for tar, member in stream_conda_component(package, file, "pkg")
            if member.name.endswith(".py")
        }


if __name__ == "__main__":
    main()
