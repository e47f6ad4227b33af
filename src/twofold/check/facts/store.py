"""The facts of modules: from the cache, or read."""

from __future__ import annotations

import gc
import os

from twofold.check.cache import checks_folder, interpreter_key, make_folder, write_entry
from twofold.check.facts.compiling import PARALLEL_BYTES, SourceFile, SyntaxCheck
from twofold.check.facts.model import Facts, from_json, to_json
from twofold.check.facts.quick import read_quick_facts
from twofold.check.facts.text_scan import start_scan
from twofold_build.archive import new_sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from twofold.check.facts.quick import QuickFacts
    from twofold_build.archive import Content


class FactsStore:
    """The facts of modules, by the SHA-256 of each (hex), in one file for each project's name.

    `None` is stored for a module that compiles, where nothing more is known. The file depends
    on content alone, so another checkout and a cache of CI serve as well.
    """

    def __init__(self, project: str) -> None:
        digest = new_sha256()
        digest.update(f"{interpreter_key()} {project}".encode())
        name = digest.hexdigest()[:32]
        self._path = os.path.join(checks_folder(), "facts", f"{name}.json")
        self._known = self._read()
        self._used: dict[str, list[Any] | None] = {}
        self._is_new = False

    def _read(self) -> dict[str, list[Any] | None]:
        if not os.path.exists(self._path):
            return {}
        import json

        try:
            with open(self._path, encoding="utf-8") as file:
                known = json.load(file)
        except (OSError, ValueError):
            return {}  # damaged or unreadable: the facts are read again
        return known if isinstance(known, dict) else {}

    def get(self, digest: str) -> Facts | None:
        """The facts of a module with this SHA-256, or None."""
        value = self._used.get(digest) or self._known.get(digest)
        if value is None:
            return None
        try:
            facts = from_json(value)
        except (TypeError, ValueError, LookupError, AttributeError):
            return None  # damaged
        self._used[digest] = value
        return facts

    def is_valid(self, digest: str) -> bool:
        """Whether a module with this SHA-256 is known to compile."""
        if digest in self._used:
            return True
        if digest not in self._known or self._known[digest] is not None:
            return False
        self._used[digest] = None
        return True

    def put(self, digest: str, facts: Facts | None) -> None:
        """Store the facts of a module for `save`, or only that it compiles."""
        self._used[digest] = None if facts is None else to_json(facts)
        self._is_new = True

    def save(self) -> None:
        """Save the facts that this run used, and as many that another checkout may use."""
        if not self._is_new or not make_folder(os.path.dirname(self._path)):
            return
        others = [digest for digest in self._known if digest not in self._used]
        del others[len(self._used) :]
        kept = {**self._used, **{digest: self._known[digest] for digest in others}}
        if any(kept.values()):
            import json

            text = json.dumps(kept, separators=(",", ":"))
        else:  # what a build leaves of a project without mistakes
            text = "{" + ",".join(f'"{digest}":null' for digest in kept) + "}"
        write_entry(self._path, text.encode())


def load_facts(project: str, contents: Mapping[str, Content]) -> dict[str, Facts]:
    """Path -> all facts, of modules given as path -> content. What was new is kept in the cache.

    `project` is the project's name, normalized.
    """
    store = FactsStore(project)
    found: dict[str, Facts] = {}
    new: dict[str, bytes] = {}
    for content in contents.values():
        digest = content.sha256.hex()
        if digest not in found and digest not in new:
            known = store.get(digest)
            if known is None:
                new[digest] = content.data
            else:
                found[digest] = known
    for digest, facts in zip(new, read_all_facts(list(new.values())), strict=True):
        store.put(digest, facts)
        found[digest] = facts
    store.save()
    return {path: found[content.sha256.hex()] for path, content in contents.items()}


class QuickLoad:
    """The facts of a project's modules that a build needs, while their syntax is still checked.

    `contents` and `files`, the paths on disk, are by the modules' paths in the project, `oldest` is
    the oldest minor version of Python 3 to run on. `facts`, by path, are of the modules as if all
    compiled; `finish` corrects that.
    """

    def __init__(
        self, project: str, contents: Mapping[str, Content], files: Mapping[str, str], oldest: int
    ) -> None:
        self._store = FactsStore(project)
        self._digests = {path: content.sha256.hex() for path, content in contents.items()}
        found: dict[str, Facts | QuickFacts] = {}
        self._new: dict[str, SourceFile] = {}
        sources = {self._digests[path]: (path, one.data) for path, one in contents.items()}
        for digest, (path, source) in sources.items():
            known = self._store.get(digest)
            if known is not None:
                found[digest] = known
            elif not self._store.is_valid(digest):
                self._new[digest] = SourceFile(source, files.get(path, ""))
        self._check = SyntaxCheck(self._new)
        self._scan = start_scan(self._new)
        for digest, (_, source) in sources.items():
            if digest not in found:
                found[digest] = read_quick_facts(source, oldest)
        self.facts = {path: found[digest] for path, digest in self._digests.items()}

    @property
    def is_checked_beside(self) -> bool:
        """Whether another process checks the syntax."""
        return self._check.is_beside

    def may_hold_secret(self, path: str) -> bool:
        """Whether a file of the project must be searched for secrets."""
        digest = self._digests.get(path)
        if self._scan is None or digest not in self._new:
            return True
        return self._scan.may_hold_secret(digest)

    def finish(self) -> bool:
        """Wait for the check of the syntax; True where a module does not compile: its facts are
        its mistake now. What was new is kept in the cache."""
        mistakes = (
            self._check.finish(self._scan.surprises_ruff) if self._scan else self._check.finish()
        )
        wrong = {digest: Facts(mistake) for digest, mistake in mistakes.items()}
        for digest in self._new:
            self._store.put(digest, wrong.get(digest))
        self._store.save()
        self.facts.update(
            (path, wrong[digest]) for path, digest in self._digests.items() if digest in wrong
        )
        return bool(wrong)

    def close(self) -> None:
        """End the processes that may still work for this."""
        self._check.close()
        if self._scan is not None:
            self._scan.close()


def read_all_facts(sources: list[bytes]) -> list[Facts]:
    """All facts of modules, in their order; in several processes when there is much to read."""
    from twofold.check.facts.parse import parse_facts

    is_collecting = gc.isenabled()
    gc.disable()  # syntax trees hold no circles: a search for them costs a twentieth of the time
    try:
        if sum(map(len, sources)) < PARALLEL_BYTES:
            return [parse_facts(source) for source in sources]
        from twofold.check.facts.processes import run_in_processes

        return run_in_processes(parse_facts, sources)
    finally:
        if is_collecting:
            gc.enable()


def read_all_quick_facts(sources: list[bytes], oldest: int) -> list[Facts | QuickFacts]:
    """The facts of modules that a build needs, in their order."""
    files = {str(number): SourceFile(source) for number, source in enumerate(sources)}
    mistakes = SyntaxCheck(files).finish()
    return [
        Facts(mistakes[key]) if key in mistakes else read_quick_facts(file.source, oldest)
        for key, file in files.items()
    ]
