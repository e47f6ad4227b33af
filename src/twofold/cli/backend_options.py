"""The options of `twofold build` that steer another backend."""

from __future__ import annotations

import argparse


def add_backend_options(parser: argparse.ArgumentParser) -> None:
    """Add the options, in a group of their own."""
    backend = parser.add_argument_group("projects with another backend")
    backend.add_argument(
        "-C",
        "--config-setting",
        "--config-settings",
        dest="config_settings",
        action="append",
        default=[],
        metavar="KEY[=VALUE]",
        help="a setting for the backend; repeatable, several values of a key become a list",
    )
    backend.add_argument(
        "-n",
        "--no-isolation",
        "--no-build-isolation",
        dest="no_isolation",
        action="store_true",
        help="run the backend where it is installed, not in an environment of its own",
    )
    backend.add_argument(
        "-x",
        "--skip-dependency-check",
        dest="skip_dependency_check",
        action="store_true",
        help="with --no-isolation: do not check that what the backend requires is installed",
    )
    backend.add_argument(
        "--force-pep517",
        dest="force_pep517",
        action="store_true",
        help="always run the backend's hooks, also where uv builds the project without them",
    )
    backend.add_argument(
        "-p",
        "--python",
        default="",
        metavar="PYTHON",
        help="the interpreter that runs the backend: a path, a name or a version",
    )
    backend.add_argument(
        "-b",
        "--build-constraint",
        "--build-constraints",
        "--dependency-constraints-txt",
        dest="build_constraints",
        action="append",
        default=[],
        metavar="FILE",
        help="a constraints file for what the backend requires; repeatable",
    )
