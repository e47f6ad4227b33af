"""Where a wheel's files lie in a conda package.

noarch python (CEP 20 too: stable-ABI wheels in a platform's subdir): `site-packages/` and
`python-scripts/`, which the installer maps to the Python it installs for. Platform packages: the
real paths below the prefix. The `.data` schemes are PEP 427's.
"""

from __future__ import annotations

from twofold.conda_metadata import CondaPackage
from twofold.convert.wheel_tags import Abi
from twofold.errors import BadFile

#: Replaced by the installer with the environment's path; long, so that binary tools could too.
PLACEHOLDER = "/opt/twofold_placeholder" + "_placehold" * 8
#: A script of a wheel begins with this; installers put the interpreter there (PEP 427).
_SHEBANGS = (b"#!python", b"#!pythonw")


class Layout:
    """The folders of one package, relative to the environment's prefix."""

    __slots__ = ("headers", "scripts", "site_packages", "windows")

    def __init__(self, package: CondaPackage, abi: Abi, project: str) -> None:
        self.windows = package.subdir.startswith("win-")
        threads = "t" if abi.tag.endswith("t") else ""
        if package.noarch:
            self.site_packages = "site-packages"
            self.scripts = "python-scripts"
            self.headers = f"include/{project}"
        elif self.windows:
            self.site_packages = "Lib/site-packages"
            self.scripts = "Scripts"
            self.headers = f"include/{project}"
        else:
            python = f"python{abi.minor}{threads}"
            self.site_packages = f"lib/{python}/site-packages"
            self.scripts = "bin"
            self.headers = f"include/{python}/{project}"

    def locate(self, path: str, data_folder: str) -> tuple[str, bool]:
        """A wheel member's path in the package, and whether it is a script. Raises BadFile."""
        if not path.startswith(f"{data_folder}/"):
            return f"{self.site_packages}/{path}", False
        scheme, _, rest = path[len(data_folder) + 1 :].partition("/")
        folders = {
            "purelib": f"{self.site_packages}/",
            "platlib": f"{self.site_packages}/",
            "scripts": f"{self.scripts}/",
            "headers": f"{self.headers}/",
            "data": "",
        }
        if scheme not in folders or not rest:
            raise BadFile(
                f"the wheel has a file where none may be: {path}",
                "below .data only purelib, platlib, scripts, headers and data are known (PEP 427)",
            )
        return folders[scheme] + rest, scheme == "scripts"

    def relative_to_site_packages(self, path: str) -> str:
        """A path in the package as RECORD writes it: relative to site-packages."""
        prefix = f"{self.site_packages}/"
        if path.startswith(prefix):
            return path[len(prefix) :]
        return "../" * self.site_packages.count("/") + "../" + path


def rewrite_script(data: bytes) -> tuple[bytes, str]:
    """A wheel's script with its interpreter's line made real, and the placeholder in it."""
    line, newline, rest = data.partition(b"\n")
    if line.rstrip(b"\r") not in _SHEBANGS and not line.startswith((b"#!python ", b"#!pythonw ")):
        return data, ""
    arguments = line.rstrip(b"\r").partition(b" ")[2]
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
