"""The gateway process: one loop over the door and the worker. Never imports torch."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import time
from types import FrameType

import zmq

from .access import AllowList, ZapHandler
from .config import ServerConfig
from .connection import Connection
from .desk import Desk
from .front import Front
from .keys import KeyFileError, ensure_key_pair
from .parent import ParentWatch
from .store import MemoryJobStore
from .supervisor import Supervisor

log = logging.getLogger(__name__)

TICK = 100  # milliseconds the loop sleeps when nothing happens
FLUSH_TICK = 5  # the same, while a peer has not read all of its messages
BATCH = 0.010  # seconds of one peer's messages until the loop looks elsewhere
SWEEP = 10.0  # seconds


class Gateway:
    """Made: bound and announced in connection.json. `run` serves until told to stop."""

    def __init__(self, config: ServerConfig) -> None:
        """Raises KeyFileError or ValueError with a sentence, zmq.ZMQError when the port is taken."""
        config.state_dir.mkdir(
            mode=0o700, parents=True, exist_ok=True
        )  # may be there; keys/ is always private
        keys = ensure_key_pair(config.keys_dir / "server.key")
        local = ensure_key_pair(config.keys_dir / "local.key")  # this user's own command line
        allowed = AllowList(
            fixed={local.public: "local"}, authorized=config.authorized_path, key_files=config.allow_key_files
        )
        if not config.is_loopback() and not config.authorized_path.exists():
            raise KeyFileError(
                f"{config.listen} can be reached by other machines, but no key is allowed in yet: "
                "run `omni123 keys add NAME KEY` first."
            )
        self._parent = None if config.exit_with_parent is None else ParentWatch(config.exit_with_parent)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            self._zap = ZapHandler(self._context)  # before the sockets that ask it
            self._supervisor = Supervisor(self._context, self._zap, config)
            self._front = Front(self._context, self._zap, config, keys, allowed)
        except zmq.ZMQError:
            self._context.destroy(linger=0)
            raise
        epoch = secrets.token_hex(8)
        self._desk = Desk(
            epoch=epoch,
            front=self._front,
            store=MemoryJobStore(),
            worker=self._supervisor,
            allowed=allowed,
            limits=config.limits,
        )
        host = config.address()[0]
        reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        self.connection = Connection(
            url=f"tcp://{reachable}:{self._front.port}", server_key=keys.public, pid=os.getpid(), epoch=epoch
        )
        self._connection_path = config.connection_path
        self.connection.write(self._connection_path)
        self._stopping = False

    def stop(self, signum: int = 0, frame: FrameType | None = None) -> None:
        """As a signal handler, or by hand."""
        self._stopping = True

    def run(self) -> None:
        log.info("listening on %s", self.connection.url)
        try:
            self._loop()
        finally:
            self.connection.remove(self._connection_path)
            self._front.close()
            self._supervisor.close()
            self._zap.close()
            self._context.term()
            log.info("stopped")

    def _loop(self) -> None:
        poller = zmq.Poller()
        for socket in (self._zap.socket, self._front.socket, self._supervisor.socket):
            poller.register(socket, zmq.POLLIN)
        swept, waits = time.monotonic(), False
        while not self._stopping:
            ready = dict(poller.poll(FLUSH_TICK if waits else TICK))
            if self._zap.socket in ready:
                self._zap.answer()
            if self._supervisor.socket in ready:
                self._hear_worker()
            if self._front.socket in ready:
                self._hear_clients()
            now = time.monotonic()
            if self._supervisor.watch(now):
                self._desk.dispatcher.worker_died()
            self._desk.dispatcher.advance()
            self._desk.tick()
            waits = self._front.flush()
            if now - swept > SWEEP:
                swept = now
                self._desk.sweep(now)
            if self._parent is not None and self._parent.gone():
                log.info("the process that started this backend is gone")
                return

    def _hear_clients(self) -> None:
        until = time.monotonic() + BATCH
        while time.monotonic() < until:
            try:
                route, key, parts = self._front.receive()
            except zmq.Again:
                return
            self._desk.receive(route, key, parts)

    def _hear_worker(self) -> None:
        try:
            for message, frames in self._supervisor.receive():
                self._desk.dispatcher.hear(message, frames)
        except Exception:  # the worker does not make sense: a new one will
            log.exception("the worker's message could not be used: it is ended")
            self._supervisor.kill()


def run_until_signalled(gateway: Gateway) -> None:
    """Serves until SIGTERM, SIGINT, or the end of the process named in the configuration."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, gateway.stop)
    gateway.run()
