"""Renders descriptions after uploads, in a process with limits, and stores the HTML.

One thread of each server works through a queue, so that at most one description is rendered at a
time. The process is started when there is something to render and ends when it was idle. If a
description exceeds the limits, the process is killed and the description is shown as text.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Condition, Thread, Timer

from markupsafe import Markup

from twofold.errors import TwofoldError
from twofold.server.model import StoredFile
from twofold.server.pages.description import (
    describe_metadata,
    find_description_source,
    may_have_description,
    read_metadata,
)
from twofold.server.store import Database, projects

log = logging.getLogger("twofold.server")

#: The longest time for one description (seconds), where the process has no limit of its own.
MAX_WAIT = 30.0

#: Seconds after which an idle process ends.
IDLE_TIME = 10.0

#: The most descriptions that wait; the page of one that found no place requests it again.
MAX_WAITING = 10_000

#: The most descriptions stored in one transaction.
BATCH = 50

#: What the process is given of the environment: nothing secret.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "SYSTEMROOT", "LANG", "LC_ALL")

#: Begins what is hashed for a key: another one renders all descriptions again.
FORM = b"2\n"

#: The id of a project and the SHA-256 of the metadata.
DescriptionKey = tuple[int, str]


def render_release(
    database: Database, renderer: DescriptionRenderer, files: Sequence[StoredFile]
) -> Markup:
    """Return a release's description as safe HTML, '' without one.

    A description that is not rendered yet is shown as text, and its rendering requested.
    """
    source = find_description_source(files)
    if source is None:
        return Markup()
    described = describe_metadata(read_metadata(source))
    html = None
    if described.is_markup:
        key = make_key(source)
        with database.read() as db:
            stored = projects.find_descriptions(db, [key])
        if key in stored:
            html = stored[key]
        else:
            renderer.request(database, source)
    return Markup(described.plain_html if html is None else html)


def make_key(file: StoredFile) -> DescriptionKey:
    """Return the key of a file's description, as this version renders it."""
    return file.project_id, hashlib.sha256(FORM + read_metadata(file)).hexdigest()


@dataclass
class DescriptionRenderer:
    """The queue of a server, its thread and its process.

    The thread and the process end when they were idle for `idle_time` (seconds).
    """

    idle_time: float = IDLE_TIME
    is_running: bool = False
    _waiting: dict[DescriptionKey, tuple[Database, bytes]] = field(default_factory=dict)
    _changed: Condition = field(default_factory=Condition)

    def request(self, database: Database, file: StoredFile) -> None:
        """Render and store a file's description later, if it has one."""
        metadata = read_metadata(file)
        if not may_have_description(metadata):
            return
        with self._changed:
            if len(self._waiting) < MAX_WAITING:
                self._waiting.setdefault(make_key(file), (database, metadata))
            self._changed.notify()
            if not self.is_running:
                self.is_running = True
                Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        process = RenderProcess()
        rendered: dict[DescriptionKey, str | None] = {}
        try:
            while (key := self._next()) is not None:
                database, metadata = self._waiting[key]
                try:
                    self._render(database, key, metadata, process, rendered)
                except (TwofoldError, OSError) as error:
                    log.error(json.dumps({"failed": "rendering", "reason": str(error)}))
                    rendered.clear()
                finally:
                    with self._changed:
                        self._waiting.pop(key, None)
        except BaseException:
            with self._changed:
                self.is_running = False  # the next request starts another thread
            raise
        finally:
            process.close()

    def _next(self) -> DescriptionKey | None:
        """Wait for the next description; None after the idle time, when the thread has to end."""
        with self._changed:
            if self._changed.wait_for(lambda: bool(self._waiting), self.idle_time):
                return next(iter(self._waiting))
            self.is_running = False
            return None

    def _render(
        self,
        database: Database,
        key: DescriptionKey,
        metadata: bytes,
        process: RenderProcess,
        rendered: dict[DescriptionKey, str | None],
    ) -> None:
        """Render one description; store it with those before it once no more wait."""
        with database.read() as db:
            is_stored = bool(projects.find_descriptions(db, [key]))
        if not is_stored:
            rendered[key] = process.render(metadata)
        if rendered and (len(rendered) >= BATCH or len(self._waiting) == 1):
            with database.write() as db:
                projects.save_descriptions(db, rendered)
            rendered.clear()


class RenderProcess:
    """The process that renders, started when it is needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def render(self, metadata: bytes) -> str | None:
        """Render the description in metadata; None when it is to be shown as text."""
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        timer = Timer(MAX_WAIT, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(metadata.decode("latin-1")) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if not line.endswith("\n"):  # it was killed at a limit
            self.close()
            return None
        html = json.loads(line)["html"]
        return str(html) if html is not None else None

    def _start(self) -> subprocess.Popen[str]:
        # -P: a module in the server's working folder must not replace one of ours.
        command = [sys.executable, "-P", "-m", "twofold.server.pages.description"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        )
        return self._process

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            with self._process:
                self._process = None
