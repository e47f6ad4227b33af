"""Compare what twofold reads of a recipe with what conda-build or rattler-build reads.

Both are lists of packages as plain values. What is written in two ways and means one thing is made
equal first: one value or a list of one, blanks, the folders of a build. A requirement that asks a
function (`compiler('c')`, `pin_subpackage(...)`) is resolved by the peers only; it is matched with
a requirement that is theirs alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

Packages = list[dict[str, Any]]
_SCRIPT_FILE = re.compile(r"[\w.-]+\.(sh|bat)")
#: The name of a requirement and what follows.
_PARTS = re.compile(r"^([\w.:-]+)(?: |(?=[<>=!~])|$)(.*)$", re.DOTALL)
_CALL = re.compile(r"\{\{.*?\}\}", re.DOTALL)
#: Fields of about in recipe.yaml -> in meta.yaml.
_ABOUT = {"homepage": "home", "repository": "dev_url", "documentation": "doc_url"}
_SOURCES_V1 = {"git_url": "git", "folder": "target_directory"}
_SOURCES = ("url", "sha256", "md5", "path", "git_url", "folder")


def compare_meta(ours: Packages, theirs: Packages) -> tuple[int, list[dict[str, Any]]]:
    """Compare with conda-build; returns the number of fields, and those that differ."""
    return _compare(
        [_add_outcome(package) for package in ours],
        [_add_outcome(package) for package in theirs],
        _flatten_meta,
    )


def _add_outcome(package: Mapping[str, Any]) -> dict[str, Any]:
    """Add what rattler-build renders in another form: the build string and the run exports."""
    build = package.get("build") or {}
    exports = build.get("run_exports") or {}
    kinds = exports if isinstance(exports, dict) else {"weak": exports}
    lists = {f"run_exports/{kind}": _lower_names(specs) for kind, specs in kinds.items()}
    # conda-build has this in place of the hash until it has solved the host.
    string = str(build.get("string") or "").replace("{{ PKG_HASH }}", "1234567")
    return {**package, "more": {"string": string, **lists}}


def compare_v1(ours: Packages, theirs: Packages) -> tuple[int, list[dict[str, Any]]]:
    """Compare with rattler-build."""
    return _compare(ours, theirs, _flatten_v1)


def _compare(
    ours: Packages, theirs: Packages, flatten: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> tuple[int, list[dict[str, Any]]]:
    names = [sorted({one["package"]["name"] for one in side}) for side in (ours, theirs)]
    differences = []
    if names[0] != names[1]:
        differences.append({"field": "packages", "ours": names[0], "theirs": names[1]})
    compared = 1
    for one in ours:
        same = [flatten(p) for p in theirs if p["package"]["name"] == one["package"]["name"]]
        if not same:
            continue
        # Of several variants each is compared with the one that is most alike.
        found = min((_compare_fields(_flatten_meta(one), other) for other in same), key=_rank)
        compared += found[0]
        differences += found[1]
    return compared, differences


def _rank(found: tuple[int, list[dict[str, Any]]]) -> int:
    return len(found[1])


def _compare_fields(
    left: Mapping[str, Any], right: Mapping[str, Any]
) -> tuple[int, list[dict[str, Any]]]:
    compared, differences = 0, []
    for field in sorted(left.keys() | right.keys()):
        compared += 1
        a, b = left.get(field), right.get(field)
        if field == "script" and (not b or _SCRIPT_FILE.fullmatch(b)):
            continue  # the peers leave build.sh and other files where they are
        is_list = isinstance(a, list) or isinstance(b, list)
        if not (_match_lists(a, b) if is_list else _squeeze(a) == _squeeze(b)):
            differences.append({"field": field, "ours": a, "theirs": b})
    return compared, differences


def _match_lists(ours: Any, theirs: Any) -> bool:
    """Whether both hold the same; a call, and a name that variants pin, match one that is left."""
    left = Counter(map(_squeeze, _as_list(ours)))
    right = Counter(map(_squeeze, _as_list(theirs)))
    open_left, open_right = list((left - right).elements()), list((right - left).elements())
    for text in list(open_left):
        found = next((one for one in open_right if _may_be(text, one)), None)
        if found is not None:
            open_left.remove(text)
            open_right.remove(found)
    # compiler() may bring several packages, or none without the pinning.
    has_call = any(_CALL.search(text) for text in open_left)
    return all(_CALL.search(text) for text in open_left) and (not open_right or has_call)


def _may_be(ours: str, theirs: str) -> bool:
    if _CALL.search(ours):
        parts = [re.escape(part) for part in _CALL.split(ours)]
        return re.fullmatch(".*".join(parts), theirs) is not None
    # conda-build adds the variant's version to a bare name, and `.*` only once it solves.
    is_bare = " " not in ours and theirs.split()[0] == ours
    return is_bare or ours == f"{theirs}.*"


def _as_list(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _lower_names(needs: Any) -> list[str]:
    """Return requirements as conda-build packs them; it renders capitals and all blanks."""
    return [_PARTS.sub(_pack_requirement, " ".join(one.split())) for one in _as_list(needs)]


def _pack_requirement(parts: re.Match[str]) -> str:
    name, rest = parts.groups()
    name = name.rpartition("::")[2]  # a package's metadata name no channel
    rest = re.sub(r" ?([,|]) ?", r"\1", re.sub(r"([<>=!~]) ", r"\1", rest))
    return f"{name.lower()} {rest}" if rest else name.lower()


def _squeeze(value: Any) -> str:
    # twofold writes `==1.2.*`, which no version matches, as its author meant it.
    text = re.sub(r"(?<= )==(?=[^, ]*\*)", "", "" if value is None else str(value))
    if text.startswith("https://"):
        text = text.rstrip("/")  # which rattler-build adds to an address without a path
    return " ".join(text.split())


def _flatten_meta(package: Mapping[str, Any]) -> dict[str, Any]:
    build, test, about = (package.get(key) or {} for key in ("build", "test", "about"))
    fields: dict[str, Any] = {
        "version": package["package"].get("version"),
        "number": build.get("number", 0),
        "noarch": build.get("noarch") or ("python" if build.get("noarch_python") else ""),
        "script": "\n".join(_as_list(build.get("script"))),
        "entry_points": _as_list(build.get("entry_points")),
    }
    for key in ("build", "host", "run", "run_constrained"):
        fields[key] = _lower_names((package.get("requirements") or {}).get(key))
    fields["test/imports"] = _as_list(test.get("imports"))
    commands = "\n".join(_as_list(test.get("commands"))).split("\n")
    fields["test/commands"] = [line for line in map(str.strip, commands) if line]
    # Without a test what it would require does not matter.
    has_test = fields["test/imports"] or fields["test/commands"]
    fields["test/requires"] = _lower_names(test.get("requires")) if has_test else []
    for key in ("home", "license", "license_family", "license_file", "summary", "description",
                "doc_url", "dev_url"):  # fmt: skip
        fields[f"about/{key}"] = " ".join(_as_list(about.get(key)))
    # A file of the source, by the folder's name or below it.
    fields["about/license_file"] = fields["about/license_file"].replace("$SRC_DIR/", "")
    more: dict[str, Any] = package.get("more", {})
    return fields | _flatten_sources(package) | more


def _flatten_sources(package: Mapping[str, Any]) -> dict[str, Any]:
    sources = package.get("source") or []
    made = {}
    for number, source in enumerate(sources if isinstance(sources, list) else [sources]):
        for key in _SOURCES:
            value = source.get(key, source.get(_SOURCES_V1.get(key, "")))
            made[f"source/{number}/{key}"] = _as_list(value)[0] if value else ""
    return made


def _flatten_v1(package: Mapping[str, Any]) -> dict[str, Any]:
    """Return a package of recipe v1 in the fields of meta.yaml."""
    build = dict(package.get("build") or {})
    script = build.get("script")
    if isinstance(script, dict):
        script = script.get("content", script.get("file"))
    named = "" if script in ("build.sh", "build") else "\n".join(_as_list(script))
    build["script"] = re.sub(r"\$\{\{ (\w+) \}\}", r"$\1", named)
    build["entry_points"] = (build.get("python") or {}).get("entry_points")
    needs = dict(package.get("requirements") or {})
    needs["run_constrained"] = needs.get("run_constraints")
    needs = {k: [_write_pin(one) for one in v] for k, v in needs.items() if isinstance(v, list)}
    about = {_ABOUT.get(k, k): v for k, v in (package.get("about") or {}).items()}
    test: dict[str, list[str]] = {"imports": [], "commands": [], "requires": []}
    for one in package.get("tests") or []:
        python = one.get("python") or {}
        test["imports"] += _as_list(python.get("imports"))
        if "python" in one and python.get("pip_check", True):
            test["commands"].append("pip check")
            test["requires"].append("pip")
        versions = _as_list(python.get("python_version"))
        test["requires"] += [f"python {version}" for version in versions]
        script = one.get("script")
        script = script.get("content") if isinstance(script, dict) else script
        # A value of the context is put in when the test is packed.
        version = str(package["package"]["version"])
        test["commands"] += [line.replace("${{ version }}", version) for line in _as_list(script)]
        test["requires"] += _as_list((one.get("requirements") or {}).get("run"))
    return _flatten_meta(
        {**package, "build": build, "requirements": needs, "about": about, "test": test}
    )


def _write_pin(value: Any) -> str:
    return f"{{{{ {value} }}}}" if isinstance(value, dict) else str(value)
