"""The worker process: loads the model, runs several jobs as one batch, and listens for Stop between tokens.

Started by the gateway (`python -m backend.server.worker`), which writes an Order to its stdin.
"""

from __future__ import annotations

import faulthandler
import importlib
import logging
import signal
import sys
import time
from collections.abc import Callable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import cast

import msgspec
import zmq

from backend.failures import WeightsError
from backend.jobs import RunsJobs
from protocol.errors import Problem, problem

from . import link
from .attempt import Attempt, problem_of
from .parent import ParentWatch

log = logging.getLogger("omni123.worker")

IDLE_POLL = 500  # milliseconds between looks at the parent


class Worker:
    """One model, and the jobs that share its decoding batch."""

    def __init__(self, order: link.Order) -> None:
        self._order = order
        self._parent = ParentWatch(order.parent)
        self._parent_seen = 0.0
        self._attempts: dict[tuple[str, int], Attempt] = {}  # (job, attempt), oldest first
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
        ready = link.Ready(
            model=pipeline.model_name,
            capabilities=pipeline.capabilities(),
            jobs_at_once=pipeline.jobs_at_once,
        )
        self._send(ready)
        while True:
            self._end_with_parent()
            if not self._attempts:
                self._socket.poll(IDLE_POLL)
            self._listen()
            self._turn(pipeline)

    def _turn(self, pipeline: RunsJobs) -> None:
        """Every job up to where it waits for a token, then one decoding step for all of them."""
        for attempt in list(self._attempts.values()):
            attempt.turn(pipeline, self._listen)
        self._attempts = {name: attempt for name, attempt in self._attempts.items() if not attempt.over}
        if not self._attempts:
            return
        try:
            pipeline.advance()
        except Exception as error:
            if len(self._attempts) > 1:
                raise  # whose fault it is cannot be told: the gateway tries each again, alone
            found = problem_of(error)
            log.exception("[%s] the only job's decoding step failed", found.log_id)
            for attempt in self._attempts.values():
                attempt.fail(found)
            self._attempts = {}

    def _load(self) -> RunsJobs:
        weights = Path(self._order.weights)
        try:
            pipeline: RunsJobs = load_callable(self._order.pipeline)(weights, **self._order.options)
        except (WeightsError, OSError) as error:
            log.warning("weights: %s", error)
            code = "model_corrupt" if weights.exists() else "model_missing"
            raise _CannotLoadError(problem(code, _sentence(error))) from error
        except Exception as error:
            found = problem("internal", f"The model cannot be loaded: {_sentence(error)}")
            log.exception("[%s] the model cannot be loaded", found.log_id)
            raise _CannotLoadError(found) from error
        return pipeline

    def _listen(self) -> None:
        """Takes what the gateway has said; never waits, and costs microseconds between two tokens."""
        while self._socket.poll(0):
            header, *files = self._socket.recv_multipart()
            message = link.to_worker_decoder.decode(header)
            name = message.job, message.attempt
            if isinstance(message, link.Run):
                self._attempts[name] = Attempt(message, files, self._order.limits, self._send)
            elif name in self._attempts:
                self._attempts[name].stop = True
        self._end_with_parent()

    def _send(self, message: link.FromWorker, frames: Sequence[bytes] = ()) -> None:
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


def load_callable(spec: str) -> Callable[..., RunsJobs]:
    """`module:attribute.attribute`, from the command line that started the backend, never from a client."""
    module, _, path = spec.partition(":")
    return cast(Callable[..., RunsJobs], attrgetter(path)(importlib.import_module(module)))


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
