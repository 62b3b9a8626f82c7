"""One attempt at a job inside the worker: its events are pulled one after another and told to the gateway."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Sequence

from backend.events import Coarse, Picture, PipelineEvent, Progress, Result, Sharpening
from backend.failures import Cancelled, RequestError
from backend.jobs import RunsJobs
from protocol import messages as wire
from protocol.arrays import encode_tokens
from protocol.blobs import digest
from protocol.errors import Problem, ProtocolError, new_log_id, problem
from protocol.limits import Limits

from . import link
from .exchange import read_request, write_mesh, write_picture, write_preview

log = logging.getLogger("omni123.worker")

PROGRESS_INTERVAL = 0.05  # seconds between progress messages of one stage

Say = Callable[[link.AboutJob, Sequence[bytes]], None]


class Attempt:
    """`stop` is set when the gateway asks for it; `over` once the job's last word is said."""

    def __init__(self, run: link.Run, files: Sequence[bytes], limits: Limits, say: Say) -> None:
        self.stop = False
        self.over = False
        self._run = run
        self._files = files
        self._limits = limits
        self._say = say
        self._stage, self._stage_told = "", 0.0
        self._started = time.monotonic()
        self._events: Generator[PipelineEvent | None, None, None] | None = None

    def turn(self, pipeline: RunsJobs, listen: Callable[[], None]) -> None:
        """Until the job waits for the next token of the batch, or is over. `listen` may set `stop`."""
        if self._events is None:
            self._events = self._pull(pipeline, listen)
        try:
            if self.stop:
                raise Cancelled
            for event in self._events:
                if event is None:
                    return
                self._tell(event)
            if not self.over:
                raise RuntimeError("a run ended without a result")
        except Cancelled:
            self._end(link.Stopped(job=self._run.job, attempt=self._run.attempt))
        except Exception as error:
            found = problem_of(error)
            log.exception("[%s] job %s failed", found.log_id, self._run.job)
            self.fail(found)

    def fail(self, found: Problem) -> None:
        """The job's own failure; the worker and other jobs are well."""
        self._end(link.Broke(job=self._run.job, attempt=self._run.attempt, problem=found))

    def _pull(
        self, pipeline: RunsJobs, listen: Callable[[], None]
    ) -> Generator[PipelineEvent | None, None, None]:
        def cancelled() -> bool:
            listen()
            return self.stop

        request = read_request(self._run.spec, self._files, self._limits)
        self._files = ()
        yield from pipeline.start(request, cancelled)

    def _end(self, message: link.AboutJob, files: Sequence[bytes] = ()) -> None:
        """The last word. Closing the run takes its rows out of the batch."""
        self.over = True
        if self._events is not None:
            self._events.close()
        self._say(message, files)
        took = time.monotonic() - self._started
        log.info("job %s attempt %d: %s, %.2f s", *self._name(), type(message).__name__.lower(), took)

    def _name(self) -> tuple[str, int]:
        return self._run.job, self._run.attempt

    def _tell(self, event: PipelineEvent) -> None:
        job, attempt = self._name()
        match event:
            case Progress(stage=stage, done=done, total=total, seconds_left=left):
                if self._is_news(stage, done < total):
                    step = link.Step(
                        job=job, attempt=attempt, stage=stage, done=done, total=total, seconds_left=left
                    )
                    self._say(step, ())
            case Coarse(mesh=mesh):
                data = write_mesh(mesh)
                self._say(link.Sketch(job=job, attempt=attempt, sha=digest(data)), [data])
            case Sharpening(image=image, view=view, segment=segment):
                data = write_preview(image)
                glimpse = link.Glimpse(job=job, attempt=attempt, sha=digest(data), view=view, segment=segment)
                self._say(glimpse, [data])
            case Picture():
                data = write_picture(event.image)
                self._say(link.Drawn(job=job, attempt=attempt, picture=_named(event, data)), [data])
            case Result():
                self._finish(event)
            case _:
                raise TypeError(f"{type(event)} is not an event of backend.events")

    def _is_news(self, stage: str, is_inside: bool) -> bool:
        """Not every token is worth a message."""
        now = time.monotonic()
        if is_inside and stage == self._stage and now - self._stage_told < PROGRESS_INTERVAL:
            return False
        self._stage, self._stage_told = stage, now
        return True

    def _finish(self, result: Result) -> None:
        mesh = None if result.mesh is None else write_mesh(result.mesh)
        tokens = None if result.tokens is None else encode_tokens(result.tokens)
        pictures = [write_picture(picture.image) for picture in result.pictures]
        job, attempt = self._name()
        message = link.Finished(
            job=job,
            attempt=attempt,
            mesh=None if mesh is None else digest(mesh),
            tokens=None if tokens is None else digest(tokens),
            pictures=tuple(
                _named(picture, data) for picture, data in zip(result.pictures, pictures, strict=True)
            ),
            seconds=result.seconds,
        )
        self._end(message, [data for data in (mesh, tokens, *pictures) if data is not None])


def _named(picture: Picture, data: bytes) -> wire.Picture:
    return wire.Picture(image=digest(data), view=picture.view, segment=picture.segment)


def problem_of(error: Exception) -> Problem:
    """The sentence for what a run raised."""
    if isinstance(error, RequestError):
        return Problem(code=error.code, message=error.message, hint=error.hint, log_id=new_log_id())
    if isinstance(error, ProtocolError):  # a source or the result is no mesh or image
        return error.problem()
    # torch's own out-of-memory error, without importing torch here
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return problem("gpu_oom")
    return problem("internal")
