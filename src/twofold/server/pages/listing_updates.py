"""Keeps the row of a project in lists and searches, in the transaction of a change.

New files change what they must; every other change reads the records of all the project's files.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from twofold.names.version_order import sort_newest_first
from twofold.server.model import Project, StoredFile, from_text
from twofold.server.pages.page_updates import MAIN, index_label
from twofold.server.pages.search_facets import ReleaseText, find_platforms, find_pythons
from twofold.server.store import Connection, channels, files
from twofold.server.store.search import listings
from twofold.server.store.search.contents import FileFacts, had_files, list_file_facts
from twofold.server.store.search.listings import Listing
from twofold.server.store.search.words import Document, make_facet

_PIP, _CONDA = "pip", "conda"


def update_listing(
    db: Connection, channel_id: int, project_id: int, added: Sequence[StoredFile] = ()
) -> None:
    """Write a project's row and tokens; `added` are new files where nothing else has changed."""
    project = channels.get_project(db, project_id)
    before = listings.find_listing(db, project_id)
    if added and before is not None and project.status != "quarantined":
        after = _add_files(db, before, [FileFacts.of(file) for file in added])
        if after is not None:
            _save(db, project, before, after, added)
            return
    found = list_file_facts(db, project_id)
    if project.status == "quarantined" or (not found and had_files(db, project_id)):
        listings.remove_listing(db, project_id)
        return
    _save(db, project, before, _summarize(channel_id, project, found), added)


def find_describing_file(db: Connection, project_id: int) -> StoredFile | None:
    """Return the file that describes a project: of its newest release; None without files."""
    found = list_file_facts(db, project_id)
    source_id = _find_source(*_split(found))
    return files.find_file_by_id(db, source_id) if source_id is not None else None


def _is_offered(file: FileFacts) -> bool:
    """Whether pip or conda finds a file in the channel without naming a label."""
    shown = file.labels if file.kind.is_conda else set(map(index_label, file.labels))
    return not file.is_yanked and MAIN in shown


def _newest(versions: Collection[str], is_conda: bool) -> str:
    known = {version for version in versions if version}
    return next(iter(sort_newest_first(() if is_conda else known, known)), "")


def _split(found: Sequence[FileFacts]) -> tuple[dict[bool, list[FileFacts]], dict[bool, str]]:
    """Return the files of the PyPI side (False) and conda's (True), and what each installs."""
    sides = {
        is_conda: [file for file in found if file.kind.is_conda is is_conda]
        for is_conda in (False, True)
    }
    newest = {
        is_conda: _newest({file.version for file in side if _is_offered(file)}, is_conda)
        for is_conda, side in sides.items()
    }
    return sides, newest


def _summarize(channel_id: int, project: Project, found: Sequence[FileFacts]) -> Listing:
    sides, newest = _split(found)
    shown = [file for file in found if not file.is_yanked] or found
    python = {file.version for file in shown if not file.kind.is_conda}
    every = {file.version for file in shown}
    return Listing(
        project.id,
        channel_id,
        project.key,
        project.name,
        project.summary,
        newest[False],
        newest[True],
        _choose_newest(newest[False], newest[True])
        or next(iter(sort_newest_first(python, every)), ""),
        from_text(max(file.uploaded_at for file in found)) if found else project.created_at,
        tuple(name for name, is_conda in ((_PIP, False), (_CONDA, True)) if sides[is_conda]),
        tuple(sorted(find_platforms(found))),
        tuple(sorted(find_pythons(found))),
        _find_source(sides, newest),
    )


def _choose_newest(pip: str, conda: str) -> str:
    """Return the newer of both sides' versions."""
    python = {pip} - {""}
    return next(iter(sort_newest_first(python, python | {conda} - {""})), "")


def _find_source(sides: dict[bool, list[FileFacts]], newest: dict[bool, str]) -> int | None:
    """Return the file that describes a project: a wheel, an sdist, an author's package."""
    for is_conda in (False, True):
        side = sides[is_conda]
        version = newest[is_conda] or _newest({file.version for file in side}, is_conda)
        own = [file for file in side if file.version == version]
        offered = [file for file in own if _is_offered(file)]
        if own:
            return min(offered or own, key=_rank_source).id
    return None


def _rank_source(file: FileFacts) -> tuple[bool, bool, int]:
    return file.is_converted, not (file.tags or file.kind.is_conda), file.id


def _add_files(db: Connection, before: Listing, added: Sequence[FileFacts]) -> Listing | None:
    """Return a row with new files; None where all files have to be read."""
    if not all(map(_is_offered, added)) or before.source_id is None:
        return None
    after = before
    for file in added:
        is_conda = file.kind.is_conda
        old = after.conda_version if is_conda else after.pip_version
        newest = _newest({old, file.version}, is_conda)
        if newest == file.version and (not is_conda or _PIP not in after.worlds):
            source_id = _find_new_source(db, after, file, old)
            if source_id is None:
                return None
            after = replace(after, source_id=source_id)
        worlds = {*after.worlds, _CONDA if is_conda else _PIP}
        after = replace(
            after,
            pip_version=after.pip_version if is_conda else newest,
            conda_version=newest if is_conda else after.conda_version,
            worlds=tuple(sorted(worlds, reverse=True)),
        )
    return replace(
        after,
        newest=_choose_newest(after.pip_version, after.conda_version),
        uploaded_at=from_text(max(file.uploaded_at for file in added)),
        platforms=tuple(sorted(find_platforms(added).union(before.platforms))),
        pythons=tuple(sorted(find_pythons(added).union(before.pythons))),
    )


def _find_new_source(db: Connection, listed: Listing, file: FileFacts, old: str) -> int | None:
    """Return what describes a project with a new file of its newest release; None if unknown."""
    if not old:
        return None
    if old != file.version:
        return file.id
    source = files.find_file_by_id(db, listed.source_id or 0)
    if source is None or source.version != old or source.kind.is_conda is not file.kind.is_conda:
        return None
    ranked = min([FileFacts.of(source), file], key=_rank_source)
    return ranked.id


def _save(
    db: Connection,
    project: Project,
    before: Listing | None,
    after: Listing,
    added: Sequence[StoredFile],
) -> None:
    """Store a row; the tokens too where a text or a value to filter by has changed."""
    listed = (before.key, before.name, before.source_id) if before else ()
    facets = (before.worlds, before.platforms, before.pythons) if before else ()
    is_same = (
        before is not None
        and listed == (after.key, after.name, after.source_id)
        and facets == (after.worlds, after.platforms, after.pythons)
        and before.summary == project.summary
    )
    if is_same:
        listings.save_listing(db, replace(after, summary=project.summary), None)
        return
    source = next((file for file in added if file.id == after.source_id), None)
    if source is None and after.source_id is not None:
        source = files.find_file_by_id(db, after.source_id)
    described = ReleaseText(source)
    summary = project.summary
    is_described_anew = before is not None and before.source_id not in (None, after.source_id)
    if described.summary and (not summary or is_described_anew) and described.summary != summary:
        summary = described.summary
        channels.update_project(db, project.id, summary=summary)
    facets_now = {
        f"c:{after.channel_id}",
        *(make_facet("f", one) for one in after.worlds),
        *(make_facet("p", one) for one in after.platforms),
        *(make_facet("y", one) for one in after.pythons),
        *described.make_facets(),
    }
    names = tuple(dict.fromkeys(filter(None, (project.name, project.conda_name))))
    document = Document(
        names, f"{summary} {described.short}", described.text, frozenset(facets_now)
    )
    listings.save_listing(db, replace(after, summary=summary), document.tokens)
