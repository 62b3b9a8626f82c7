"""Files named by their sha256, moved in chunks of 256 KiB under a credit window of 1 MiB.

No sockets here: the classes say what to send next and take what arrived, in order, and so resume after
a reconnect from what they hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from .errors import ProtocolError
from .framing import Buffer
from .limits import DEFAULT_LIMITS, Limits
from .messages import Chunk, Fetch, Have, Put


def digest(data: Buffer) -> str:
    return hashlib.sha256(data).hexdigest()


class Assembly:
    """A blob arriving in order. Memory grows with what arrived, never with what was promised."""

    def __init__(self, sha: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self.sha = sha
        self.total: int | None = None
        self._limit = limits.blob
        self._data = bytearray()
        self._hash = hashlib.sha256()

    @property
    def size(self) -> int:
        """Bytes held so far."""
        return len(self._data)

    @property
    def complete(self) -> bool:
        return self.size == self.total

    def add(self, off: int, total: int, data: Buffer) -> None:
        """Takes the next chunk; one already held is ignored. Raises ProtocolError on a gap or a bad hash."""
        if total > self._limit:
            raise ProtocolError("too_big", f"A file has {total} bytes of {self._limit} allowed.")
        if self.total not in (None, total):
            raise ProtocolError("bad_frame", "A file's size changed on the way.", field="total")
        if off + len(data) > total or off > self.size:
            raise ProtocolError("bad_frame", "A chunk does not follow the one before it.", field="off")
        self.total = total
        if off < self.size:
            return
        self._data += data
        self._hash.update(data)
        if self.complete and self._hash.hexdigest() != self.sha:
            raise ProtocolError("bad_hash")

    def data(self) -> bytes:
        """The whole blob, its hash checked."""
        assert self.complete, "data() before the blob is complete"
        return bytes(self._data)


class BlobReader:
    """The fetching side: `requests()` whenever there may be credit, `feed()` each chunk, until `complete`."""

    def __init__(self, sha: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self.sha = sha
        self._limits = limits
        self._assembly = Assembly(sha, limits)
        self._asked = 0  # bytes asked for since the blob's start

    @property
    def complete(self) -> bool:
        return self._assembly.complete

    @property
    def fraction(self) -> float:
        """0..1, for a progress bar."""
        return self._assembly.size / self._assembly.total if self._assembly.total else 0.0

    def requests(self) -> Iterator[Fetch]:
        """The fetches the credit window allows now (one until the size is known); each counts as sent."""
        step, total = self._limits.frame, self._assembly.total
        end = step if total is None else min(total, self._assembly.size + self._limits.window)
        while self._asked < end:
            yield Fetch(sha=self.sha, off=self._asked, n=step)
            self._asked += step

    def feed(self, chunk: Chunk, frame: Buffer) -> None:
        """Takes an answer. Raises ProtocolError on a chunk that does not fit or a bad hash."""
        if chunk.sha != self.sha or (not frame and chunk.total):
            raise ProtocolError("bad_frame", "A chunk of another file, or an empty one.", field="sha")
        self._assembly.add(chunk.off, chunk.total, frame)

    def restart(self) -> None:
        """After a reconnect: what was asked for is lost, what is held stays."""
        self._asked = self._assembly.size

    def data(self) -> bytes:
        return self._assembly.data()


class BlobWriter:
    """The putting side: `requests()` gives chunks to send, `credit()` takes each `have`."""

    def __init__(self, data: bytes, limits: Limits = DEFAULT_LIMITS) -> None:
        if len(data) > limits.blob:
            raise ProtocolError("too_big", f"A file has {len(data)} bytes of {limits.blob} allowed.")
        self.sha = digest(data)
        self._data = data
        self._limits = limits
        self._sent = 0
        self._held = 0
        self._started = False

    @property
    def complete(self) -> bool:
        return self._started and self._held == len(self._data)

    def requests(self) -> Iterator[tuple[Put, memoryview]]:
        total, step = len(self._data), self._limits.frame
        while self._sent < total or not self._started:
            if self._sent + step > self._held + self._limits.window:
                return
            self._started = True
            frame = memoryview(self._data)[self._sent : self._sent + step]
            put = Put(sha=self.sha, off=self._sent, total=total)
            self._sent += len(frame)
            yield put, frame

    def credit(self, have: Have) -> None:
        """Takes an answer; less than before means the backend lost the rest, and it is sent again."""
        if have.sha != self.sha or have.off > len(self._data):
            return
        self._sent = have.off if have.off < self._held else max(self._sent, have.off)
        self._held = have.off

    def restart(self) -> None:
        """After a reconnect: send again from what the backend is known to hold."""
        self._sent = self._held
