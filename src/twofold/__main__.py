"""`python -m twofold`: the same as the `twofold` command."""

from twofold.cli import main

raise SystemExit(main())
