"""The gateway's side of the worker: starts it, links to it, notices its death, starts it again."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import zmq

from protocol.errors import problem
from protocol.limits import MIB
from protocol.messages import ModelInfo

from . import link
from .access import ZapHandler, endpoint
from .config import ServerConfig
from .keys import KeyPair, new_key_pair

log = logging.getLogger(__name__)

DOMAIN = "worker"
CHECKOUT = Path(__file__).resolve().parents[2]
DEATHS_BEFORE_GIVING_UP = 3  # in a row, while loading
LARGE_LOG = MIB
LONGEST_PAUSE = 30.0  # seconds between starts
RELOAD_AFTER = 5.0  # seconds after weights could not be read until a client's submit makes us look again


class Supervisor:
    """One worker process on a link of its own: loopback TCP, CURVE, a key made for this start alone."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], zap: ZapHandler, config: ServerConfig
    ) -> None:
        self.model = ModelInfo(state="loading")
        self.jobs_at_once = 1
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self._key: KeyPair | None = None
        self._route: bytes | None = None
        self._deaths = 0
        self._start_at = 0.0
        self._explained = False  # the worker said why it cannot load its model
        self._reload_from = 0.0
        self._server_key = new_key_pair()
        zap.domains[DOMAIN] = lambda public: self._key is not None and public == self._key.public
        self.socket = context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.router_mandatory = 1
        self.socket.maxmsgsize = config.limits.blob + MIB
        self.socket.curve_server = 1
        self.socket.curve_secretkey = self._server_key.secret.encode()
        self.socket.zap_domain = DOMAIN.encode()
        self.socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        self.socket.bind("tcp://127.0.0.1:*")

    def receive(self) -> Iterator[tuple[link.FromWorker, list[bytes]]]:
        """What the present worker has said; a former one's last words are dropped."""
        while self.socket.poll(0):
            route, header, *frames = self.socket.recv_multipart(copy=False)
            if self._key is None or header.get("User-Id") != self._key.public:
                continue
            self._route = route.bytes
            message = link.from_worker_decoder.decode(header.buffer)
            if isinstance(message, link.Ready):
                self._deaths = 0
                self.jobs_at_once = max(1, message.jobs_at_once)
                self.model = ModelInfo(state="ready", name=message.model, capabilities=message.capabilities)
            elif isinstance(message, link.Unavailable):
                self._explained = True
                self.model = ModelInfo(state="unavailable", problem=message.problem)
            yield message, [frame.bytes for frame in frames]

    def send(self, message: link.ToWorker, frames: Sequence[bytes] = ()) -> None:
        """To a worker that is dead or dying it is lost; its death is noticed by `watch`."""
        assert self._route is not None, "send before the worker said it is ready"
        try:
            self.socket.send_multipart([self._route, *link.pack(message, frames)], zmq.DONTWAIT)
        except zmq.ZMQError as error:
            log.warning("the worker does not listen: %s", error)

    def watch(self, now: float) -> bool:
        """Starts the worker when it is time; True when it has died since the last look."""
        if self._process is None:
            if now >= self._start_at:
                self._start()
            return False
        status = self._process.poll()
        if status is None:
            return False
        self._process, self._key, self._route = None, None, None
        if self._explained:
            self._start_at = float("inf")  # until `reload`
            self._reload_from = now + RELOAD_AFTER
            return True
        self._deaths += 1
        pause = 0.0 if self._deaths == 1 else min(LONGEST_PAUSE, 0.25 * 2**self._deaths)
        log.error("the worker ended with status %s; it starts again in %.1f s", status, pause)
        self._start_at = now + pause
        gives_up = self._deaths >= DEATHS_BEFORE_GIVING_UP
        crash = problem("worker_crash", "The process that runs the model stops while it loads.")
        self.model = ModelInfo(state="unavailable", problem=crash) if gives_up else ModelInfo(state="loading")
        return True

    def reload(self, now: float) -> None:
        """Looks at unreadable weights again, in the background: they may have been put right."""
        if self._process is None and self._explained and now >= self._reload_from:
            self._start_at = now

    def kill(self) -> None:
        """Ends the worker; `watch` starts another."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self.socket.close()

    def _start(self) -> None:
        self._explained = False
        self._key = new_key_pair()
        order = link.Order(
            url=endpoint(self.socket),
            server_key=self._server_key.public,
            public=self._key.public,
            secret=self._key.secret,
            parent=os.getpid(),
            pipeline=self._config.pipeline,
            weights=str(self._config.weights),
            options=self._config.options,
            limits=self._config.limits,
        )
        with open(log_file(self._config.state_dir, "worker"), "ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "backend.server.worker"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=worker_environment(self._config.threads),
            )
        assert self._process.stdin is not None
        try:
            with self._process.stdin as pipe:
                pipe.write(msgspec.json.encode(order) + b"\n")
        except OSError as error:  # it died at once; `watch` will see
            log.warning("the worker did not take its order: %s", error)


def worker_environment(threads: int | None) -> dict[str, str]:
    """What the worker is started with: this package on its path, and threads that share the machine."""
    environment = dict(os.environ)
    path = os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")]))
    environment |= {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    # Blender draws on the same cores. Threads that spin while they wait made a shape take 11 s there on two
    # cores with software OpenGL; threads that sleep, 3.5 s.
    environment.setdefault("OMP_WAIT_POLICY", "passive")
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    return environment


def log_file(state_dir: Path, name: str) -> Path:
    """state_dir/log/<name>.log; a large one of before is set aside as <name>.log.1."""
    path = state_dir / "log" / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > LARGE_LOG:
        path.replace(path.with_name(path.name + ".1"))
    return path
