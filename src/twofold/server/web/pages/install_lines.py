"""The commands and lines of configuration that install a project, for each client.

They are the ones that work for this channel: with its own token where it is private, with the label
where a package is listed, and with another index where the channel lacks what a project requires.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: The channel that nearly every other one needs beside itself: it has python.
COMPANION = "conda-forge"


@dataclass(frozen=True, slots=True)
class Address:
    """Where clients find a channel: its URL without a slash, and whether they need a token."""

    url: str
    name: str
    public: bool

    @property
    def host(self) -> str:
        """Host and port, as clients keep credentials for them."""
        return self.url.partition("://")[2].partition("/")[0]

    @property
    def pip_index(self) -> str:
        """The URL of the index, with a placeholder for the token of a private channel."""
        return self.find_pip_index()

    def find_pip_index(self, label: str = "main") -> str:
        """The URL of the index of a label, with a placeholder for a token."""
        scheme, _, rest = self.url.partition("://")
        login = "" if self.public else "__token__:TOKEN@"
        suffix = "" if label == "main" else f"/label/{label}"
        return f"{scheme}://{login}{rest}{suffix}/simple/"

    def conda_channel(self, label: str = "main") -> str:
        """The URL of the channel under a label, with a placeholder for a token."""
        root = self.url.removesuffix(f"/{self.name}")
        token = "" if self.public else "/t/TOKEN"
        suffix = "" if label == "main" else f"/label/{label}"
        return f"{root}{token}/{self.name}{suffix}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be installed: names on both sides, '' where a side has no file to install.

    `version` pins it, '' for the newest. `label` is the one under which conda finds it.
    `is_pre` says that pip has to be allowed pre-releases. `pip_outside` and `conda_outside`: the
    channel alone does not have all that it requires; `python_outside`: it has no python, which an
    environment of conda has already and one of pixi gets from the same channels.
    """

    pip_name: str = ""
    conda_name: str = ""
    version: str = ""
    label: str = "main"
    is_pre: bool = False
    pip_outside: bool = False
    conda_outside: bool = False
    python_outside: bool = False


@dataclass(frozen=True, slots=True)
class Lines:
    """A block to copy: a command, or the lines of a file that `title` names. `note` follows it."""

    text: str
    title: str = ""
    note: str = ""


CONFUSION = (
    "pip takes the highest version from either index, so a package of this name on the other one "
    "could be installed in its place. uv asks this index first."
)


def write_lines(address: Address, wanted: Wanted) -> dict[str, list[Lines]]:
    """Return client -> blocks, the clients in the order of their tabs; none for a missing side."""
    found: dict[str, list[Lines]] = {}
    if wanted.pip_name:
        found["pip"] = _write_pip(address, wanted)
        found["uv"] = _write_uv(address, wanted)
    if wanted.conda_name:
        found["conda"] = _write_conda(address, wanted)
        found["mamba"] = [Lines(_install_conda("mamba", address, wanted))]
    if wanted.conda_name or wanted.pip_name:
        found["pixi"] = _write_pixi(address, wanted)
    return found


def _quote(name: str, operator: str, version: str) -> str:
    """Return a requirement for a shell: a version may hold what a shell reads as its own."""
    if not version:
        return name
    text = f"{name}{operator}{version}"
    return text if re.fullmatch(r"[\w.=+-]+", text, re.ASCII) else f'"{text}"'


def _write_pip(address: Address, wanted: Wanted) -> list[Lines]:
    option = "extra-index-url" if wanted.pip_outside else "index-url"
    pre = "--pre " if wanted.is_pre and not wanted.version else ""
    name = _quote(wanted.pip_name, "==", wanted.version)
    note = CONFUSION if wanted.pip_outside else ""
    return [
        Lines(f"pip install {pre}--{option} {address.pip_index} {name}", note=note),
        Lines(f"[global]\n{option} = {address.pip_index}", "pip.conf (pip.ini on Windows)"),
    ]


def _write_uv(address: Address, wanted: Wanted) -> list[Lines]:
    option = "index" if wanted.pip_outside else "default-index"
    pre = "--prerelease allow " if wanted.is_pre and not wanted.version else ""
    name = _quote(wanted.pip_name, "==", wanted.version)
    url = f"{address.url}/simple/"
    index = f'[[tool.uv.index]]\nname = "{address.name}"\nurl = "{url}"\n'
    if wanted.pip_outside:
        index += f"explicit = true\n\n[tool.uv.sources]\n{_toml_key(wanted.pip_name)} = "
        index += f'{{ index = "{address.name}" }}'
    else:
        index += "default = true"
    note = ""
    if not address.public:
        variable = re.sub(r"[^A-Z0-9]", "_", address.name.upper())
        note = f"Set UV_INDEX_{variable}_USERNAME to __token__ and _PASSWORD to your token."
    return [
        Lines(f"uv pip install {pre}--{option} {address.pip_index} {name}"),
        Lines(index, "pyproject.toml", note),
        Lines(f"uv add {pre}{name}", note="With these lines in pyproject.toml."),
    ]


def _toml_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'


def _install_conda(client: str, address: Address, wanted: Wanted) -> str:
    more = f" -c {COMPANION}" if wanted.conda_outside else ""
    name = _quote(wanted.conda_name, "=", wanted.version)
    return f"{client} install -c {address.conda_channel(wanted.label)}{more} {name}"


def _list_channels(address: Address, wanted: Wanted) -> list[str]:
    more = [COMPANION] if wanted.conda_outside or wanted.python_outside else []
    return [address.conda_channel(wanted.label), *more]


def _write_conda(address: Address, wanted: Wanted) -> list[Lines]:
    channels = "".join(f"\n  - {one}" for one in _list_channels(address, wanted))
    return [
        Lines(_install_conda("conda", address, wanted)),
        Lines(f"channels:{channels}", ".condarc"),
    ]


def _write_pixi(address: Address, wanted: Wanted) -> list[Lines]:
    version = f"=={wanted.version}" if wanted.version else "*"
    if not wanted.conda_name:
        option = "extra-index-urls" if wanted.pip_outside else "index-url"
        url = f'["{address.pip_index}"]' if wanted.pip_outside else f'"{address.pip_index}"'
        return [
            Lines(
                f"[pypi-options]\n{option} = {url}\n\n"
                f'[pypi-dependencies]\n{_toml_key(wanted.pip_name)} = "{version}"',
                "pixi.toml",
            )
        ]
    plain = Address(address.url, address.name, public=True)
    channels = ", ".join(f'"{one}"' for one in _list_channels(plain, wanted))
    name = _quote(wanted.conda_name, "==", wanted.version)
    channel = plain.conda_channel(wanted.label)
    commands = f"pixi workspace channel add --prepend {channel}\npixi add {name}"
    if not address.public:
        commands = f"pixi auth login {address.host} --conda-token TOKEN\n{commands}"
    return [
        Lines(commands),
        Lines(
            f"[workspace]\nchannels = [{channels}]\n\n"
            f'[dependencies]\n{_toml_key(wanted.conda_name)} = "{version}"',
            "pixi.toml",
        ),
    ]
