"""Jobs over a connection: submit, follow events, pull results, cancel, resume. Sends nothing twice by itself
but what is idempotent.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

from ...protocol import messages as wire
from ...protocol.arrays import decode_mesh, decode_tokens
from ...protocol.blobs import BlobReader
from ...protocol.errors import ProtocolError
from ...protocol.framing import Packet
from ...protocol.jobs import JobSpec, checked_spec, new_job_id
from .connection import Connection, Greeted, State
from .jobs import Job, JobStore, new_job
from .pace import Throttle
from .placement import Target
from .problems import Problem, ProblemError, from_error, from_wire, local_problem

log = logging.getLogger("omni123.client")

RESEND = 3.0  # seconds without an answer until a submit or sub goes again
WINDOW = 32  # unanswered submits at most
MAX_SUBMITS = 4  # a job that the backend has lost so often is given up
STALL = 5.0  # seconds without a chunk until a file is asked for again


@dataclass
class Download:
    """A file on its way, and who waits for it as "mesh", "tokens" or "preview": equal files are one file."""

    reader: BlobReader
    heard: float
    takers: list[tuple[Job, str]] = field(default_factory=list)


class Client:
    """`revision` grows whenever something a panel shows has changed."""

    def __init__(self, connection: Connection, store: JobStore, session: str) -> None:
        self.connection = connection
        self.session = session
        self.revision = 0
        self._store = store
        self.jobs: dict[str, Job] = {job.id: job for job in store.load()}
        self._downloads: dict[str, Download] = {}
        self._to_ack: list[str] = []
        self._timers = Throttle(0.25)

    # ---- what the artist does

    def submit(self, spec: JobSpec, target: Target) -> Job:
        """Written down, sent as soon as there is a connection. Raises ProblemError and writes nothing."""
        try:
            spec = checked_spec(spec, limits=self.connection.limits)
        except ProtocolError as error:
            raise ProblemError(from_error(error)) from error
        job = new_job(new_job_id(), spec, target, self.session)
        try:
            self._store.save(job)
        except sqlite3.Error as error:
            raise ProblemError(local_problem("job_store")) from error
        self.jobs[job.id] = job
        self.revision += 1
        return job

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
        self._save(job)

    def forget(self, job: Job) -> None:
        self.jobs.pop(job.id, None)
        self._store.forget(job)
        self.revision += 1

    def open_jobs(self) -> list[Job]:
        return [job for job in self.jobs.values() if job.is_open and job.session == self.session]

    def arrived(self) -> Job | None:
        return next((job for job in self.jobs.values() if job.state == "arrived"), None)

    def placed(self, job: Job, object_name: str, now: float) -> None:
        """The mesh is in the scene: the backend may drop its copy."""
        job.object_name = object_name
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

    def submit_now(self, now: float) -> None:
        """Without waiting for the next timer, so that a click is answered at once."""
        if self.connection.state is State.READY:
            self._send_due(now)

    def _resume(self, now: float) -> None:
        """After a welcome: nothing that was asked for on the old connection will be answered."""
        for job in self.open_jobs():
            job.sent_at = None
        for download in self._downloads.values():
            download.reader.restart()
            download.heard = now
        self._send_due(now)

    def _send_due(self, now: float) -> None:
        in_flight = 0
        for job in self.open_jobs():
            due = job.sent_at is None or (now - job.sent_at > RESEND and (not job.accepted or job.cancelling))
            if not job.accepted:
                in_flight += 1
            if due and in_flight <= WINDOW:
                self._send_job(job, now)
        while self._to_ack and self.connection.send(wire.Ack(job=self._to_ack[0]), now):
            self._to_ack.pop(0)

    def _send_job(self, job: Job, now: float) -> None:
        if job.accepted:
            if not self.connection.send(wire.Sub(job=job.id, after=job.seq), now):
                return
        elif self.connection.send(wire.Submit(job=job.id, spec=job.spec), now):
            job.submits = max(job.submits, 1)
        else:
            return
        job.sent_at = now
        if job.cancelling:
            self.connection.send(wire.Cancel(job=job.id), now)

    def _handle(self, packet: Packet, now: float) -> None:
        message = packet.message
        if isinstance(message, wire.Chunk):
            self._chunk(message, packet, now)
        elif isinstance(message, wire.Error):
            self._error(message, now)
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
            self._preview(job, event, packet, now)
        elif isinstance(event, wire.Warned):
            job.warning = event.message[:300]
        elif isinstance(event, wire.Retrying):
            job.words = event.error.message[:120]
        elif isinstance(event, wire.Done):
            self._done(job, event, now)
        elif isinstance(event, wire.Failed):
            self.fail(job, from_wire(event.error), now)
        elif isinstance(event, wire.Cancelled):
            self._end(job, "cancelled", now)

    def _preview(self, job: Job, event: wire.Preview, packet: Packet, now: float) -> None:
        if packet.frames:
            self._take_preview(job, bytes(packet.frames[0]))
        elif event.mesh is not None:
            self._drop_downloads(job, "preview")  # the newest wins
            self._download(job, "preview", event.mesh, now)

    def _take_preview(self, job: Job, data: bytes) -> None:
        try:
            job.preview = decode_mesh(data, self.connection.limits)
        except ProtocolError as error:
            log.warning("a preview was dropped: %s", error)

    def _done(self, job: Job, event: wire.Done, now: float) -> None:
        job.done, job.state = event, "receiving"
        job.advance("receiving", 0, 1)
        self._save(job)
        self._download(job, "mesh", event.mesh, now)
        self._download(job, "tokens", event.tokens, now)

    # ---- files

    def _download(self, job: Job, kind: str, sha: str, now: float) -> None:
        if sha not in self._downloads:
            self._downloads[sha] = Download(BlobReader(sha, self.connection.limits), now)
        self._downloads[sha].takers.append((job, kind))

    def _fetch(self, now: float) -> None:
        for download in self._downloads.values():
            if now - download.heard > STALL:
                download.reader.restart()
                download.heard = now
            for request in download.reader.requests():
                if not self.connection.send(request, now):
                    return

    def _chunk(self, chunk: wire.Chunk, packet: Packet, now: float) -> None:
        download = self._downloads.get(chunk.sha)
        if download is None:
            return
        download.heard = now
        try:
            download.reader.feed(chunk, packet.frames[0])
        except ProtocolError as error:
            for job, _ in download.takers:
                self.fail(job, from_error(error), now)
            return
        for job, kind in download.takers:
            if kind == "mesh":
                job.advance("receiving", int(100 * download.reader.fraction), 100)
                self.revision += 1
        if download.reader.complete:
            del self._downloads[chunk.sha]
            for job, kind in download.takers:
                self._take_file(job, kind, download.reader.data(), now)

    def _take_file(self, job: Job, kind: str, data: bytes, now: float) -> None:
        """What a hostile backend may send fails the job."""
        if kind == "preview":
            self._take_preview(job, data)
            return
        try:
            if kind == "mesh":
                job.mesh = decode_mesh(data, self.connection.limits)
            else:
                decode_tokens(data, self.connection.limits)
                job.tokens = data
        except ProtocolError as error:
            self.fail(job, from_error(error), now)
            return
        if job.mesh is not None and job.tokens:
            job.state, job.fraction = "arrived", 1.0
            self._save(job)

    def _drop_downloads(self, job: Job, only: str | None = None) -> None:
        for sha, download in list(self._downloads.items()):
            download.takers = [
                (taker, kind)
                for taker, kind in download.takers
                if taker is not job or only not in (None, kind)
            ]
            if not download.takers:
                del self._downloads[sha]

    # ---- errors and ends

    def _error(self, message: wire.Error, now: float) -> None:
        problem = from_wire(message.error)
        download = self._downloads.get(message.sha or "")
        job = self._mine(message.error.job or "")
        if download is not None:
            for taker, kind in list(download.takers):
                if kind == "preview":
                    self._drop_downloads(taker, kind)
                else:
                    self.fail(taker, problem, now)
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
            job.fraction, job.words = 0.0, ""
            job.submits += 1
            self._drop_downloads(job)
            self._save(job)
            self._send_job(job, now)

    def _end(self, job: Job, state: str, now: float) -> None:
        assert state in ("placed", "failed", "cancelled"), state
        job.state = state  # type: ignore[assignment]
        job.cancelling, job.ended_at = False, now
        job.preview, job.mesh, job.tokens = None, None, b""
        self._drop_downloads(job)
        self._save(job)

    def _save(self, job: Job) -> None:
        self.revision += 1
        try:
            self._store.save(job)
        except sqlite3.Error:
            log.exception("the state of job %s could not be saved", job.id)
