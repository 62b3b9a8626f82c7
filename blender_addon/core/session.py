"""Everything one Blender has running: keys, the local backend, the connection, the jobs, and their words."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import zmq

from ...protocol.errors import ProtocolError
from ...protocol.jobs import JobSpec, check_offered
from .client import Client
from .connection import Connection, State
from .endpoint import Endpoint
from .jobs import Job, JobStore
from .keys import load_or_create
from .local_backend import RESTARTS, BackendState, Launch, LocalBackend
from .placement import Target
from .problems import Problem, ProblemError, from_error, from_wire, local_problem
from .transport import CurveSocket
from .uploads import SourceFiles

log = logging.getLogger("omni123.session")

ACTIVE, IDLE, OFFLINE = 1 / 30, 0.25, 1.0  # seconds to the next tick
SILENT = 6.0  # seconds without an answer until the artist is told


class Session:
    """`folder` is private to the user and survives updates of the extension."""

    def __init__(self, folder: Path, version: str) -> None:
        self.folder = folder
        self.keys = load_or_create(folder / "keys")
        self.backend = LocalBackend()
        self.notice: Problem | None = None  # stays until dismissed or the next request
        self._zmq: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._store = JobStore(folder / "jobs.sqlite")
        name = uuid.uuid4().hex
        connection = Connection(
            lambda endpoint: CurveSocket(self._zmq, endpoint, self.keys),
            session=name,
            client=f"omni123-blender {version}",
            caps=("preview", "image_preview"),
        )
        self.client = Client(connection, self._store, SourceFiles(folder / "sources"), name)
        self._local = True

    @property
    def connection(self) -> Connection:
        return self.client.connection

    def close(self) -> None:
        """Ends the backend and the socket; what was not sent is written down."""
        self.connection.close()
        self._zmq.destroy(linger=0)
        self.backend.stop()
        self._store.close()

    # ---- what the artist does

    def connect(
        self, remote: Endpoint | None, launch: Callable[[], Launch], online: bool, now: float
    ) -> None:
        """To the remote endpoint, or to the backend on this computer, which is started when it does not run.

        Raises ProblemError when that cannot be.
        """
        self._local = remote is None
        if remote is None:
            self._ensure_backend(launch(), now)
            return
        if not (online or remote.is_loopback):
            raise ProblemError(local_problem("offline"))
        if self.backend.active:
            self.backend.stop()
        if self.connection.endpoint != remote or self.connection.state in (State.OFF, State.REFUSED):
            self.connection.open(remote, now)

    def _ensure_backend(self, launch: Launch, now: float) -> None:
        """One that was started with other settings, or whose model is unavailable, is started afresh."""
        if self.backend.active and not self.client.open_jobs():
            welcome = self.connection.welcome
            useless = welcome is not None and welcome.model.state == "unavailable"
            if useless or self.backend.launch != launch:
                self.backend.stop()
        if not self.backend.active:
            self.connection.close()
            self.backend.start(launch, now)
        if self.backend.state is BackendState.FAILED and self.backend.problem:
            raise ProblemError(self.backend.problem)

    def disconnect(self) -> None:
        self.connection.close()
        self.backend.stop()
        self.client.revision += 1

    def capabilities(self) -> dict[str, Any] | None:
        """Of the model that is ready behind the connection; None: there is none, or not yet."""
        welcome = self.connection.welcome
        if self.connection.state is not State.READY or welcome is None or welcome.model.state != "ready":
            return None
        return welcome.model.capabilities

    def submit(self, spec: JobSpec, target: Target, now: float, files: Sequence[bytes] = ()) -> Job:
        """Raises ProblemError, and keeps and sends nothing, for what the model is known not to do.

        `files`: what `spec.inputs` declares.
        """
        self._check_offered(spec)
        return self._asked(self.client.submit(spec, target, files), now)

    def submit_again(self, job: Job, now: float) -> Job:
        """As a new request. Raises ProblemError as `submit`."""
        self._check_offered(job.spec)
        return self._asked(self.client.submit_again(job), now)

    def _check_offered(self, spec: JobSpec) -> None:
        welcome = self.connection.welcome
        if welcome is not None:
            try:
                check_offered(spec, (welcome.model.name or "")[:40], self.capabilities() or {})
            except ProtocolError as error:
                raise ProblemError(from_error(error)) from error

    def _asked(self, job: Job, now: float) -> Job:
        job.asked_at, self.notice = now, None
        self.client.submit_now(now)
        return job

    def refuse(self, problem: Problem) -> None:
        """Shows a problem that has kept something from happening."""
        self.notice = problem
        self.client.revision += 1

    def dismiss(self) -> None:
        self.notice = None
        self.backend.problem = None if self.backend.state is BackendState.FAILED else self.backend.problem
        self.client.revision += 1

    # ---- the pump's side

    def step(self, now: float, time_left: Callable[[], bool]) -> None:
        if self._local:
            self._step_backend(now)
        failed = {job.id for job in self.client.jobs.values() if job.state == "failed"}
        self.client.step(now, time_left)
        connection = self.connection
        if connection.state is State.REFUSED and connection.problem and connection.final:
            self.client.fail_open(connection.problem, now)
        for job in self.client.jobs.values():
            if job.state == "failed" and job.id not in failed and job.problem:
                self.notice = job.problem

    def _step_backend(self, now: float) -> None:
        before = self.backend.state
        self.backend.poll(now)
        endpoint = self.backend.endpoint
        if endpoint is not None and endpoint != self.connection.endpoint:
            self.connection.open(endpoint, now)
        if self.backend.state is not before:
            self.client.revision += 1
            log.info("backend: %s", self.backend.state.value)
            if self.backend.state in (BackendState.RESTARTING, BackendState.FAILED):
                self.connection.close()
            if self.backend.state is BackendState.FAILED and self.backend.problem:
                self.client.fail_open(self.backend.problem, now)

    def interval(self) -> float:
        """Seconds to the next tick."""
        working = bool(self.client.open_jobs()) or self.client.arrived() is not None
        if working and (self.connection.state is not State.OFF or self.backend.active):
            return ACTIVE
        connected = self.connection.state is not State.OFF or self.backend.active
        return IDLE if connected else OFFLINE

    # ---- words

    def problem(self, now: float) -> Problem | None:
        """The one to show: what stands in the way now, else what went wrong last."""
        connection = self.connection
        standing = connection.problem
        if standing is None and self._local and self.backend.state is not BackendState.RUNNING:
            standing = self.backend.problem
        if standing is None and connection.state is State.READY and connection.welcome is not None:
            found = connection.welcome.model.problem
            if connection.welcome.model.state == "unavailable" and found is not None:
                standing = from_wire(found)
        silent_since = connection.silent_since
        if standing is None and silent_since is not None and now - silent_since > SILENT:
            standing = local_problem("backend_silent" if self._local else "server_silent")
        return standing or self.notice

    def words(self, now: float) -> str:
        """The connection's state, as an artist says it."""
        if self._local and self.backend.state is not BackendState.RUNNING:
            return {
                BackendState.OFF: "Backend not running",
                BackendState.STARTING: f"Starting the backend… {self.backend.starting_for(now):.0f} s",
                BackendState.RESTARTING: f"Restarting ({self.backend.restarts} of {RESTARTS})…",
                BackendState.FAILED: "Backend not running",
            }[self.backend.state]
        if self.connection.state is State.READY:
            return self._ready_words()
        count = len(self.client.open_jobs())
        kept = f" (your {'request is' if count == 1 else f'{count} requests are'} kept)" if count else ""
        return {
            State.OFF: "Not connected",
            State.CONNECTING: "Connecting…",
            State.RECONNECTING: f"Reconnecting{kept}…",
            State.REFUSED: f"Not connected{kept}",
        }[self.connection.state]

    def _ready_words(self) -> str:
        welcome = self.connection.welcome
        assert welcome is not None, "READY comes with a welcome"
        name = f" · {welcome.model.name[:40]}" if welcome.model.name else ""
        if welcome.model.state == "loading":
            return "Loading the model…"
        if welcome.model.state == "unavailable":
            return "Model unavailable"
        return ("Working" if self.client.open_jobs() else "Ready") + name
