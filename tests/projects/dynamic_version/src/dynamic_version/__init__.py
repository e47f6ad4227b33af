import not_installed_anywhere

__version__: str = "4.05.0"
