"""Jobs over a connection: submit, follow events, pull results, cancel, resume. Sends nothing twice by itself
but what is idempotent.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence

from ...protocol import messages as wire
from ...protocol.errors import ProtocolError
from ...protocol.framing import Packet
from ...protocol.jobs import JobSpec, checked_spec, new_job_id
from .arrivals import Arrivals
from .connection import Connection, Greeted, State
from .jobs import Drawing, Job, JobStore, new_job
from .pace import Throttle
from .placement import Target
from .problems import Problem, ProblemError, from_error, from_wire, local_problem
from .uploads import SourceFiles, Uploads

log = logging.getLogger("omni123.client")

RESEND = 3.0  # seconds without an answer until a submit or sub goes again
WINDOW = 32  # unanswered submits at most
MAX_SUBMITS = 4  # a job that the backend has lost so often is given up


class Client:
    """`revision` grows whenever something a panel shows has changed."""

    def __init__(self, connection: Connection, store: JobStore, sources: SourceFiles, session: str) -> None:
        self.connection = connection
        self.session = session
        self.revision = 0
        self._store = store
        self._sources = sources
        self.jobs: dict[str, Job] = {job.id: job for job in store.load()}
        self._arrivals = Arrivals(lambda: connection.limits, self._save, self.fail)
        self._uploads = Uploads(lambda: connection.limits, sources)
        self._sources.prune({sha for job in self.jobs.values() for sha in job.blobs})
        self._to_ack: list[str] = []
        self._timers = Throttle(0.25)

    # ---- what the artist does

    def submit(self, spec: JobSpec, target: Target, files: Sequence[bytes] = ()) -> Job:
        """Written down with its files, sent as soon as there is a connection.

        Raises ProblemError and writes no request.
        """
        limits = self.connection.limits
        try:
            spec = checked_spec(spec, len(files), limits)
            if any(len(data) > limits.blob for data in files):
                raise ProtocolError("too_big", "The source is larger than the backend takes.")
        except ProtocolError as error:
            raise ProblemError(from_error(error)) from error
        try:
            blobs = tuple(self._sources.keep(data) for data in files)
            job = new_job(new_job_id(), spec, target, self.session, blobs)
            self._store.save(job)
        except (sqlite3.Error, OSError) as error:
            raise ProblemError(local_problem("job_store")) from error
        self.jobs[job.id] = job
        self.revision += 1
        return job

    def submit_again(self, job: Job) -> Job:
        """As a new request, with the same files. Raises ProblemError."""
        return self.submit(job.spec, job.target, [self._sources.read(sha) for sha in job.blobs])

    def cancel(self, job: Job, now: float) -> None:
        """Its end comes from the backend, unless it was never sent."""
        if not job.is_open or job.cancelling:
            return
        if job.submits == 0 and not job.accepted:
            self._end(job, "cancelled", now)
            return
        job.cancelling = True
        self.revision += 1
        if self.connection.state is State.READY:
            self.connection.send(wire.Cancel(job=job.id), now)

    def adopt(self, job: Job) -> None:
        """Takes over a job of an earlier Blender: its events are asked for from the start."""
        job.session, job.state, job.seq, job.submits = self.session, "waiting", 0, 0
        job.problem, job.sent_at = None, None
        job.pictures, job.awaited = {}, set()
        self._save(job)

    def forget(self, job: Job) -> None:
        self.jobs.pop(job.id, None)
        self._store.forget(job)
        self.revision += 1

    def open_jobs(self) -> list[Job]:
        return [job for job in self.jobs.values() if job.is_open and job.session == self.session]

    def arrived(self) -> Job | None:
        return next((job for job in self.jobs.values() if job.state == "arrived"), None)

    def fresh_drawing(self) -> tuple[Job, Drawing] | None:
        """A picture that is here and not yet in the file; of a cancelled job too."""
        for job in self.jobs.values():
            if job.drawings:
                return job, job.drawings[0]
        return None

    def kept(self, job: Job, drawing: Drawing, image_name: str) -> None:
        """The picture is in the file."""
        job.drawings.remove(drawing)
        job.object_name = job.object_name or image_name
        self.revision += 1

    def placed(self, job: Job, object_name: str, now: float) -> None:
        """The result is in the file: the backend may drop its copy."""
        job.object_name = object_name or job.object_name
        self._to_ack.append(job.id)
        self._end(job, "placed", now)

    def fail(self, job: Job, problem: Problem, now: float) -> None:
        job.problem = problem
        self._end(job, "failed", now)

    def fail_open(self, problem: Problem, now: float) -> None:
        for job in self.open_jobs():
            self.fail(job, problem, now)

    # ---- the pump's side

    def step(self, now: float, time_left: Callable[[], bool]) -> None:
        before = self.connection.state, self.connection.welcome
        for item in self.connection.poll(now, time_left):
            if isinstance(item, Greeted):
                self._resume(now)
            else:
                self._handle(item, now)
        if (self.connection.state, self.connection.welcome) != before:
            self.revision += 1
        if self.connection.state is State.READY:
            if self._timers.ready(now):
                self._send_due(now)
            self._fetch(now)
            self._put(now)

    def submit_now(self, now: float) -> None:
        """Without waiting for the next timer, so that a click is answered at once."""
        if self.connection.state is State.READY:
            self._send_due(now)

    def _resume(self, now: float) -> None:
        """After a welcome: nothing that was asked for on the old connection will be answered."""
        for job in self.open_jobs():
            job.sent_at = None
        self._arrivals.restart(now)
        self._uploads.clear()
        self._send_due(now)

    def _send_due(self, now: float) -> None:
        in_flight = 0
        for job in self.open_jobs():
            due = job.sent_at is None or (now - job.sent_at > RESEND and (not job.accepted or job.cancelling))
            if not job.accepted:
                in_flight += 1
            if due and in_flight <= WINDOW and not self._uploads.underway(job.blobs):
                self._send_job(job, now)
        while self._to_ack and self.connection.send(wire.Ack(job=self._to_ack[0]), now):
            self._to_ack.pop(0)

    def _send_job(self, job: Job, now: float) -> None:
        if job.accepted:
            if not self.connection.send(wire.Sub(job=job.id, after=job.seq), now):
                return
        elif self.connection.send(wire.Submit(job=job.id, spec=job.spec, blobs=job.blobs), now):
            job.submits = max(job.submits, 1)
        else:
            return
        job.sent_at = now
        if job.cancelling:
            self.connection.send(wire.Cancel(job=job.id), now)

    def _handle(self, packet: Packet, now: float) -> None:
        message = packet.message
        if isinstance(message, wire.Chunk):
            self._arrivals.chunk(message, packet, now)
            self.revision += 1
        elif isinstance(message, wire.Error):
            self._error(message, now)
        elif isinstance(message, wire.Have):
            self._have(message, now)
        elif isinstance(message, wire.Need):
            job = self._mine(message.job)
            if job is not None:
                self._need(job, message, now)
        elif isinstance(message, wire.Accepted):
            job = self._mine(message.job)
            if job is not None:
                self._accepted(job, message)
        elif isinstance(message, wire.Event):
            job = self._mine(message.job)
            if job is not None and message.seq > job.seq:
                job.seq = message.seq
                self._event(job, message, packet, now)

    def _mine(self, job_id: str) -> Job | None:
        job = self.jobs.get(job_id)
        return job if job is not None and job.is_open and job.session == self.session else None

    def _accepted(self, job: Job, message: wire.Accepted) -> None:
        if not message.dup:
            job.seq = 0  # the backend had lost it, or is new to it: its numbers start again
        job.position = message.position or 0
        if not job.accepted:
            job.accepted = True
            if job.state == "waiting":
                job.state = "queued"
            self._save(job)

    def _event(self, job: Job, event: wire.Event, packet: Packet, now: float) -> None:
        self.revision += 1
        if isinstance(event, wire.Queued):
            job.position = event.position
            job.time_left.update(now, event.seconds)
        elif isinstance(event, wire.Running):
            job.state = "running"
        elif isinstance(event, wire.Progress):
            job.state = "running"
            job.first_sign = job.first_sign or now
            job.advance(event.stage, event.done, event.total)
            job.time_left.update(now, event.seconds_left)
        elif isinstance(event, wire.Preview):
            self._arrivals.preview(job, event, packet, now)
        elif isinstance(event, wire.Warned):
            job.warning = event.message[:300]
        elif isinstance(event, wire.Partial):
            self._arrivals.part(job, event, now)
        elif isinstance(event, wire.Retrying):
            job.words, job.sharpening = event.error.message[:120], None
        elif isinstance(event, wire.Done):
            self._arrivals.done(job, event, now)
        elif isinstance(event, wire.Failed):
            self.fail(job, from_wire(event.error), now)
        elif isinstance(event, wire.Cancelled):
            self._end(job, "cancelled", now)

    def _fetch(self, now: float) -> None:
        for request in self._arrivals.requests(now):
            if not self.connection.send(request, now):
                return

    # ---- files to the backend

    def _need(self, job: Job, message: wire.Need, now: float) -> None:
        try:
            self._uploads.need(job, message.blobs, now)
        except ProblemError as error:
            self.fail(job, error.problem, now)
        self.revision += 1

    def _have(self, message: wire.Have, now: float) -> None:
        for job in self._uploads.have(message, self.open_jobs(), now):
            self._send_job(job, now)
        self.revision += 1

    def _put(self, now: float) -> None:
        for message, frame in self._uploads.puts(now):
            if not self.connection.send(message, now, (frame,)):
                self._uploads.again(message.sha)
                return

    def _not_taken(self, sha: str, problem: Problem, now: float) -> None:
        """The backend refuses a source."""
        self._uploads.drop(sha)
        for job in self.open_jobs():
            if sha in job.blobs and not job.accepted:
                self.fail(job, problem, now)

    # ---- errors and ends

    def _error(self, message: wire.Error, now: float) -> None:
        problem = from_wire(message.error)
        job = self._mine(message.error.job or "")
        if message.sha is not None and self._uploads.underway((message.sha,)):
            if message.error.code != "quota":  # too many at once: it goes again by itself
                self._not_taken(message.sha, problem, now)
        elif self._arrivals.refused(message.sha, problem, now):
            self.revision += 1
        elif job is None:
            log.warning("the backend says: %s %s", problem.sentence, problem.hint)
        elif message.error.code == "no_job":
            self._lost(job, now)
        else:
            self.fail(job, problem, now)

    def _lost(self, job: Job, now: float) -> None:
        """The backend does not have it (it was restarted): the same id again is the same job."""
        if job.cancelling:
            self._end(job, "cancelled", now)
        elif job.submits >= MAX_SUBMITS:
            self.fail(job, local_problem("gave_up"), now)
        else:
            job.accepted, job.state, job.seq, job.sent_at = False, "waiting", 0, None
            job.begin_again()
            job.submits += 1
            job.pictures, job.awaited, job.sharpening = {}, set(), None
            self._arrivals.drop(job)
            self._save(job)
            self._send_job(job, now)

    def _end(self, job: Job, state: str, now: float) -> None:
        assert state in ("placed", "failed", "cancelled"), state
        job.state = state  # type: ignore[assignment]
        job.cancelling, job.ended_at = False, now
        job.preview, job.sharpening, job.mesh, job.tokens = None, None, None, b""
        self._arrivals.drop(job)
        self._save(job)

    def _save(self, job: Job) -> None:
        self.revision += 1
        try:
            self._store.save(job)
        except sqlite3.Error:
            log.exception("the state of job %s could not be saved", job.id)
