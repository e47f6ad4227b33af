"""An sdist as the source of a build."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path

from twofold.errors import BadFile, SubprocessFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def open_sdist(path: str) -> Iterator[str]:
    """Unpack an sdist that the user named, for as long as it is needed; the project's folder."""
    import tarfile
    import zlib
    from gzip import BadGzipFile

    name = Path(path).name
    if not name.endswith(".tar.gz"):
        made = "a wheel is built already; 'twofold convert' makes a conda package of it"
        hint = made if name.endswith(".whl") else "an sdist ends in .tar.gz (PEP 625)"
        raise BadFile(f"'{name}' is neither a project's folder nor an sdist", hint, path)
    with tempfile.TemporaryDirectory(prefix="twofold-sdist-") as folder:
        try:
            tree = unpack_sdist(Path(path), Path(folder))
        except (tarfile.TarError, EOFError, BadGzipFile, zlib.error) as error:
            raise BadFile(
                f"the sdist cannot be unpacked: {error}", "download or build it again", path
            ) from error
        if not any((tree / file).is_file() for file in ("pyproject.toml", "setup.py")):
            raise BadFile(
                "the archive holds no project: neither pyproject.toml nor setup.py",
                "name an sdist",
                path,
            )
        yield str(tree)


def unpack_sdist(sdist: Path, folder: Path) -> Path:
    """Unpack an sdist and return its one folder. Paths that lead out are refused."""
    import tarfile

    from twofold.formats.tar_safety import extract_member

    with tarfile.open(sdist, "r:gz") as archive:
        for member in archive:
            extract_member(archive, member, folder)
    tops = [path for path in folder.iterdir() if path.is_dir()]
    if len(tops) != 1:
        raise SubprocessFailed(f"{sdist.name} holds {len(tops)} folders, not one (PEP 517)")
    return tops[0]
