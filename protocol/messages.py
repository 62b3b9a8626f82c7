"""The messages, as frozen dataclasses: client to backend, backend to client, and the events of a job.

On the wire a message is a JSON object tagged by "type"; an event is also tagged by "kind".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import Problem, ProtocolError
from .jobs import JOB_ID, JobSpec
from .limits import Limits
from .version import VERSION

SHA256 = re.compile(r"[0-9a-f]{64}")
ATTEMPT = 10**6  # seq = attempt * ATTEMPT + n, so it grows across a crash without being stored
MAX_COUNT = 2**53 - 1  # the largest whole number every JSON reader keeps exactly

State = Literal["queued", "running", "done", "failed", "cancelled"]
ModelState = Literal["loading", "ready", "unavailable"]


def check_sha(sha: str, field: str = "sha") -> None:
    if not SHA256.fullmatch(sha):
        raise ProtocolError("bad_header", "A file's name is not a sha256.", field=field)


def _check_shas(shas: tuple[str, ...], field: str) -> None:
    for sha in shas:
        check_sha(sha, field)


def _check_job(job: str, field: str) -> None:
    if not JOB_ID.fullmatch(job):
        raise ProtocolError("bad_header", "A job's id is not 32 hexadecimal digits.", field=field)


def _check_count(value: int, field: str) -> None:
    if not 0 <= value <= MAX_COUNT:
        raise ProtocolError("bad_header", f"{field} is out of range.", field=field)


# A field's name means the same in every message, so its check goes by its name.
_CHECKS: dict[str, Callable[[Any, str], None]] = {
    "job": _check_job,
    "blobs": _check_shas,
    **dict.fromkeys(("sha", "mesh", "tokens", "image"), check_sha),
    **dict.fromkeys(
        ("off", "n", "total", "done", "after", "seq", "attempt", "position", "segment"), _check_count
    ),
}


class Checked:
    """Checks the values of the fields above when a message is made or decoded."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and name in _CHECKS:
                _CHECKS[name](value, name)


# ---- client to backend


@dataclass(frozen=True, kw_only=True)
class Hello(Checked):
    """First, and again after every reconnect, new epoch or `no_hello`.

    caps: "preview" asks for coarse meshes, "image_preview" for pictures that still sharpen.
    """

    protocol: str = VERSION
    client: str  # program and version, for the log
    session: str  # the client's own name for itself, stable over reconnects
    caps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Submit(Checked):
    """`job` is made by the client and saved before sending; the same id is the same job.

    `blobs` name its files in the order of `spec.inputs`.
    """

    job: str
    spec: JobSpec
    blobs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Put(Checked):
    """One chunk of an input blob; carries one frame."""

    sha: str
    off: int
    total: int


@dataclass(frozen=True, kw_only=True)
class Cancel(Checked):
    """Always ends in an event: `cancelled`, or the terminal event that won."""

    job: str


@dataclass(frozen=True, kw_only=True)
class Sub(Checked):
    """Events with seq > after, then the newest progress and preview, then live ones."""

    job: str
    after: int = 0


@dataclass(frozen=True, kw_only=True)
class List(Checked):
    """Which jobs does the backend hold for this key, submitted after `since` (Unix seconds)?"""

    since: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Fetch(Checked):
    """`n` bytes of a blob from `off`; at most `limits.window` bytes may be asked for and not yet received."""

    sha: str
    off: int
    n: int


@dataclass(frozen=True, kw_only=True)
class Ack(Checked):
    """The result is imported and saved: the backend may drop it."""

    job: str


@dataclass(frozen=True, kw_only=True)
class Ping(Checked):
    """Every 2 s if nothing else was sent; `t` comes back unchanged."""

    t: float


# ---- backend to client


@dataclass(frozen=True, kw_only=True)
class ModelInfo(Checked):
    """The model behind the backend; `problem` says why it is unavailable."""

    state: ModelState
    name: str | None = None
    problem: Problem | None = None
    capabilities: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Welcome(Checked):
    """Answer to `hello`, and sent again whenever the model's state changes."""

    epoch: str  # new at every start of the backend
    user: str  # the name the backend gives to the client's key
    protocol: str = VERSION
    caps: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    model: ModelInfo


@dataclass(frozen=True, kw_only=True)
class Accepted(Checked):
    """The job is held. `dup`: it was held already. Also the first answer to `sub`."""

    job: str
    dup: bool = False
    state: State
    position: int | None = None  # jobs before it, while queued


@dataclass(frozen=True, kw_only=True)
class Need(Checked):
    """The job is not accepted until these blobs are put and it is submitted again."""

    job: str
    blobs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Have(Checked):
    """Credit for `put`: the backend holds the first `off` bytes."""

    sha: str
    off: int


@dataclass(frozen=True, kw_only=True)
class Chunk(Checked):
    """Answer to `fetch`; carries one frame."""

    sha: str
    off: int
    total: int


@dataclass(frozen=True, kw_only=True)
class JobInfo(Checked):
    """One line of `jobs`."""

    job: str
    state: State
    prompt: str
    created: float  # Unix seconds
    seq: int  # of its last lasting event


@dataclass(frozen=True, kw_only=True)
class Jobs(Checked):
    """Answer to `list`, oldest first; `more`: ask again with `since` of the last one."""

    jobs: tuple[JobInfo, ...]
    more: bool = False


@dataclass(frozen=True, kw_only=True)
class Pong(Checked):
    """Answer to `ping`. Another `epoch` than welcome's: say hello again, then sub to open jobs."""

    t: float
    epoch: str
    busy: bool = False


@dataclass(frozen=True, kw_only=True)
class Error(Checked):
    """A message could not be served; `sha` is set when it was about a blob."""

    error: Problem
    sha: str | None = None
    speaks: tuple[int, ...] = ()  # majors understood; only with the code `version`


# ---- events of a job; all but progress and preview last until the job is dropped


@dataclass(frozen=True, kw_only=True)
class Event(Checked):
    """What every event carries. A client drops events whose seq is not above the last it saw."""

    job: str
    attempt: int
    seq: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.attempt < 1 or self.seq // ATTEMPT != self.attempt:
            raise ProtocolError("bad_header", "An event's seq does not belong to its attempt.", field="seq")


@dataclass(frozen=True, kw_only=True)
class Queued(Event):
    """`position` jobs go first; about `seconds` until it starts, where that is known."""

    position: int
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class Running(Event):
    """A worker has taken the job."""


@dataclass(frozen=True, kw_only=True)
class Progress(Event):
    """Latest wins. `done` of `total` steps of `stage`; `total` 0: no telling."""

    stage: str
    done: int
    total: int
    seconds_left: float | None = None


@dataclass(frozen=True, kw_only=True)
class Preview(Event):
    """Latest wins, of meshes and of pictures apart.

    A coarse mesh or raw pixels: in the event's frame, or, when too large, the blob `mesh` or `image`.
    """

    of: Literal["mesh", "image"] = "mesh"
    mesh: str | None = None
    image: str | None = None
    view: str | None = None  # of a picture, where it shows a known one
    segment: int | None = None  # of a picture: which part of the task's chain

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.image if self.of == "mesh" else self.mesh) is not None:
            raise ProtocolError("bad_header", f"A preview of {self.of} names another file.", field="of")

    @property
    def file(self) -> str | None:
        """The blob's name; None: it rides in the event."""
        return self.mesh or self.image


@dataclass(frozen=True, kw_only=True)
class Partial(Event):
    """A finished part of the result: the blob `image`, or the blob `mesh`."""

    mesh: str | None = None
    image: str | None = None
    view: str | None = None
    segment: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.mesh is None) == (self.image is None):
            raise ProtocolError("bad_header", "A part of a result is one file.", field="image")


@dataclass(frozen=True, kw_only=True)
class Warned(Event):
    """The job goes on, but the artist should know."""

    message: str


@dataclass(frozen=True, kw_only=True)
class Retrying(Event):
    """The attempt failed for a reason that is not the job's; another follows."""

    error: Problem


@dataclass(frozen=True, kw_only=True)
class Picture(Checked):
    """One finished picture of a result, as the blob `image`."""

    image: str
    view: str | None = None
    segment: int = 0  # which part of the task's chain


@dataclass(frozen=True, kw_only=True)
class Done(Event):
    """Terminal. Fetch the blobs, then `ack`."""

    mesh: str | None = None
    tokens: str | None = None
    pictures: tuple[Picture, ...] = ()
    model: str
    seconds: dict[str, float]  # per stage
    seed: int


@dataclass(frozen=True, kw_only=True)
class Failed(Event):
    """Terminal."""

    error: Problem


@dataclass(frozen=True, kw_only=True)
class Cancelled(Event):
    """Terminal. The client asked for it."""


ClientMessage = Hello | Submit | Put | Cancel | Sub | List | Fetch | Ack | Ping
BackendMessage = Welcome | Accepted | Need | Have | Event | Chunk | Jobs | Pong | Error
Message = ClientMessage | BackendMessage

CLIENT_TYPES: dict[str, type] = {
    "hello": Hello,
    "submit": Submit,
    "put": Put,
    "cancel": Cancel,
    "sub": Sub,
    "list": List,
    "fetch": Fetch,
    "ack": Ack,
    "ping": Ping,
}
BACKEND_TYPES: dict[str, type] = {
    "welcome": Welcome,
    "accepted": Accepted,
    "need": Need,
    "have": Have,
    "chunk": Chunk,
    "jobs": Jobs,
    "pong": Pong,
    "error": Error,
}
EVENT_KINDS: dict[str, type] = {
    "queued": Queued,
    "running": Running,
    "progress": Progress,
    "preview": Preview,
    "partial": Partial,
    "warning": Warned,
    "retrying": Retrying,
    "done": Done,
    "failed": Failed,
    "cancelled": Cancelled,
}
TERMINAL = (Done, Failed, Cancelled)
LATEST_WINS = (Progress, Preview)
# message -> least and most binary frames it carries; all others carry none
FRAMES: dict[type, tuple[int, int]] = {Put: (1, 1), Chunk: (1, 1), Preview: (0, 1)}

_TAGS: dict[type, dict[str, str]] = {
    **{cls: {"type": name} for name, cls in (CLIENT_TYPES | BACKEND_TYPES).items()},
    **{cls: {"type": "event", "kind": name} for name, cls in EVENT_KINDS.items()},
}


def tags(message: Message) -> dict[str, str]:
    """{"type": ...}, with {"kind": ...} for an event."""
    return _TAGS[type(message)]


def message_class(raw: dict[str, Any]) -> type:
    """The class a decoded header belongs to. Raises ProtocolError("unknown_type")."""
    name, kind = raw.get("type"), raw.get("kind")
    table, key = (EVENT_KINDS, kind) if name == "event" else (CLIENT_TYPES | BACKEND_TYPES, name)
    found = table.get(key) if isinstance(key, str) else None
    if found is None:
        raise ProtocolError("unknown_type", f"There is no message of the type {key!r:.60}.", field="type")
    return found
