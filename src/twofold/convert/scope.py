"""What a package is for: the Pythons and platforms that its markers are tried on."""

from __future__ import annotations


class MarkerScope:
    """`requires_python`, one `minor` ('3.11') or '', one `subdir` or ''.

    `python` ('3.12', or '3.13t') and `platform` narrow it down to one target, but only where
    markers differ.
    """

    __slots__ = ("minor", "platform", "python", "requires_python", "subdir")

    def __init__(
        self,
        requires_python: str = "",
        minor: str = "",
        subdir: str = "",
        python: str = "",
        platform: str = "",
    ) -> None:
        self.requires_python = requires_python
        self.minor = minor
        self.subdir = subdir
        self.python = python.removesuffix("t")
        self.platform = platform
