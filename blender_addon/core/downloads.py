"""Files on their way from the backend: asked for piece by piece, handed to whoever waits for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ...protocol.blobs import BlobReader
from ...protocol.framing import Buffer
from ...protocol.limits import Limits
from ...protocol.messages import Chunk, Fetch
from .jobs import Job

STALL = 5.0  # seconds without a chunk until a file is asked for again


@dataclass
class Download:
    """A file, and who waits for it as what: equal files are one file.

    What: "mesh", "tokens", "picture", or "preview" and "image_preview", of which the newest wins.
    """

    reader: BlobReader
    heard: float  # monotonic seconds
    takers: list[tuple[Job, str]] = field(default_factory=list)


class Downloads:
    """All files of one connection. Every call is given `now` in monotonic seconds."""

    def __init__(self, limits: Callable[[], Limits]) -> None:
        self._limits = limits
        self._files: dict[str, Download] = {}  # by sha256

    def want(self, job: Job, what: str, sha: str, now: float) -> None:
        if sha not in self._files:
            self._files[sha] = Download(BlobReader(sha, self._limits()), now)
        if (job, what) not in self._files[sha].takers:
            self._files[sha].takers.append((job, what))

    def drop(self, job: Job, only: str | None = None) -> None:
        """The job waits for nothing any more, or for nothing of one kind."""
        for sha, download in list(self._files.items()):
            download.takers = [
                (taker, what)
                for taker, what in download.takers
                if taker is not job or only not in (None, what)
            ]
            if not download.takers:
                del self._files[sha]

    def takers(self, sha: str | None) -> list[tuple[Job, str]]:
        found = self._files.get(sha or "")
        return [] if found is None else list(found.takers)

    def restart(self, now: float) -> None:
        """After a reconnect: what was asked for is lost, what is held stays."""
        for download in self._files.values():
            download.reader.restart()
            download.heard = now

    def requests(self, now: float) -> Iterator[Fetch]:
        """What may be asked for now; each counts as sent."""
        for download in self._files.values():
            if now - download.heard > STALL:
                download.reader.restart()
                download.heard = now
            yield from download.reader.requests()

    def feed(self, chunk: Chunk, frame: Buffer, now: float) -> float | None:
        """How much of its file is here, 0..1; None for a file that nobody wants. Raises ProtocolError."""
        download = self._files.get(chunk.sha)
        if download is None:
            return None
        download.heard = now
        download.reader.feed(chunk, frame)
        return 1.0 if download.reader.complete else download.reader.fraction

    def take(self, sha: str) -> tuple[bytes, list[tuple[Job, str]]]:
        """A file that is complete, and who waits for it; it is no longer on its way."""
        download = self._files.pop(sha)
        return download.reader.data(), download.takers
