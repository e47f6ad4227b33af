"""Other programs, run for a build.

Where the system has posix_spawn, without the module subprocess, whose import takes a third as long
as a small build.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Mapping, Sequence
    from typing import IO

#: SIGPIPE, which Python ignores; a program that does not expect that would never end.
_PIPE_SIGNAL = 13


class CapturedRun:
    """A program that has ended: its exit code, and its stdout and stderr together."""

    __slots__ = ("output", "returncode")

    def __init__(self, returncode: int, output: str) -> None:
        self.returncode = returncode
        self.output = output


class StartedProgram:
    """A program that runs beside this process.

    `wait` or `end` must be called, after `write_input` where it has input. Raises OSError if the
    program cannot be started.
    """

    def __init__(
        self,
        command: Sequence[object],
        variables: Mapping[str, str],
        folder: str | None = None,
        with_errors: bool = True,
        has_input: bool = False,
    ) -> None:
        """`variables` are the whole environment; without `with_errors` stderr is dropped."""
        words = [str(word) for word in command]
        self._process: subprocess.Popen[bytes] | None = None
        if sys.platform == "win32" or folder is not None or not os.path.isabs(words[0]):
            self._process = _open_process(words, variables, folder, with_errors, has_input)
        else:
            self._pid, self._output, self._input = _spawn(words, variables, with_errors, has_input)

    def write_input(self, pieces: Iterable[bytes]) -> None:
        """Write the whole input; a program that has ended takes no more."""
        if self._process is not None and self._process.stdin is not None:
            target: IO[bytes] = self._process.stdin
        else:
            target = os.fdopen(self._input, "wb", buffering=1 << 16)
        try:
            with target:
                target.writelines(pieces)
        except OSError:  # on Windows not always a BrokenPipeError
            return  # `wait` has its exit code

    def end(self) -> None:
        """End the program, whose output nobody wants."""
        if self._process is not None:
            with self._process as process:
                process.kill()
            return
        os.kill(self._pid, 9)
        os.close(self._output)
        os.waitpid(self._pid, 0)

    def wait(self) -> CapturedRun:
        """Read the output to its end, and wait for the program."""
        data, code = self.wait_for_bytes()
        return CapturedRun(code, data.decode("utf-8", "replace").replace("\r\n", "\n"))

    def wait_for_bytes(self) -> tuple[bytes, int]:
        """Like `wait`, with the output as it is, and the exit code."""
        if self._process is not None:
            with self._process as process:
                try:
                    return process.communicate()[0], process.returncode
                except BaseException:
                    process.kill()
                    raise
        pieces = []
        ended = False
        try:
            while piece := os.read(self._output, 1 << 16):
                pieces.append(piece)
            _, status = os.waitpid(self._pid, 0)
            ended = True
        finally:
            os.close(self._output)
            if not ended:  # interrupted: as subprocess.run does
                os.kill(self._pid, 9)
                os.waitpid(self._pid, 0)
        return b"".join(pieces), os.waitstatus_to_exitcode(status)


def _open_process(
    words: list[str],
    variables: Mapping[str, str],
    folder: str | None,
    with_errors: bool,
    has_input: bool,
) -> subprocess.Popen[bytes]:
    import subprocess

    return subprocess.Popen(
        words,
        cwd=folder,
        env=variables,
        stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if with_errors else subprocess.DEVNULL,
    )


if sys.platform != "win32":

    def _spawn(
        words: list[str], variables: Mapping[str, str], with_errors: bool, has_input: bool
    ) -> tuple[int, int, int]:
        """Start a program; its process id, and our ends of the pipes of its output and its input
        (-1: it has none)."""
        reading, writing = os.pipe()
        source, target = os.pipe() if has_input else (-1, -1)
        nothing = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
        actions = [
            (os.POSIX_SPAWN_DUP2, source, 0)
            if has_input
            else (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, writing, 1),
            (os.POSIX_SPAWN_DUP2, writing, 2) if with_errors else nothing,
        ]
        try:
            pid = os.posix_spawn(
                words[0], words, variables, file_actions=actions, setsigdef=[_PIPE_SIGNAL]
            )
        except BaseException:
            os.close(reading)
            if has_input:
                os.close(target)
            raise
        finally:
            os.close(writing)
            if has_input:
                os.close(source)
        return pid, reading, target


def run_captured(
    command: Sequence[object], variables: Mapping[str, str], folder: str | None = None
) -> CapturedRun:
    """Run a program without input."""
    return StartedProgram(command, variables, folder).wait()


def find_program(name: str) -> str | None:
    """The absolute path of a program on PATH, or None.

    `shutil.which` does the work on Windows, where PATHEXT counts; its import takes as long as the
    search.
    """
    if sys.platform == "win32":
        import shutil

        return shutil.which(name)
    for folder in (os.environ.get("PATH") or os.defpath).split(os.pathsep):
        path = os.path.abspath(os.path.join(folder or ".", name))
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return None
