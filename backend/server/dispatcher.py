"""Jobs to the worker, the worker's words to events. Knows no sockets and no clients."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from statistics import fmean
from typing import Any, Protocol

from protocol.errors import Problem, ProtocolError, problem
from protocol.framing import Packet
from protocol.jobs import JobSpec
from protocol.limits import Limits
from protocol.messages import (
    Cancelled,
    Done,
    Event,
    Failed,
    ModelInfo,
    Preview,
    Progress,
    Queued,
    Retrying,
    Running,
    Submit,
)

from . import link
from .fairness import FairQueue
from .store import Job, JobStore

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 2
CANCEL_GRACE = 10.0  # seconds a worker has to stop a job before it is killed

Publish = Callable[[Job, Packet], None]


class WorkerLink(Protocol):
    """What the dispatcher needs of Supervisor."""

    model: ModelInfo

    def send(self, message: link.ToWorker) -> None: ...

    def reload(self, now: float) -> None: ...

    def kill(self) -> None: ...


class Dispatcher:
    """Holds the queue and the running job; every event of every job is made here."""

    def __init__(self, store: JobStore, worker: WorkerLink, limits: Limits, publish: Publish) -> None:
        self._store = store
        self._worker = worker
        self._limits = limits
        self._publish = publish
        self._queue = FairQueue()
        self._jobs: dict[str, Job] = {}  # queued or running
        self._running: Job | None = None
        self._started = 0.0
        self._kill_at: float | None = None  # set while the running job is being cancelled
        self._took: deque[float] = deque(maxlen=8)  # seconds of the last jobs

    @property
    def busy(self) -> bool:
        return self._running is not None

    def hold(self, owner: str, message: Submit, spec: JobSpec) -> tuple[Job, bool]:
        """(job, whether it was held already). Nothing is said of it until `announce`.

        `spec` is the message's, checked. Raises ProtocolError: no model, a full queue, an id in use.
        """
        try:
            self._store.get(owner, message.job)
        except ProtocolError:  # a new job, for which there must be room
            self._check_room(owner)
        job, dup = self._store.submit(owner, message.job, spec, message.blobs)
        if not dup:
            self._jobs[job.id] = job
            self._queue.push(owner, job.id)
        return job, dup

    def announce(self, job: Job) -> None:
        self._tell_queued(job, list(self._queue).index(job.id))
        self.advance()

    def position(self, job: Job) -> int | None:
        """How many jobs go first; None when it does not wait."""
        return list(self._queue).index(job.id) + self.busy if job.state == "queued" else None

    def cancel(self, job: Job) -> None:
        """Ends in an event, now or when the worker has stopped; does nothing to a job that is over."""
        if job is self._running:
            if self._kill_at is None:
                self._kill_at = time.monotonic() + CANCEL_GRACE
                self._worker.send(link.Stop(job=job.id, attempt=job.attempt))
        elif not job.over:
            self._queue.remove(job.owner, job.id)
            self._emit(job, Cancelled)
            self._tell_positions()

    def advance(self) -> None:
        """Starts the next job if the worker is free, and ends a cancelled one that will not stop."""
        if self._kill_at is not None and time.monotonic() > self._kill_at:
            log.error("the worker does not stop a cancelled job: killed")
            self._worker.kill()
        if self._running is not None or not len(self._queue) or self._worker.model.state != "ready":
            return
        job = self._jobs[self._queue.pop()]
        self._running, self._started = job, time.monotonic()
        self._emit(job, Running)
        self._worker.send(link.Run(job=job.id, attempt=job.attempt, spec=job.spec))
        self._tell_positions()

    def hear(self, message: link.FromWorker, frames: list[bytes]) -> None:
        """One message of the worker; what it says of another job or attempt than the running one is late."""
        if isinstance(message, link.Unavailable):
            self._fail_all(message.problem)
        elif not isinstance(message, link.Ready):
            job = self._running
            if job is not None and (message.job, message.attempt) == (job.id, job.attempt):
                self._hear_of(job, message, frames)
        self.advance()

    def worker_died(self) -> None:
        job = self._running
        if job is not None:
            crash = problem("worker_crash", job=job.id)
            log.error("[%s] the worker died at job %s, attempt %d", crash.log_id, job.id, job.attempt)
            cancelled = self._kill_at is not None
            self._running, self._kill_at = None, None
            if cancelled:
                self._emit(job, Cancelled)
            elif job.attempt >= MAX_ATTEMPTS:
                self._emit(job, Failed, error=crash)
            else:
                job.attempt += 1
                self._emit(job, Retrying, error=crash)
                self._queue.push(job.owner, job.id, first=True)
                self._tell_queued(job, 0)
        if self._worker.model.problem is not None:
            self._fail_all(self._worker.model.problem)

    def _hear_of(self, job: Job, message: link.AboutJob, frames: list[bytes]) -> None:
        match message:
            case link.Step(stage=stage, done=done, total=total, seconds_left=left):
                self._emit(job, Progress, stage=stage, done=done, total=total, seconds_left=left)
            case link.Sketch(sha=sha):
                small = len(frames[0]) <= self._limits.preview
                if small:
                    self._emit(job, Preview, frames=(frames[0],))
                else:
                    self._emit(job, Preview, files={sha: frames[0]}, mesh=sha)
            case link.Finished():
                self._took.append(time.monotonic() - self._started)
                self._leave(
                    job,
                    Done,
                    files=dict(zip((message.mesh, message.tokens), frames, strict=True)),
                    mesh=message.mesh,
                    tokens=message.tokens,
                    model=self._worker.model.name or "",
                    seconds=message.seconds,
                    seed=job.spec.seed,
                )
            case link.Broke(problem=found):
                self._leave(job, Failed, error=found)
            case link.Stopped():
                self._leave(job, Cancelled)

    def _leave(self, job: Job, kind: type[Event], **more: Any) -> None:
        """The running job is over."""
        self._running, self._kill_at = None, None
        self._emit(job, kind, **more)

    def _emit(
        self,
        job: Job,
        kind: type[Event],
        *,
        files: dict[str, bytes] | None = None,
        frames: tuple[bytes, ...] = (),
        **fields: Any,
    ) -> None:
        packet = Packet(kind(job=job.id, attempt=job.attempt, seq=job.next_seq(), **fields), frames)
        self._store.record(job, packet, files or {})
        if job.over:
            self._jobs.pop(job.id)
            log.info("job %s %s", job.id, job.state)
        self._publish(job, packet)

    def _tell_queued(self, job: Job, index: int) -> None:
        position = index + self.busy
        if any(isinstance(event, Queued) and event.position == position for event in job.events[-1:]):
            return
        seconds = fmean(self._took) * position if self._took else None
        self._emit(job, Queued, position=position, seconds=seconds)

    def _tell_positions(self) -> None:
        for index, id in enumerate(self._queue):
            self._tell_queued(self._jobs[id], index)

    def _fail_all(self, found: Problem) -> None:
        while len(self._queue):
            self._emit(self._jobs[self._queue.pop()], Failed, error=found)

    def _check_room(self, owner: str) -> None:
        model = self._worker.model
        if model.problem is not None:
            self._worker.reload(time.monotonic())
            raise ProtocolError(model.problem.code, model.problem.message, hint=model.problem.hint)
        if len(self._queue) >= self._limits.jobs_queued:
            raise ProtocolError("queue_full")
        if self._store.waiting(owner) >= self._limits.jobs_per_owner:
            raise ProtocolError("quota")
