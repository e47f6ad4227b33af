"""`name-extra` packages: a project's own extras as metapackages, on request.

conda has no extras. Where [tool.twofold.conda] `extras-as-packages` is true, each extra becomes a
package without files that depends on the project in the same version and on what the extra adds.
"""

from __future__ import annotations

from collections.abc import Sequence

from twofold.conda_metadata import CondaPackage
from twofold.convert.about import make_about
from twofold.convert.markers import make_variants
from twofold.convert.options import CondaOptions
from twofold.convert.package import to_conda_version
from twofold.convert.project_requirements import to_match_spec
from twofold.convert.requirements import Need, parse_requirement
from twofold.convert.scope import MarkerScope
from twofold.formats.core_metadata import CoreMetadata, parse_metadata
from twofold.names import normalize_name, to_conda_name


def make_extra_packages(metadata: bytes, options: CondaOptions) -> list[CondaPackage]:
    """The packages of the project's extras, without files; one for each variant of its markers."""
    parsed = parse_metadata(metadata)
    needs = [parse_requirement(text) for text in parsed.requires_dist]
    needs = [need for need in needs if normalize_name(need.name) not in options.leave_out]
    found: list[CondaPackage] = []
    for extra in parsed.all("Provides-Extra"):
        own = [asked for need in needs if (asked := apply_extra(need, extra)) is not None]
        found += _make_packages(parsed, extra, own, options)
    return found


def apply_extra(need: Need, extra: str) -> Need | None:
    """A need of the project as its own extra asks for it, None when it does not."""
    outer = Need("", "", (), "")
    if need.extra:
        return (
            need.under_extra(outer, extra)
            if normalize_name(need.extra) == normalize_name(extra)
            else None
        )
    return need.under_extra(outer, extra) if "extra" in need.marker else None


def _make_packages(
    parsed: CoreMetadata, extra: str, needs: Sequence[Need], options: CondaOptions
) -> list[CondaPackage]:
    base = options.name or to_conda_name(parsed.name, options.known_names)
    version = to_conda_version(parsed.version)

    def render(holding: Sequence[Need]) -> tuple[str, ...]:
        return tuple(sorted({spec for need in holding for spec in _specs(need)}))

    def _specs(need: Need) -> list[str]:
        """An extra that names others of its own project depends on their packages."""
        if normalize_name(need.name) == normalize_name(parsed.name):
            return [f"{base}-{normalize_name(other)} =={version}" for other in need.extras]
        return [to_match_spec(need, options)]

    requires = parsed.requires_python or ""
    scope = MarkerScope(requires, python=options.python, platform=options.platform)
    found = []
    for variant in make_variants(needs, scope, render):
        low = f">={variant.low}" if variant.low else ""
        high = f"<{variant.high}" if variant.high else ""
        python = ",".join(bound for bound in (low, high) if bound)
        depends = [f"{base} =={version}", *variant.depends]
        depends += [f"python {python}"] if python else []
        depends += [variant.guard] if variant.guard else []
        found.append(
            CondaPackage(
                name=f"{base}-{normalize_name(extra)}",
                version=version,
                build=f"{variant.label}_{options.build_number}",
                build_number=options.build_number,
                subdir=variant.subdir or "noarch",
                noarch="generic",
                depends=depends,
                about=make_about(parsed),
                timestamp=options.timestamp,
            )
        )
    return found
