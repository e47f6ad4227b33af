"""`current_repodata.json`: the newest packages of a subdir, as conda-index chooses them.

conda's classic solver reads it first and repodata.json only where it has no solution. It has of
each name the newest version in all its builds, what those require in the newest version that
fits, and beside packages with features the newest one without. A `.tar.bz2` of a package that is
there as `.conda` too is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cmp_to_key
from typing import Any

from twofold.index.repodata import assemble_repodata, serialize
from twofold.names.match_specs import ParsedSpec, meets_version_spec, parse_match_spec
from twofold.names.version_order import compare_conda_versions, starts_with_version

_version_key = cmp_to_key(compare_conda_versions)
_BZ2 = ".tar.bz2"
#: What a record may say of features, which are rare.
_DEPENDS = '"depends":['
_FEATURES = '"track_features":', '"features":'


class _Records:
    """Records by file name, parsed where they are looked at: most never are."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self._parsed: dict[str, dict[str, Any]] = {}

    def __getitem__(self, file: str) -> dict[str, Any]:
        if file not in self._parsed:
            self._parsed[file] = json.loads(self.texts[file])
        return self._parsed[file]

    def find_name_and_version(self, file: str) -> tuple[str, str]:
        """Return name and version, by the file's name where the record agrees."""
        parts = file.rsplit("-", 2)
        if len(parts) == 3:
            name, version, _ = parts
            text = self.texts[file]
            # The keys are sorted: the version comes last.
            if text.endswith(f'"version":"{version}"}}') and f'"name":"{name}"' in text:
                return name, version
        return self[file]["name"], str(self[file]["version"])

    def list_depends(self, file: str) -> Sequence[str]:
        """Return what a package requires, by the text of its record where that is plain."""
        text = self.texts[file]
        start = text.find(_DEPENDS)
        end = text.find("]", start)
        listed = text[start + len(_DEPENDS) : end]
        if start < 0 or "\\" in listed or "[" in listed:
            return self[file].get("depends") or ()
        return listed[1:-1].split('","') if listed else ()

    def has_features(self, file: str) -> bool:
        """Whether the package has a feature or tracks one."""
        if not any(key in self.texts[file] for key in _FEATURES):
            return False
        return bool(self[file].get("track_features") or self[file].get("features"))


def assemble_current_repodata(
    subdir: str,
    texts: Mapping[str, str],
    removed: Iterable[str] = (),
    base_url: str = "",
) -> bytes | None:
    """The bytes of current_repodata.json from file name -> JSON of its record.

    None where it is the same as repodata.json.
    """
    chosen = select_current(texts)
    if len(chosen) == len(texts):
        return None
    own = {name: texts[name] for name in sorted(chosen)}
    for name in own:
        counterpart = texts.get(f"{name.removesuffix('.conda')}{_BZ2}")
        if name.endswith(".conda") and counterpart:
            md5 = json.loads(counterpart).get("md5")
            own[name] = serialize({**json.loads(own[name]), "legacy_bz2_md5": md5}).decode()
    return assemble_repodata(subdir, own.items(), removed, base_url)


def select_current(texts: Mapping[str, str]) -> set[str]:
    """Choose the file names of a subdir's current packages from file name -> JSON of its record."""
    records = _Records(texts)
    groups: dict[str, dict[str, list[str]]] = {}
    for file in texts:
        if file.endswith(_BZ2) and f"{file.removesuffix(_BZ2)}.conda" in texts:
            continue
        name, version = records.find_name_and_version(file)
        groups.setdefault(name, {}).setdefault(version, []).append(file)
    several = {name for name, versions in groups.items() if len(versions) > 1}
    chosen = {name: _choose(records, versions) for name, versions in groups.items()}
    added = _find_missing(records, groups, chosen, several) if several else {}
    for name in several:
        files = chosen[name] | added.get(name, set())
        if any(map(records.has_features, files)):
            added.setdefault(name, set()).update(
                _find_featureless(records, groups[name], chosen[name])
            )
    return set().union(*chosen.values(), *added.values())


def _find_newest(records: _Records, files: Iterable[str]) -> str:
    """Return the file that conda would choose: by version, build number and time."""
    return max(files, key=lambda file: _recency(records[file]))


def _choose(records: _Records, versions: Mapping[str, list[str]]) -> set[str]:
    """Return the files of the newest version."""
    if len(versions) == 1:
        return set(*versions.values())
    newest = max(versions, key=_version_key)
    equal = [one for one in versions if compare_conda_versions(one, newest) == 0]
    if len(equal) > 1:  # 1.0 and 1.0.0: the newest package counts
        file = _find_newest(records, (file for one in equal for file in versions[one]))
        newest = str(records[file]["version"])
    return _find_version(versions, newest)


def _find_version(versions: Mapping[str, list[str]], wanted: str) -> set[str]:
    """Return the files that `name=wanted` asks for: 1.0.0 is one of 1.0's."""
    return {
        file
        for version, files in versions.items()
        if starts_with_version(version, wanted)
        for file in files
    }


def _find_missing(
    records: _Records,
    groups: Mapping[str, Mapping[str, list[str]]],
    chosen: Mapping[str, set[str]],
    several: set[str],
) -> dict[str, set[str]]:
    """Find what the chosen packages require and only older versions are."""
    specs = {
        spec
        for files in chosen.values()
        for file in files
        for spec in records.list_depends(file)
        if spec.partition(" ")[0] in several or not spec.partition(" ")[0].isalnum()
    }
    added: dict[str, set[str]] = {}
    for spec in map(parse_match_spec, specs):
        if spec.name in several and not _any_matches(records, chosen[spec.name], spec):
            older = groups[spec.name]
            fitting = [
                file for files in older.values() for file in files if spec.matches(records[file])
            ]
            if fitting:
                version = str(records[_find_newest(records, fitting)]["version"])
                added.setdefault(spec.name, set()).update(_find_version(older, version))
    return added


def _any_matches(records: _Records, files: Iterable[str], spec: ParsedSpec) -> bool:
    """Whether a package meets a spec; its record is parsed where a build is asked for."""
    if spec.build:
        return any(spec.matches(records[file]) for file in files)
    known = map(records.find_name_and_version, files)
    return any(
        name == spec.name and meets_version_spec(version, spec.version) for name, version in known
    )


def _find_featureless(
    records: _Records, versions: Mapping[str, list[str]], chosen: set[str]
) -> set[str]:
    """Find the newest file without a feature, no newer than those that were chosen."""
    latest = max((str(records[file]["version"]) for file in chosen), key=_version_key)
    plain = [
        file
        for version, files in versions.items()
        if compare_conda_versions(version, latest) <= 0
        for file in files
        if not records.has_features(file)
    ]
    return {_find_newest(records, plain)} if plain else set()


def _recency(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        _version_key(str(record["version"])),
        record.get("build_number", 0),
        record.get("timestamp") or 0,
        record.get("build", ""),
    )
