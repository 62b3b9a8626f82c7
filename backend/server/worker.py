"""The worker process: loads the model, runs one job after another, and listens for Stop between tokens.

Started by the gateway (`python -m backend.server.worker`), which writes an Order to its stdin.
"""

from __future__ import annotations

import faulthandler
import importlib
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol, cast

import msgspec
import zmq

from backend.events import Coarse, PipelineEvent, Progress, Request, Result
from backend.failures import Cancelled, RequestError, WeightsError
from protocol.arrays import encode_mesh, encode_tokens
from protocol.blobs import digest
from protocol.errors import Problem, ProtocolError, new_log_id, problem

from . import link
from .parent import ParentWatch

log = logging.getLogger("omni123.worker")

PROGRESS_INTERVAL = 0.05  # seconds between progress messages of one stage
IDLE_POLL = 500  # milliseconds between looks at the parent


class RunsJobs(Protocol):
    """What the worker needs of backend.pipeline.Pipeline."""

    model_name: str

    def capabilities(self) -> dict[str, Any]: ...

    def run(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[PipelineEvent]: ...


class Worker:
    """One model, one job at a time."""

    def __init__(self, order: link.Order) -> None:
        self._order = order
        self._parent = ParentWatch(order.parent)
        self._parent_seen = 0.0
        self._stop: set[tuple[str, int]] = set()
        self._runs: list[link.Run] = []
        self._stage, self._stage_told = "", 0.0
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.curve_serverkey = order.server_key.encode()
        self._socket.curve_publickey = order.public.encode()
        self._socket.curve_secretkey = order.secret.encode()
        self._socket.linger = 2_000  # milliseconds: let the last words out
        self._socket.sndtimeo = 30_000  # a gateway that reads nothing for so long is lost
        self._socket.connect(order.url)

    def serve(self) -> int:
        """Until the gateway is gone. Exit status 3: the model cannot be loaded."""
        try:
            return self._serve()
        finally:
            self._socket.close()
            self._context.term()

    def _serve(self) -> int:
        try:
            pipeline = self._load()
        except _CannotLoadError as error:
            self._send(link.Unavailable(problem=error.problem))
            return 3
        self._send(link.Ready(model=pipeline.model_name, capabilities=pipeline.capabilities()))
        while True:
            self._end_with_parent()
            if not self._runs and self._socket.poll(IDLE_POLL):
                self._listen()
            while self._runs:
                self._run(pipeline, self._runs.pop(0))

    def _load(self) -> RunsJobs:
        weights = Path(self._order.weights)
        try:
            pipeline: RunsJobs = load_callable(self._order.pipeline)(weights)
        except (WeightsError, OSError) as error:
            log.warning("weights: %s", error)
            code = "model_corrupt" if weights.exists() else "model_missing"
            raise _CannotLoadError(problem(code, _sentence(error))) from error
        except Exception as error:
            found = problem("internal", f"The model cannot be loaded: {_sentence(error)}")
            log.exception("[%s] the model cannot be loaded", found.log_id)
            raise _CannotLoadError(found) from error
        return pipeline

    def _run(self, pipeline: RunsJobs, run: link.Run) -> None:
        started = time.monotonic()
        try:
            for event in pipeline.run(Request(**asdict(run.spec)), lambda: self._cancelled(run)):
                self._tell(run, event)
        except Cancelled:
            self._send(link.Stopped(job=run.job, attempt=run.attempt))
        except Exception as error:
            found = problem_of(error)
            log.exception("[%s] job %s failed", found.log_id, run.job)
            self._send(link.Broke(job=run.job, attempt=run.attempt, problem=found))
        self._stop.discard((run.job, run.attempt))
        log.info("job %s attempt %d: %.2f s", run.job, run.attempt, time.monotonic() - started)

    def _tell(self, run: link.Run, event: PipelineEvent) -> None:
        job, attempt = run.job, run.attempt
        match event:
            case Progress(stage=stage, done=done, total=total, seconds_left=left):
                now = time.monotonic()
                is_same = stage == self._stage and done < total
                if is_same and now - self._stage_told < PROGRESS_INTERVAL:
                    return
                self._stage, self._stage_told = stage, now
                step = link.Step(
                    job=job, attempt=attempt, stage=stage, done=done, total=total, seconds_left=left
                )
                self._send(step)
            case Coarse(mesh=mesh):
                data = encode_mesh(mesh.vertices, mesh.faces, mesh.colors)
                self._send(link.Sketch(job=job, attempt=attempt, sha=digest(data)), data)
            case Result(mesh=mesh, seconds=seconds):
                data = encode_mesh(mesh.vertices, mesh.faces, mesh.colors)
                tokens = encode_tokens(event.tokens)
                finished = link.Finished(
                    job=job, attempt=attempt, mesh=digest(data), tokens=digest(tokens), seconds=seconds
                )
                self._send(finished, data, tokens)
            case _:
                raise TypeError(f"{type(event)} is not an event of backend.events")

    def _cancelled(self, run: link.Run) -> bool:
        """Asked between two tokens: costs microseconds."""
        while self._socket.poll(0):
            self._listen()
        self._end_with_parent()
        return (run.job, run.attempt) in self._stop

    def _listen(self) -> None:
        message = link.to_worker_decoder.decode(self._socket.recv())
        if isinstance(message, link.Run):
            self._runs.append(message)
        else:
            self._stop.add((message.job, message.attempt))

    def _send(self, message: link.FromWorker, *frames: bytes) -> None:
        self._socket.send_multipart(link.pack(message, frames))

    def _end_with_parent(self) -> None:
        """A worker whose gateway was killed must not go on: looked at twice a second."""
        now = time.monotonic()
        if now - self._parent_seen < IDLE_POLL / 1000:
            return
        self._parent_seen = now
        if self._parent.gone():
            self._socket.linger = 0  # there is nobody to hear the last words
            raise SystemExit(0)


class _CannotLoadError(Exception):
    def __init__(self, found: Problem) -> None:
        super().__init__(found.message)
        self.problem = found


def load_callable(spec: str) -> Callable[[Path], RunsJobs]:
    """`module:attribute.attribute`, from the command line that started the backend, never from a client."""
    module, _, path = spec.partition(":")
    return cast(Callable[[Path], RunsJobs], attrgetter(path)(importlib.import_module(module)))


def problem_of(error: Exception) -> Problem:
    """The sentence for what a run raised."""
    if isinstance(error, RequestError):
        return Problem(code=error.code, message=error.message, hint=error.hint, log_id=new_log_id())
    if isinstance(error, ProtocolError):  # the result is no mesh
        return error.problem()
    # torch's own out-of-memory error, without importing torch here
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return problem("gpu_oom")
    return problem("internal")


def _sentence(error: Exception) -> str:
    """At most 500 characters: some errors name every key of a model."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 500 else f"{text[:499]}…"


def main() -> int:
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal: the gateway decides
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=link.Order)
    return Worker(order).serve()


if __name__ == "__main__":
    sys.exit(main())
