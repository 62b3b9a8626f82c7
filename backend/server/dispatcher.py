"""Jobs to the worker, as many at once as it takes; the worker's words to events.

Knows no sockets and no clients.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any, Protocol

from protocol.errors import Problem, ProtocolError, problem
from protocol.framing import Packet
from protocol.jobs import JobSpec, check_offered
from protocol.limits import Limits
from protocol.messages import (
    Cancelled,
    Done,
    Event,
    Failed,
    ModelInfo,
    Partial,
    Preview,
    Progress,
    Queued,
    Retrying,
    Running,
    Submit,
    Warned,
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
    jobs_at_once: int

    def send(self, message: link.ToWorker, frames: Sequence[bytes] = ()) -> None: ...

    def reload(self, now: float) -> None: ...

    def kill(self) -> None: ...


@dataclass
class Run:
    """A job that the worker has. Times are monotonic seconds."""

    job: Job
    started: float
    kill_at: float | None = None  # set while it is being cancelled


class Dispatcher:
    """Holds the queue and the running jobs; every event of every job is made here.

    A job whose worker has died runs alone the second time, so that it fails alone if it is the cause.
    """

    def __init__(self, store: JobStore, worker: WorkerLink, limits: Limits, publish: Publish) -> None:
        self._store = store
        self._worker = worker
        self._limits = limits
        self._publish = publish
        self._queue = FairQueue()
        self._jobs: dict[str, Job] = {}  # queued or running
        self._runs: dict[str, Run] = {}  # job -> its run, oldest first
        self._took: deque[float] = deque(maxlen=8)  # seconds of the last jobs

    @property
    def busy(self) -> bool:
        return bool(self._runs)

    def hold(self, owner: str, message: Submit, spec: JobSpec) -> tuple[Job, bool]:
        """(job, whether it was held already). Nothing is said of it until `announce`.

        `spec` is the message's, checked. Raises ProtocolError: no model, one that cannot do this, a full
        queue, an id in use.
        """
        try:
            self._store.get(owner, message.job)
        except ProtocolError:  # a new job, for which there must be room
            if self._worker.model.state == "ready":
                check_offered(spec, self._worker.model.name or "", self._worker.model.capabilities)
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
        return list(self._queue).index(job.id) + len(self._runs) if job.state == "queued" else None

    def cancel(self, job: Job) -> None:
        """Ends in an event, now or when the worker has stopped; does nothing to a job that is over."""
        run = self._runs.get(job.id)
        if run is not None:
            if run.kill_at is None:
                run.kill_at = time.monotonic() + CANCEL_GRACE
                self._worker.send(link.Stop(job=job.id, attempt=job.attempt))
        elif not job.over:
            self._queue.remove(job.owner, job.id)
            self._emit(job, Cancelled)
            self._tell_positions()

    def advance(self) -> None:
        """Starts what the worker has room for, and ends a worker that will not stop a cancelled job."""
        now = time.monotonic()
        if any(run.kill_at is not None and now > run.kill_at for run in self._runs.values()):
            log.error("the worker does not stop a cancelled job: killed")
            self._worker.kill()
        started = False
        while self._has_room():
            self._start(self._jobs[self._queue.pop()], now)
            started = True
        if started:
            self._tell_positions()

    def _has_room(self) -> bool:
        """Whether the next job may start now."""
        if not len(self._queue) or self._worker.model.state != "ready":
            return False
        following = self._jobs[next(iter(self._queue))]
        if following.attempt > 1 or any(run.job.attempt > 1 for run in self._runs.values()):
            return not self._runs
        return len(self._runs) < self._worker.jobs_at_once

    def _start(self, job: Job, now: float) -> None:
        self._runs[job.id] = Run(job, now)
        self._emit(job, Running)
        files = [self._store.file(job.owner, sha) for sha in job.blobs]
        held = [data for data in files if data is not None]
        assert len(held) == len(files), "the files of a job that is not over are kept"
        spec = self._without_colour(job) if job.spec.color else job.spec
        self._worker.send(link.Run(job=job.id, attempt=job.attempt, spec=spec), held)

    def _without_colour(self, job: Job) -> JobSpec:
        """A job that came before the model was known does not fail for lack of colour."""
        model = self._worker.model
        if model.capabilities.get("color") is True:
            return job.spec
        name = model.name or "behind the backend"
        self._emit(job, Warned, message=f"The model {name} cannot colour shapes; this one comes without.")
        return replace(job.spec, color=False)

    def hear(self, message: link.FromWorker, frames: list[bytes]) -> None:
        """One message of the worker; what it says of a job or attempt that does not run is late."""
        if isinstance(message, link.Unavailable):
            self._fail_all(message.problem)
        elif not isinstance(message, link.Ready):
            run = self._runs.get(message.job)
            if run is not None and message.attempt == run.job.attempt:
                self._hear_of(run, message, frames)
        self.advance()

    def worker_died(self) -> None:
        """Every running job is tried once more, in the order in which they ran."""
        runs, self._runs = list(self._runs.values()), {}
        for run in reversed(runs):
            job = run.job
            crash = problem("worker_crash", job=job.id)
            log.error("[%s] the worker died at job %s, attempt %d", crash.log_id, job.id, job.attempt)
            if run.kill_at is not None:
                self._emit(job, Cancelled)
            elif job.attempt >= MAX_ATTEMPTS:
                self._emit(job, Failed, error=crash)
            else:
                job.attempt += 1
                self._emit(job, Retrying, error=crash)
                self._queue.push(job.owner, job.id, first=True)
        if runs:
            self._tell_positions()
        if self._worker.model.problem is not None:
            self._fail_all(self._worker.model.problem)

    def _hear_of(self, run: Run, message: link.AboutJob, frames: list[bytes]) -> None:
        job = run.job
        match message:
            case link.Step(stage=stage, done=done, total=total, seconds_left=left):
                self._emit(job, Progress, stage=stage, done=done, total=total, seconds_left=left)
            case link.Sketch(sha=sha):
                self._preview(job, "mesh", sha, frames[0])
            case link.Glimpse(sha=sha, view=view, segment=segment):
                self._preview(job, "image", sha, frames[0], view=view, segment=segment)
            case link.Drawn(picture=picture):
                self._emit(job, Partial, files={picture.image: frames[0]}, **asdict(picture))
            case link.Finished():
                self._took.append(time.monotonic() - run.started)
                self._leave(
                    job,
                    Done,
                    files=dict(zip(message.files(), frames, strict=True)),
                    mesh=message.mesh,
                    tokens=message.tokens,
                    pictures=message.pictures,
                    model=self._worker.model.name or "",
                    seconds=message.seconds,
                    seed=job.spec.seed,
                )
            case link.Broke(problem=found):
                self._leave(job, Failed, error=found)
            case link.Stopped():
                self._leave(job, Cancelled)

    def _preview(self, job: Job, of: str, sha: str, data: bytes, **more: Any) -> None:
        if len(data) <= self._limits.preview:
            self._emit(job, Preview, frames=(data,), of=of, **more)
        else:
            more[of] = sha
            self._emit(job, Preview, files={sha: data}, of=of, **more)

    def _leave(self, job: Job, kind: type[Event], **more: Any) -> None:
        """A running job is over."""
        del self._runs[job.id]
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
        position = index + len(self._runs)
        if any(isinstance(event, Queued) and event.position == position for event in job.events[-1:]):
            return
        seconds = fmean(self._took) * position / self._worker.jobs_at_once if self._took else None
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
