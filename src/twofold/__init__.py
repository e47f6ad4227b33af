"""twofold: from a folder of modules to `pip install` and `conda install`."""

__version__ = "0.1.0"
