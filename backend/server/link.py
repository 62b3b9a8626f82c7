"""What the gateway and its worker say to each other: JSON headers, raw frames, never pickle.

`Order` goes to the worker's stdin, so that no secret shows in its arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from protocol.errors import Problem
from protocol.framing import Buffer
from protocol.jobs import JobSpec
from protocol.limits import Limits
from protocol.messages import Picture


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Written to the worker's stdin when it starts."""

    url: str
    server_key: str  # Z85, as the two below
    public: str
    secret: str
    parent: int  # the gateway's process id
    pipeline: str  # module:callable
    weights: str
    options: dict[str, str]  # of the pipeline's callable, where they are not left to it
    limits: Limits


class Run(msgspec.Struct, frozen=True, kw_only=True, tag="run"):
    """A frame for each of the spec's inputs, in order."""

    job: str
    attempt: int
    spec: JobSpec


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag="stop"):
    job: str
    attempt: int


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    model: str
    capabilities: dict[str, Any]
    jobs_at_once: int


class Unavailable(msgspec.Struct, frozen=True, kw_only=True, tag="unavailable"):
    """The last word of a worker that cannot load its model."""

    problem: Problem


class Step(msgspec.Struct, frozen=True, kw_only=True, tag="step"):
    job: str
    attempt: int
    stage: str
    done: int
    total: int
    seconds_left: float | None


class Sketch(msgspec.Struct, frozen=True, kw_only=True, tag="sketch"):
    """A coarse mesh; one frame."""

    job: str
    attempt: int
    sha: str


class Glimpse(msgspec.Struct, frozen=True, kw_only=True, tag="glimpse"):
    """A picture that still sharpens, as raw pixels small enough for an event; one frame."""

    job: str
    attempt: int
    sha: str
    view: str | None
    segment: int


class Drawn(msgspec.Struct, frozen=True, kw_only=True, tag="drawn"):
    """A finished picture of a chain that goes on; one frame."""

    job: str
    attempt: int
    picture: Picture


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished"):
    """The result; a frame for each file named, in this order: mesh, tokens, pictures."""

    job: str
    attempt: int
    mesh: str | None  # sha256
    tokens: str | None  # sha256
    pictures: tuple[Picture, ...]
    seconds: dict[str, float]

    def files(self) -> list[str]:
        """Names of the frames."""
        return [sha for sha in (self.mesh, self.tokens, *(p.image for p in self.pictures)) if sha]


class Broke(msgspec.Struct, frozen=True, kw_only=True, tag="broke"):
    job: str
    attempt: int
    problem: Problem


class Stopped(msgspec.Struct, frozen=True, kw_only=True, tag="stopped"):
    job: str
    attempt: int


ToWorker = Run | Stop
AboutJob = Step | Sketch | Glimpse | Drawn | Finished | Broke | Stopped
FromWorker = Ready | Unavailable | AboutJob

_encoder = msgspec.json.Encoder()
to_worker_decoder: msgspec.json.Decoder[ToWorker] = msgspec.json.Decoder(ToWorker)
from_worker_decoder: msgspec.json.Decoder[FromWorker] = msgspec.json.Decoder(FromWorker)


def pack(message: ToWorker | FromWorker, frames: Sequence[Buffer] = ()) -> list[Buffer]:
    return [_encoder.encode(message), *frames]
