"""Source files of requests: kept on disk while a request may need them, put to the backend when it asks."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...protocol.blobs import BlobWriter, digest
from ...protocol.errors import ProtocolError
from ...protocol.framing import Buffer
from ...protocol.limits import Limits
from ...protocol.messages import SHA256, Have, Put
from .jobs import Job
from .problems import ProblemError, from_error, local_problem

STALL = 5.0  # seconds without credit until a file is sent again from what the backend holds
GRACE = 86_400.0  # seconds an unused file stays: another Blender may be about to use it


class SourceFiles:
    """Files named by their sha256 in a folder of the user's. Raises OSError when the disk refuses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, data: bytes) -> str:
        """Its name. It is there whole or not at all."""
        sha = digest(data)
        path = self._folder / sha
        if path.is_file():
            os.utime(path)
            return sha
        self._folder.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{sha}.{os.getpid()}")
        part.write_bytes(data)
        part.replace(path)
        return sha

    def read(self, sha: str) -> bytes:
        """Raises ProblemError when it is gone, or no longer what it was."""
        with contextlib.suppress(OSError):
            data = (self._folder / sha).read_bytes()
            if digest(data) == sha:
                return data
        raise ProblemError(local_problem("source_gone"))

    def prune(self, used: Collection[str]) -> None:
        """Removes what no request uses; what another Blender holds open stays until the next time."""
        if not self._folder.is_dir():
            return
        for path in self._folder.iterdir():
            with contextlib.suppress(OSError):
                old = time.time() - path.stat().st_mtime > GRACE
                if old and SHA256.match(path.name) and path.name not in used:
                    path.unlink()


@dataclass
class _Upload:
    writer: BlobWriter
    total: int
    held: int  # bytes the backend has
    heard: float  # monotonic seconds


class Uploads:
    """All files on their way to one backend. Every call is given `now` in monotonic seconds."""

    def __init__(self, limits: Callable[[], Limits], sources: SourceFiles) -> None:
        self._limits = limits
        self._sources = sources
        self._files: dict[str, _Upload] = {}  # by sha256

    def need(self, job: Job, names: Collection[str], now: float) -> None:
        """The backend asks for these files of a job. Raises ProblemError for one that it cannot have."""
        try:
            for sha in names:
                if sha in job.blobs and sha not in self._files:
                    data = self._sources.read(sha)
                    self._files[sha] = _Upload(BlobWriter(data, self._limits()), len(data), 0, now)
        except ProtocolError as error:
            raise ProblemError(from_error(error)) from error
        job.advance("sending", 0, 100)

    def underway(self, names: Collection[str]) -> bool:
        return any(name in self._files for name in names)

    def again(self, sha: str) -> None:
        """What was sent last could not go."""
        self._files[sha].writer.restart()

    def drop(self, sha: str) -> None:
        self._files.pop(sha, None)

    def clear(self) -> None:
        """The connection is another: whoever still needs a file will say so."""
        self._files.clear()

    def puts(self, now: float) -> Iterator[tuple[Put, Buffer]]:
        """What may be sent now; each counts as sent."""
        for file in self._files.values():
            if now - file.heard > STALL:
                file.writer.restart()
                file.heard = now
            yield from file.writer.requests()

    def have(self, message: Have, jobs: Iterable[Job], now: float) -> list[Job]:
        """Takes credit; those of the jobs whose last missing file the backend now holds."""
        file = self._files.get(message.sha)
        if file is None:
            return []
        file.heard, file.held = now, min(message.off, file.total)
        file.writer.credit(message)
        if file.writer.complete:
            del self._files[message.sha]
        waiting = [job for job in jobs if message.sha in job.blobs and not job.accepted]
        for job in waiting:
            job.advance("sending", int(100 * file.held / max(file.total, 1)), 100)
        return [job for job in waiting if not self.underway(job.blobs)]
