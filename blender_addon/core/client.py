"""Jobs over a connection: submit, follow events, pull results, cancel, resume. Sends nothing twice by itself
but what is idempotent.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace

from ...protocol import messages as wire
from ...protocol.arrays import decode_mesh, decode_tokens
from ...protocol.errors import ProtocolError
from ...protocol.framing import Packet
from ...protocol.images import check_image, decode_pixels
from ...protocol.jobs import JobSpec, checked_spec, new_job_id
from .connection import Connection, Greeted, State
from .downloads import Downloads
from .jobs import Drawing, Job, JobStore, new_job
from .pace import Throttle
from .placement import Target
from .problems import Problem, ProblemError, from_error, from_wire, local_problem

log = logging.getLogger("omni123.client")

RESEND = 3.0  # seconds without an answer until a submit or sub goes again
WINDOW = 32  # unanswered submits at most
LARGEST_PREVIEW = 1 << 16  # pixels of a picture in the panel
MAX_SUBMITS = 4  # a job that the backend has lost so often is given up


class Client:
    """`revision` grows whenever something a panel shows has changed."""

    def __init__(self, connection: Connection, store: JobStore, session: str) -> None:
        self.connection = connection
        self.session = session
        self.revision = 0
        self._store = store
        self.jobs: dict[str, Job] = {job.id: job for job in store.load()}
        self._downloads = Downloads(lambda: connection.limits)
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

    def submit_now(self, now: float) -> None:
        """Without waiting for the next timer, so that a click is answered at once."""
        if self.connection.state is State.READY:
            self._send_due(now)

    def _resume(self, now: float) -> None:
        """After a welcome: nothing that was asked for on the old connection will be answered."""
        for job in self.open_jobs():
            job.sent_at = None
        self._downloads.restart(now)
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
        elif isinstance(event, wire.Partial):
            self._part(job, event, now)
        elif isinstance(event, wire.Retrying):
            job.words, job.sharpening = event.error.message[:120], None
        elif isinstance(event, wire.Done):
            self._done(job, event, now)
        elif isinstance(event, wire.Failed):
            self.fail(job, from_wire(event.error), now)
        elif isinstance(event, wire.Cancelled):
            self._end(job, "cancelled", now)

    def _preview(self, job: Job, event: wire.Preview, packet: Packet, now: float) -> None:
        what = "preview" if event.of == "mesh" else "image_preview"
        if packet.frames:
            self._take_preview(job, what, bytes(packet.frames[0]))
        elif event.file is not None:
            self._downloads.drop(job, what)  # the newest wins
            self._downloads.want(job, what, event.file, now)

    def _take_preview(self, job: Job, what: str, data: bytes) -> None:
        try:
            if what == "preview":
                job.preview = decode_mesh(data, self.connection.limits)
            else:
                job.sharpening = decode_pixels(
                    data, replace(self.connection.limits, image_pixels=LARGEST_PREVIEW)
                )
        except ProtocolError as error:
            log.warning("a preview was dropped: %s", error)

    def _part(self, job: Job, event: wire.Partial, now: float) -> None:
        """A finished picture is worth keeping whatever becomes of the rest."""
        if event.image is not None:
            self._announce(
                job, wire.Picture(image=event.image, view=event.view, segment=event.segment or 0), now
            )

    def _announce(self, job: Job, picture: wire.Picture, now: float) -> bool:
        """Fetches a picture that was not spoken of before; whether it is one."""
        if picture.image in job.pictures:
            return False
        job.pictures[picture.image] = picture
        self._downloads.want(job, "picture", picture.image, now)
        return True

    def _done(self, job: Job, event: wire.Done, now: float) -> None:
        job.done, job.state = event, "receiving"
        job.advance("receiving", 0, 1)
        self._save(job)
        for what, sha in (("mesh", event.mesh), ("tokens", event.tokens)):
            if sha is not None:
                job.awaited.add(sha)
                self._downloads.want(job, what, sha, now)
        for picture in event.pictures:
            if self._announce(job, picture, now) or (job, "picture") in self._downloads.takers(picture.image):
                job.awaited.add(picture.image)
        self._arrive(job)

    def _arrive(self, job: Job) -> None:
        if job.state == "receiving" and not job.awaited:
            job.state, job.fraction = "arrived", 1.0
            self._save(job)

    # ---- files

    def _fetch(self, now: float) -> None:
        for request in self._downloads.requests(now):
            if not self.connection.send(request, now):
                return

    def _chunk(self, chunk: wire.Chunk, packet: Packet, now: float) -> None:
        takers = self._downloads.takers(chunk.sha)
        try:
            fraction = self._downloads.feed(chunk, packet.frames[0], now)
        except ProtocolError as error:
            self._no_file(chunk.sha, from_error(error), now)
            return
        for job, what in takers:
            if what == "mesh" and fraction is not None:
                job.advance("receiving", int(100 * fraction), 100)
                self.revision += 1
        if fraction == 1.0:
            data, takers = self._downloads.take(chunk.sha)
            for job, what in takers:
                self._take_file(job, what, chunk.sha, data, now)

    def _take_file(self, job: Job, what: str, sha: str, data: bytes, now: float) -> None:
        """What a hostile backend may send fails the job, or costs it a picture."""
        limits = self.connection.limits
        try:
            if what == "mesh":
                job.mesh = decode_mesh(data, limits)
            elif what == "tokens":
                decode_tokens(data, limits)
                job.tokens = data
            elif what == "picture":
                check_image(data, limits)
                job.drawings.append(Drawing(job.pictures[sha], data))
                job.sharpening = None
            else:
                self._take_preview(job, what, data)
        except ProtocolError as error:
            self._without(job, what, sha, from_error(error), now)
            return
        self.revision += 1
        job.awaited.discard(sha)
        self._arrive(job)

    def _no_file(self, sha: str, problem: Problem, now: float) -> None:
        """It cannot be had, whoever waits for it."""
        for job, what in self._downloads.takers(sha):
            self._downloads.drop(job, what)
            self._without(job, what, sha, problem, now)

    def _without(self, job: Job, what: str, sha: str, problem: Problem, now: float) -> None:
        """A preview is not missed, a picture beside a mesh costs a warning; anything else fails the job."""
        beside = what == "picture" and (job.done is None or job.done.mesh is not None)
        if beside:
            job.warning = f"A picture is missing: {problem.sentence}"
            job.awaited.discard(sha)
            self._arrive(job)
        elif what in ("mesh", "tokens", "picture"):
            self.fail(job, problem, now)

    # ---- errors and ends

    def _error(self, message: wire.Error, now: float) -> None:
        problem = from_wire(message.error)
        job = self._mine(message.error.job or "")
        if self._downloads.takers(message.sha):
            self._no_file(message.sha or "", problem, now)
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
            job.pictures, job.awaited, job.sharpening = {}, set(), None
            self._downloads.drop(job)
            self._save(job)
            self._send_job(job, now)

    def _end(self, job: Job, state: str, now: float) -> None:
        assert state in ("placed", "failed", "cancelled"), state
        job.state = state  # type: ignore[assignment]
        job.cancelling, job.ended_at = False, now
        job.preview, job.sharpening, job.mesh, job.tokens = None, None, None, b""
        self._downloads.drop(job)
        self._save(job)

    def _save(self, job: Job) -> None:
        self.revision += 1
        try:
            self._store.save(job)
        except sqlite3.Error:
            log.exception("the state of job %s could not be saved", job.id)
