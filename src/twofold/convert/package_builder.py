"""Puts the files of one wheel into one conda package; `build`, `convert` and recipes all feed it.

noarch python (CEP 20 too: stable-ABI wheels in a platform's subdir): `site-packages/` and
`python-scripts/`, which the installer maps to the Python it installs for. Platform packages: the
real paths below the prefix. The `.data` schemes are PEP 427's. RECORD is written again, since
files get other paths and INSTALLER is added (PEP 376, PEP 627).
"""

from __future__ import annotations

from twofold.convert.wheel_tags import abi_from_depends
from twofold.errors import BadFile
from twofold.formats import limits
from twofold_build.archive import Entry, to_content
from twofold_build.metadata import format_record_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from twofold.conda_metadata import CondaPackage
    from twofold_build.archive import Content

    class PackageWriter(Protocol):
        """Takes the files of a package; `placeholder` is the prefix that installers replace."""

        def add(self, entry: Entry, content: Content, placeholder: str = "") -> None:
            """Add a file under its path in the package."""

        def close(self) -> None:
            """Finish the package."""

        def abort(self) -> None:
            """Leave nothing of the package behind."""

    class PieceWriter(PackageWriter, Protocol):
        """A writer that takes large files piece by piece too."""

        def add_pieces(self, entry: Entry, size: int, pieces: Iterable[bytes]) -> bytes:
            """Add a file of `size` bytes; returns its SHA-256 (raw)."""


#: Replaced by the installer with the environment's path; long, so that binary tools could too.
PLACEHOLDER = "/opt/twofold_placeholder" + "_placehold" * 8
#: A script of a wheel begins with exactly `#!python`; whatever follows in that word (`w`, `3`,
#: `3.11`), installers put their interpreter in its place (binary distribution format).
_SHEBANG = rb"#!python\S*(?:[ \t]+(?P<arguments>.*))?"
#: Files of a wheel that a conda package does not take over: signatures of the old RECORD, and
#: the two files that the builder writes itself.
REWRITTEN = ("RECORD", "RECORD.jws", "RECORD.p7s", "INSTALLER")


class Layout:
    """The folders of one package, relative to the environment's prefix.

    `dist_info` is the wheel's folder of metadata (`my_package-1.0.dist-info`), `project` the
    normalized name of the project, which its headers are filed under.
    """

    __slots__ = ("data_folder", "dist_info", "headers", "scripts", "site_packages")

    def __init__(self, package: CondaPackage, dist_info: str, project: str) -> None:
        self.dist_info = dist_info
        self.data_folder = f"{dist_info.removesuffix('.dist-info')}.data"
        if package.noarch:
            self.site_packages = "site-packages"
            self.scripts = "python-scripts"
            self.headers = f"include/{project}"
        elif package.subdir.startswith("win-"):
            self.site_packages = "Lib/site-packages"
            self.scripts = "Scripts"
            self.headers = f"include/{project}"
        else:
            abi = abi_from_depends(package.depends)
            python = f"python{abi.minor}{'t' if abi.tag.endswith('t') else ''}"
            self.site_packages = f"lib/{python}/site-packages"
            self.scripts = "bin"
            self.headers = f"include/{python}/{project}"

    def locate(self, path: str) -> tuple[str, bool]:
        """A wheel member's path in the package, and whether it is a script. Raises BadFile."""
        if not path.startswith(f"{self.data_folder}/"):
            return f"{self.site_packages}/{path}", False
        plain = limits.drop_current_folders(path)
        scheme, _, rest = plain[len(self.data_folder) + 1 :].partition("/")
        folders = {
            "purelib": f"{self.site_packages}/",
            "platlib": f"{self.site_packages}/",
            "scripts": f"{self.scripts}/",
            "headers": f"{self.headers}/",
            "data": "",
        }
        if scheme not in folders or not rest:
            raise BadFile(
                f"the wheel has a file at a path that PEP 427 does not allow: {path}",
                "below .data only purelib, platlib, scripts, headers and data are known (PEP 427)",
            )
        return folders[scheme] + rest, scheme == "scripts"

    def relative_to_site_packages(self, path: str) -> str:
        """A path in the package as RECORD writes it: relative to site-packages."""
        prefix = f"{self.site_packages}/"
        if path.startswith(prefix):
            return path[len(prefix) :]
        return "../" * self.site_packages.count("/") + "../" + path


class PackageBuilder:
    """Takes the entries of a wheel by their paths there, and writes them at their paths in conda.

    Its own RECORD, INSTALLER and, for platform packages, the scripts of entry points come from
    `close`; until then `abort` leaves nothing behind.
    """

    def __init__(self, package: CondaPackage, writer: PackageWriter, layout: Layout) -> None:
        self._package = package
        self._writer = writer
        self._layout = layout
        self._record: list[str] = []
        self._placed: set[str] = set()
        self._rewritten = frozenset(f"{layout.dist_info}/{name}" for name in REWRITTEN)
        #: A recipe names the license files of its package; a wheel's own are for the others.
        self._keeps_licenses = not any(path.startswith("licenses/") for path in package.info_files)

    def add(self, entry: Entry, content: Content) -> None:
        """Add one file of the wheel; what the builder writes itself is left out. Raises BadFile."""
        if entry.path in self._rewritten:
            return
        path, is_script = self._place(entry)
        executable = entry.executable or is_script
        placed = Entry(path, entry.source, entry.data, executable, entry.reason)
        if is_script:
            data, placeholder = rewrite_script(content.data)
            if placeholder:
                self._add_with_placeholder(placed, data)
                return
        if self._keeps_licenses:
            self._keep_license(entry.path, content)
        self._writer.add(placed, content)
        self._add_to_record(path, content.sha256, len(content.data))

    def add_pieces(
        self, entry: Entry, size: int, pieces: Iterable[bytes], writer: PieceWriter
    ) -> bytes:
        """Add a large file of `size` bytes that is not rewritten; returns its SHA-256 (raw)."""
        path, is_script = self._place(entry)
        placed = Entry(path, executable=entry.executable or is_script)
        digest = writer.add_pieces(placed, size, pieces)
        self._add_to_record(path, digest, size)
        return digest

    def close(self) -> None:
        """Add INSTALLER, scripts and the new RECORD, and close the writer."""
        folder = f"{self._layout.site_packages}/{self._layout.dist_info}"
        installer = to_content(b"conda\n")
        self._writer.add(Entry(f"{folder}/INSTALLER", reason="generated"), installer)
        self._add_to_record(f"{folder}/INSTALLER", installer.sha256, len(installer.data))
        if not self._package.noarch:  # the installer makes scripts for noarch python alone
            for line in self._package.entry_points:
                path = f"{self._layout.scripts}/{line.partition(' = ')[0]}"
                entry = Entry(path, executable=True, reason="generated")
                self._add_with_placeholder(entry, make_entry_point_script(line))
        own = self._layout.relative_to_site_packages(f"{folder}/RECORD")
        record = "".join(sorted(self._record)) + f"{own},,\n"
        self._writer.add(Entry(f"{folder}/RECORD", reason="generated"), to_content(record.encode()))
        self._writer.close()

    def abort(self) -> None:
        """Leave nothing of the package behind."""
        self._writer.abort()

    def _place(self, entry: Entry) -> tuple[str, bool]:
        """The path of a member, which no other member may have. Raises BadFile."""
        path, is_script = self._layout.locate(entry.path)
        if path in self._placed:
            raise BadFile(
                f"two members of the wheel install to one path: {path}",
                "remove one of them, and build the wheel again",
            )
        self._placed.add(path)
        return path, is_script

    def _keep_license(self, path: str, content: Content) -> None:
        folder = f"{self._layout.dist_info}/"
        if path.startswith(folder) and len(content.data) <= limits.METADATA:
            target = license_path(path[len(folder) :])
            if target:
                self._package.info_files[target] = content.data

    def _add_with_placeholder(self, entry: Entry, data: bytes) -> None:
        """The installer changes such a file, so RECORD lists it without a hash."""
        self._writer.add(entry, to_content(data), PLACEHOLDER)
        self._record.append(f"{self._layout.relative_to_site_packages(entry.path)},,\n")

    def _add_to_record(self, path: str, sha256: bytes, size: int) -> None:
        self._record.append(
            format_record_line(self._layout.relative_to_site_packages(path), sha256, size)
        )


def rewrite_script(data: bytes) -> tuple[bytes, str]:
    """A wheel's script with a real interpreter line, and the placeholder in it ('' for none)."""
    if not data.startswith(b"#!python"):
        return data, ""
    import re

    line, newline, rest = data.partition(b"\n")
    found = re.fullmatch(_SHEBANG, line.strip())
    arguments = found["arguments"] if found else b""
    real = f"#!{PLACEHOLDER}/bin/python".encode() + (b" " + arguments if arguments else b"")
    return real + newline + rest, PLACEHOLDER


def make_entry_point_script(line: str) -> bytes:
    """The script of `name = module:function` for packages whose installer makes none."""
    target = line.partition(" = ")[2]
    module, _, function = target.partition(":")
    first = function.partition(".")[0]
    return (
        f"#!{PLACEHOLDER}/bin/python\n"
        "import sys\n"
        f"from {module} import {first}\n"
        "\n"
        'if __name__ == "__main__":\n'
        f"    sys.exit({function}())\n"
    ).encode()


def license_path(path_in_dist_info: str) -> str:
    """Where info/ keeps a file of the wheel's .dist-info, '' for a file that is not a license.

    PEP 639's folder, the one that older tools made, and the usual names beside METADATA.
    """
    folder, _, rest = path_in_dist_info.partition("/")
    if folder in ("licenses", "license_files") and rest:
        return f"licenses/{rest}"
    is_usual = folder.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS"))
    return f"licenses/{folder}" if is_usual and not rest else ""
