"""Jobs, their events and their files, kept apart from connections so that a client may come back.

MemoryJobStore forgets everything when the gateway ends; a durable store takes the same interface.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from protocol.errors import ProtocolError
from protocol.framing import Packet
from protocol.jobs import JobSpec
from protocol.limits import MIB
from protocol.messages import (
    ATTEMPT,
    LATEST_WINS,
    TERMINAL,
    Cancelled,
    Done,
    Event,
    Failed,
    Partial,
    Preview,
    Queued,
    Retrying,
    Running,
    State,
)

DAY = 24 * 3600.0
STATES: dict[type, State] = {
    Queued: "queued",
    Running: "running",
    Done: "done",
    Failed: "failed",
    Cancelled: "cancelled",
}


@dataclass
class Job:
    """One request and what became of it; `owner` is the public key that sent it."""

    id: str
    owner: str
    spec: JobSpec
    blobs: tuple[str, ...]
    created: float = field(default_factory=time.time)  # Unix seconds
    state: State = "queued"
    attempt: int = 1
    finished: float | None = None
    acked: bool = False
    events: list[Event] = field(default_factory=list)  # lasting ones, by seq
    latest: dict[str, Packet] = field(default_factory=dict)  # newest progress and preview of each kind
    files: set[str] = field(default_factory=set)  # names of the blobs its events speak of
    count: int = 0  # events numbered so far

    @property
    def over(self) -> bool:
        return self.finished is not None

    def next_seq(self) -> int:
        self.count += 1
        return self.attempt * ATTEMPT + self.count

    def lasting_files(self) -> set[str]:
        """Names of the files that its lasting events speak of."""
        return {sha for event in self.events for sha in files_of(event)}

    def last_seq(self) -> int:
        return self.events[-1].seq if self.events else 0


def files_of(event: Event) -> set[str]:
    """Names of the files an event speaks of."""
    match event:
        case Preview():
            named = [event.file]
        case Partial():
            named = [event.mesh, event.image]
        case Done():
            named = [event.mesh, event.tokens, *(picture.image for picture in event.pictures)]
        case _:
            named = []
    return {sha for sha in named if sha is not None}


class JobStore(Protocol):
    """What the gateway asks of a store. Every question names the owner; another's job is `no_job`."""

    def submit(self, owner: str, id: str, spec: JobSpec, blobs: tuple[str, ...]) -> tuple[Job, bool]:
        """(job, whether it was there already). Raises ProtocolError no_job or id_conflict."""

    def get(self, owner: str, id: str) -> Job:
        """Raises ProtocolError no_job."""

    def holds(self, owner: str, id: str) -> bool:
        """Whether `get` gives a job."""

    def jobs(self, owner: str, since: float) -> list[Job]:
        """Not acknowledged, created after `since` (Unix seconds), oldest first."""

    def waiting(self, owner: str) -> int:
        """How many of the owner's jobs are queued or running."""

    def record(self, job: Job, packet: Packet, files: Mapping[str, bytes]) -> None:
        """Takes an event and the files it speaks of; moves the job to the state the event means."""

    def ack(self, owner: str, id: str) -> None:
        """The client has the result: its files may go. Raises ProtocolError no_job."""

    def put_file(self, owner: str, sha: str, data: bytes) -> None:
        """An input file, kept until a job that takes it is over, or `sweep` finds no use for it.

        Raises ProtocolError quota when too many bytes wait as inputs.
        """

    def file(self, owner: str, sha: str) -> bytes | None:
        """None unless a job or an upload of this owner speaks of it."""

    def sweep(self) -> None:
        """Drops what is past its time or over the limits, oldest first; never a job that is not over."""


class MemoryJobStore:
    """See JobStore."""

    def __init__(
        self,
        *,
        max_bytes: int = 512 * MIB,
        max_inputs: int = 1024 * MIB,
        max_finished: int = 2_000,
        keep: float = DAY,
        keep_upload: float = 3600.0,
    ) -> None:
        self._jobs: dict[str, Job] = {}  # oldest first
        self._files: dict[str, bytes] = {}
        self._uploads: dict[tuple[str, str], float] = {}  # (owner, sha) -> when
        self._max_bytes = max_bytes
        self._max_inputs = max_inputs
        self._max_finished = max_finished
        self._keep = keep
        self._keep_upload = keep_upload

    def submit(self, owner: str, id: str, spec: JobSpec, blobs: tuple[str, ...]) -> tuple[Job, bool]:
        held = self._jobs.get(id)
        if held is None:
            job = self._jobs[id] = Job(id=id, owner=owner, spec=spec, blobs=blobs, files=set(blobs))
            for sha in blobs:  # from now on the job keeps it
                self._uploads.pop((owner, sha), None)
            return job, False
        if held.owner != owner:
            raise ProtocolError("no_job", job=id)
        if (held.spec, held.blobs) != (spec, blobs):
            raise ProtocolError("id_conflict", job=id)
        return held, True

    def get(self, owner: str, id: str) -> Job:
        job = self._jobs.get(id)
        if job is None or job.owner != owner:
            raise ProtocolError("no_job", job=id)
        return job

    def holds(self, owner: str, id: str) -> bool:
        return id in self._jobs and self._jobs[id].owner == owner

    def jobs(self, owner: str, since: float) -> list[Job]:
        return [j for j in self._jobs.values() if j.owner == owner and j.created > since and not j.acked]

    def waiting(self, owner: str) -> int:
        return sum(job.owner == owner and not job.over for job in self._jobs.values())

    def record(self, job: Job, packet: Packet, files: Mapping[str, bytes]) -> None:
        event = packet.message
        assert isinstance(event, Event)
        assert not job.over, "a job has exactly one terminal event"
        self._files |= files
        if isinstance(event, LATEST_WINS):
            name = f"preview of {event.of}" if isinstance(event, Preview) else "progress"
            before = job.latest.get(name)
            job.latest[name] = packet
            if before is not None:
                assert isinstance(before.message, Event)
                kept = files_of(event) | job.lasting_files() | set(job.blobs)
                self._drop(job, files_of(before.message) - kept)
        else:
            if isinstance(event, Queued):  # only the newest place in the queue is of interest
                job.events = [e for e in job.events if not isinstance(e, Queued)]
            if isinstance(event, Retrying):  # the next attempt makes its own parts
                job.events = [e for e in job.events if not isinstance(e, Partial)]
                job.latest.clear()
            job.events.append(event)
        job.files |= set(files)
        job.state = STATES.get(type(event), job.state)
        if isinstance(event, TERMINAL):
            job.finished = time.time()
            job.latest.clear()
            self._drop(job, job.files - job.lasting_files())
            self.sweep()

    def ack(self, owner: str, id: str) -> None:
        job = self.get(owner, id)
        if job.over:
            job.acked = True
            self._drop(job, set(job.files))

    def put_file(self, owner: str, sha: str, data: bytes) -> None:
        waiting = {sha for _, sha in self._uploads}
        waiting |= {sha for job in self._jobs.values() if not job.over for sha in job.blobs}
        if sum(len(self._files.get(sha, b"")) for sha in waiting) + len(data) > self._max_inputs:
            raise ProtocolError("quota", "Too many files wait to be used.")
        self._files[sha] = data
        self._uploads[owner, sha] = time.time()
        self.sweep()

    def file(self, owner: str, sha: str) -> bytes | None:
        if (owner, sha) in self._uploads or any(
            j.owner == owner and sha in j.files for j in self._jobs.values()
        ):
            return self._files.get(sha)
        return None

    def sweep(self) -> None:
        now = time.time()
        self._uploads = {key: when for key, when in self._uploads.items() if now - when < self._keep_upload}
        finished = sorted(
            (j for j in self._jobs.values() if j.finished), key=lambda j: (not j.acked, j.finished)
        )
        surplus = len(finished) - self._max_finished
        for index, job in enumerate(finished):
            if index < surplus or now - (job.finished or now) > self._keep:
                del self._jobs[job.id]
        self._forget_unused()
        used = sum(len(data) for data in self._files.values())
        for job in finished:
            if used <= self._max_bytes:
                break
            used -= sum(len(self._files.get(sha, b"")) for sha in job.files)
            self._drop(job, set(job.files))

    def _drop(self, job: Job, shas: set[str]) -> None:
        job.files -= shas
        self._forget_unused(shas)

    def _forget_unused(self, among: Sequence[str] | set[str] | None = None) -> None:
        used = {sha for job in self._jobs.values() for sha in job.files} | {sha for _, sha in self._uploads}
        for sha in list(self._files if among is None else among):
            if sha not in used:
                self._files.pop(sha, None)
