"""The keys of meta.yaml that conda-build knows, and what twofold does with each.

A key is read, kept for a build with a host environment, or without effect on the packages that
twofold writes. What remains is refused by saying that conda-build knows it: a suggestion of
another key would mislead.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SECTIONS = str.split("about app build extra outputs package requirements source test")
ABOUT = str.split(
    "home dev_url doc_url doc_source_url license license_family license_file license_url summary "
    "description tags keywords identifiers prelink_message readme author maintainers"
)
#: Keys for building with a host environment: handed to recipe v1 where it knows them.
LINKING_KEYS = str.split(
    "ignore_run_exports ignore_run_exports_from missing_dso_whitelist runpath_whitelist "
    "detect_binary_files_with_prefix has_prefix_files binary_has_prefix_files rpaths "
    "always_include_files binary_relocation merge_build_host overlinking_ignore_patterns "
    "track_features features ignore_prefix_files python_site_packages_path"
)
#: Newer spellings of the same keys.
ALIASES = {
    "missing_dso_allowlist": "missing_dso_whitelist",
    "runpath_allowlist": "runpath_whitelist",
}
#: Keys without effect on the packages that twofold writes.
_WITHOUT_EFFECT = str.split(
    "preserve_egg_dir osx_is_app disable_pip no_link include_recipe skip_compile_pyc pin_depends "
    "force_use_keys force_ignore_keys error_overdepending error_overlinking activate_in_script "
    "use_local noarch_python_build_age python_version_independent msvc_compiler rpaths_patcher "
    "ignore_verify_codes no_move_top_level_workdir_loops"
)
_READ = str.split(
    "number string script noarch noarch_python skip script_env entry_points run_exports"
)
BUILD = [*_READ, *LINKING_KEYS, *ALIASES, *_WITHOUT_EFFECT]
SOURCE = str.split(
    "path url fn sha256 sha1 md5 sha224 sha384 sha512 git_url git_rev git_tag git_branch git_depth "
    "folder patches no_hoist path_via_symlink"
)
OUTPUT = str.split(
    "name version build requirements test about script files noarch number type "
    "script_interpreter entry_points run_exports extra string track_features features"
)
TESTS = str.split("imports commands requires files source_files script downstreams")
#: Keys of conda-build that twofold cannot honour, by section.
_ONLY_CONDA_BUILD = {
    "build": str.split(
        "preferred_env preferred_env_executable_paths requires_features provides_features "
        "post-link pre-link pre-unlink"
    ),
    "source": str.split(
        "content_sha256 content_sha384 content_sha512 content_hash_skip hg_url hg_tag svn_url "
        "svn_rev svn_ignore_externals svn_username svn_password"
    ),
    "outputs": ["target"],
    "about": ["recipe_log_file"],
}


#: Of these nothing in a package's files depends: an unknown key of such a section, or one that
#: resembles its name, is left out.
_LENIENT = frozenset({"about", "extra", "requirements", "test"})


def explain_unknown_key(name: str, words: Iterable[str], label: str) -> tuple[str, str, bool]:
    """Return the message and the hint for a key that a section lacks, and whether it is a mistake.

    conda-build ignores unknown keys. One that resembles a known key is a slip of its author.
    """
    if name in _ONLY_CONDA_BUILD.get(label, ()):
        return *explain_conda_build_key(name, label), True
    words = list(words)
    close = difflib.get_close_matches(name, words, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(words)}"
    message = f"'{name}' is not a key of {label}"
    if close and label not in _LENIENT and close[0] not in ("extra", "test"):
        return message, hint, True
    return f"{message} and is left out; {hint}", "", False


def explain_conda_build_key(name: str, label: str) -> tuple[str, str]:
    """Return the message and the hint for a key that only conda-build honours."""
    return (
        f"conda-build knows '{name}' of {label}, twofold does not",
        "remove it, or build this recipe with conda-build",
    )
