"""What a wheel's Requires-Dist ask for: of every user, and of users of its extras."""

from __future__ import annotations

from twofold.convert.requirements import Need, parse_requirement
from twofold.convert.scope import MarkerScope
from twofold.convert.versions import to_conda_spec
from twofold.errors import Problem, TwofoldError
from twofold.names import normalize_name, to_conda_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from twofold.convert.options import CondaOptions
    from twofold.formats.core_metadata import CoreMetadata


class Requirements:
    """The requirements of a project, those left out by the user aside.

    `always` are asked of every user (their markers permitting), what extras of dependencies add
    among them; `optional` of users of the project's own extras. `never` are the texts of those
    that hold nowhere. `expanded` and `notes` tell of the extras of dependencies.
    """

    __slots__ = ("always", "expanded", "never", "notes", "optional")

    def __init__(self) -> None:
        self.always: list[Need] = []
        self.optional: list[Need] = []
        self.never: list[str] = []
        self.expanded: list[str] = []
        self.notes: list[str] = []


def read_requirements(parsed: CoreMetadata, options: CondaOptions) -> Requirements:
    """Raises TwofoldError with everything that cannot be said, told together."""
    problems: list[Problem] = []
    needs = Requirements()
    for text in parsed.requires_dist:
        try:
            need = parse_requirement(text)
            if normalize_name(need.name) not in options.leave_out:
                _classify(need, parsed, options, needs)
        except TwofoldError as error:
            problems += error.problems
    if problems:
        raise combine_errors(problems)
    return needs


def _classify(need: Need, parsed: CoreMetadata, options: CondaOptions, needs: Requirements) -> None:
    if need.extra:
        needs.optional.append(need)
        return
    names_extra = "extra" in need.marker
    if names_extra:
        needs.optional.append(need)
    if need.when and (names_extra or need.extras):
        from twofold.convert.markers import can_evaluate, classify_requirement

        scope = MarkerScope(parsed.requires_python or "")
        if can_evaluate(need) and classify_requirement(need, scope) == "never":
            if not names_extra:
                needs.never.append(need.text)
            return
    needs.always.append(need)
    if need.extras:
        from twofold.convert.extras import expand_extras

        added = expand_extras(need, options)
        needs.always += added.needs
        needs.expanded += added.told
        needs.notes += added.notes


def combine_errors(problems: Sequence[Problem]) -> TwofoldError:
    """One error that tells every problem."""
    error = TwofoldError(problems[0].message, problems[0].hint, problems[0].where)
    error.problems = tuple(problems)
    return error


def to_match_spec(need: Need, options: CondaOptions) -> str:
    """A requirement without its marker and extras as a MatchSpec: `numpy >=1.26,<3dev0`."""
    name = to_conda_name(need.name, options.known_names)
    try:
        spec = to_conda_spec(need.spec)
    except TwofoldError as error:
        first = error.problems[0]
        raise TwofoldError(first.message, first.hint, f"Requires-Dist: {need.text}") from error
    return f"{name} {spec}" if spec else name
