"""The PEP 517 and PEP 660 hooks of twofold's build backend."""

__version__ = "0.1.0"
