"""A real gateway and worker in their own processes, with spheres for a model, and ways to talk to them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import zmq

from backend.server.client import Client
from backend.server.connection import Connection
from backend.server.keys import KeyPair, load_key_pair
from protocol.framing import Packet, decode

ROOT = Path(__file__).parents[2]
DOUBLES = ROOT / "tests" / "backend" / "server"


@dataclass
class Backend:
    """A running backend and how to reach it."""

    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def connection_file(self) -> Path:
        return self.folder / "state" / "connection.json"

    def client(self, key: KeyPair | None = None) -> Client:
        return Client(
            Connection.read(self.connection_file),
            key or load_key_pair(self.folder / "state" / "keys" / "local.key"),
        )

    def ready_client(self) -> Client:
        client = self.client()
        until(lambda: client.ping() and client.welcome.model.state != "loading")
        return client

    def worker(self) -> psutil.Process:
        return psutil.Process(self.process.pid).children()[0]


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def start(folder: Path, weights: str | None = "fine", *options: str) -> Backend:
    (folder / "state").mkdir(parents=True, exist_ok=True)  # as the add-on makes it: open to others
    if weights is not None:
        (folder / "weights").mkdir(parents=True, exist_ok=True)
        (folder / "weights" / "state").write_text(weights)
    arguments = ["--weights", str(folder / "weights"), "--state-dir", str(folder / "state"), *options]
    arguments += ["--pipeline", "sphere_pipeline:load", "--exit-with-parent", str(os.getpid())]
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.server.cli", "serve", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(DOUBLES)])},
        stdout=subprocess.DEVNULL,
    )
    backend = Backend(folder, process)
    until(
        lambda: (
            backend.connection_file.exists() and Connection.read(backend.connection_file).pid == process.pid
        )
    )
    return backend


@contextlib.contextmanager
def running(folder: Path, weights: str | None = "fine", *options: str) -> Iterator[Backend]:
    backend = start(folder, weights, *options)
    try:
        yield backend
    finally:
        backend.process.terminate()
        assert backend.process.wait(10) in (0, -signal.SIGKILL)


@contextlib.contextmanager
def raw_dealer(backend: Backend, *, curve: bool = True, rcvhwm: int = 1000) -> Iterator[zmq.Socket[bytes]]:
    """A socket that may say anything."""
    connection = Connection.read(backend.connection_file)
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        dealer.sndtimeo = 5_000
        dealer.rcvhwm = rcvhwm
        if curve:
            keys = load_key_pair(backend.folder / "state" / "keys" / "local.key")
            dealer.curve_serverkey = connection.server_key.encode()
            dealer.curve_publickey = keys.public.encode()
            dealer.curve_secretkey = keys.secret.encode()
        dealer.connect(connection.url)
        yield dealer


def answer(dealer: zmq.Socket[bytes]) -> Packet:
    assert dealer.poll(5_000), "no answer"
    return decode(dealer.recv_multipart())


def follow(client: Client, job: str, after: int = 0) -> list[Packet]:
    return list(client.events(job, after, timeout=15))


def kinds(packets: list[Packet]) -> list[str]:
    return [type(packet.message).__name__ for packet in packets]


def wait_for(client: Client, job: str, kind: type) -> Packet:
    return next(packet for packet in client.events(job, timeout=15) if isinstance(packet.message, kind))
