"""`python -m twofold.cli`, for environments whose scripts are not on PATH."""

from twofold.cli import main

raise SystemExit(main())
