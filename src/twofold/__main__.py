"""`python -m twofold`: the same as the `twofold` command."""

from twofold.cli import main

# Guarded: processes that a command starts read this module again.
if __name__ == "__main__":
    raise SystemExit(main())
