"""`python -m twofold.cli`, for environments whose scripts are not on PATH."""

from twofold.cli import main

# Guarded: processes that a command starts read this module again.
if __name__ == "__main__":
    raise SystemExit(main())
