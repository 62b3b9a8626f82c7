"""A client that is ready, a backend that answers by hand, and a clock that moves with every step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from omni123_extension.blender_addon.core.client import Client
from omni123_extension.blender_addon.core.connection import Connection
from omni123_extension.blender_addon.core.endpoint import Endpoint
from omni123_extension.blender_addon.core.jobs import Job, JobStore
from omni123_extension.blender_addon.core.placement import Target
from omni123_extension.blender_addon.core.uploads import SourceFiles
from omni123_extension.protocol import messages as wire
from omni123_extension.protocol.arrays import encode_mesh, encode_tokens
from omni123_extension.protocol.blobs import digest
from omni123_extension.protocol.framing import decode, encode
from omni123_extension.protocol.jobs import JobSpec

MESH = encode_mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
TOKENS = encode_tokens(np.arange(16))
TARGET = Target(location=(1.0, 2.0, 3.0), size=2.0, scene="Scene")


class Backend:
    """The other end of the socket: what the client sent, and what it will read."""

    def __init__(self) -> None:
        self.received: list[wire.Message] = []
        self.inbox: list[list[bytes]] = []
        self.seq = 1_000_000

    def send(self, parts: list[bytes]) -> bool:
        self.received.append(decode([bytes(part) for part in parts]).message)
        return True

    def receive(self) -> list[bytes] | None:
        return self.inbox.pop(0) if self.inbox else None

    def refusal(self) -> None:
        return None

    def close(self) -> None:
        self.inbox.clear()

    def say(self, message: wire.Message, frames: tuple[bytes, ...] = ()) -> None:
        self.inbox.append(encode(message, frames))

    def event(
        self, kind: Callable[..., wire.Event], job: Job, frames: tuple[bytes, ...] = (), **more: object
    ) -> None:
        self.seq += 1
        self.say(kind(job=job.id, attempt=1, seq=self.seq, **more), frames)

    def serve_files(self, *files: bytes) -> None:
        """Answers the fetches that have come."""
        by_name = {digest(data): data for data in files}
        for message in [message for message in self.received if isinstance(message, wire.Fetch)]:
            data = by_name[message.sha][message.off : message.off + message.n]
            total = len(by_name[message.sha])
            self.say(wire.Chunk(sha=message.sha, off=message.off, total=total), (data,))

    def kinds(self) -> list[str]:
        return [type(message).__name__ for message in self.received]


class Setting:
    """A client that is ready, its backend, and a clock that moves with every step."""

    def __init__(self, folder: Path) -> None:
        self.backend, self.now = Backend(), 0.0
        self.store = JobStore(folder / "jobs.sqlite")
        self.sources = SourceFiles(folder / "sources")
        self.client = self.new_client("first")
        self.welcome()

    def new_client(self, session: str) -> Client:
        connection = Connection(lambda _: self.backend, session=session, client="test", caps=())
        connection.open(Endpoint("tcp://127.0.0.1:1", "k" * 40), self.now)
        return Client(connection, self.store, self.sources, session)

    def welcome(self, epoch: str = "e1") -> None:
        self.backend.say(wire.Welcome(epoch=epoch, user="me", model=wire.ModelInfo(state="ready")))
        self.step()

    def step(self) -> None:
        self.now += 0.3
        self.client.step(self.now, lambda: True)

    def accepted(self) -> Job:
        job = self.client.submit(JobSpec(prompt="a chair", seed=3), TARGET)
        self.step()
        self.backend.say(wire.Accepted(job=job.id, state="queued", position=0))
        self.step()
        return job

    def done(self, job: Job, mesh: bytes = MESH, tokens: bytes = TOKENS) -> None:
        names = {"mesh": digest(mesh), "tokens": digest(tokens)}
        self.backend.event(wire.Done, job, model="sphere", seconds={}, seed=3, **names)
        self.step()
        self.backend.serve_files(mesh, tokens)
        self.step()
