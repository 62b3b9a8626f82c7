"""Requests and the durable list of them: a row is written before anything is sent."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from ...protocol.arrays import MeshArrays
from ...protocol.decoding import decode_spec
from ...protocol.jobs import JobSpec
from ...protocol.messages import Done, Picture
from .pace import Bar, TimeLeft, stage_words
from .placement import Target
from .problems import Problem

State = Literal["waiting", "queued", "running", "receiving", "arrived", "placed", "failed", "cancelled"]
OPEN: tuple[State, ...] = ("waiting", "queued", "running", "receiving")
ENDED: tuple[State, ...] = ("placed", "failed", "cancelled")
KEPT = 200  # rows


@dataclass(frozen=True)
class Drawing:
    """A finished picture as it came: a PNG or WebP file, or raw pixels."""

    picture: Picture
    data: bytes


@dataclass(eq=False)
class Job:
    """One request, from the moment it is written down.

    waiting: not yet accepted; arrived: the result is here and waits to be placed.
    """

    id: str
    spec: JobSpec
    target: Target
    session: str  # of the Blender that asked
    created: float  # Unix seconds
    blobs: tuple[str, ...] = ()  # names of its source files, as `spec.inputs` declares them
    state: State = "waiting"
    accepted: bool = False
    seq: int = 0  # of the last event seen
    object_name: str = ""
    problem: Problem | None = None
    # below: known only while it runs
    asked_at: float = 0.0  # monotonic
    cancelling: bool = False
    submits: int = 0
    sent_at: float | None = None  # monotonic, of the last unanswered submit or sub
    ended_at: float | None = None  # monotonic
    position: int = 0
    bar: Bar = field(init=False)
    fraction: float = 0.0  # 0..1, never goes back
    words: str = ""
    warning: str = ""
    time_left: TimeLeft = field(default_factory=TimeLeft)
    first_sign: float | None = None  # monotonic, of the first progress
    done: Done | None = None
    preview: MeshArrays | None = None
    sharpening: NDArray[np.uint8] | None = None  # (h, w, 4) of the picture being drawn, first row on top
    mesh: MeshArrays | None = None
    tokens: bytes = b""  # safetensors
    drawings: list[Drawing] = field(default_factory=list)  # here, and not yet in the file
    pictures: dict[Picture, bool] = field(default_factory=dict)  # announced so far, and whether they are here
    awaited: set[str] = field(default_factory=set)  # names of the result's files that are not here yet

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    def __post_init__(self) -> None:
        self.bar = Bar(self.spec)

    @property
    def title(self) -> str:
        """What the artist knows it by."""
        return self.target.title or self.spec.prompt

    def advance(self, stage: str, done: int, total: int) -> None:
        self.words = stage_words(stage, done, total)
        self.fraction = self.bar.advance(stage, done, total)

    def begin_again(self) -> None:
        """Nothing of it has been made yet."""
        self.bar, self.fraction, self.words = Bar(self.spec), 0.0, ""


class JobStore:
    """SQLite in one file. Raises sqlite3.Error and OSError when the disk refuses."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=2.0, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")  # survives a crash of Blender without an fsync a row
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, session TEXT, created REAL, state TEXT,"
            " accepted INTEGER, spec TEXT, target TEXT, problem TEXT, object TEXT, blobs TEXT)"
        )
        if "blobs" not in {
            row[1] for row in self._db.execute("PRAGMA table_info(jobs)")
        }:  # of an earlier version
            self._db.execute("ALTER TABLE jobs ADD COLUMN blobs TEXT")
        self._db.execute(
            "DELETE FROM jobs WHERE id NOT IN (SELECT id FROM jobs ORDER BY created DESC LIMIT ?)", (KEPT,)
        )

    def save(self, job: Job) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                job.id,
                job.session,
                job.created,
                job.state,
                job.accepted,
                json.dumps(asdict(job.spec)),
                json.dumps(asdict(job.target)),
                json.dumps(asdict(job.problem)) if job.problem else None,
                job.object_name,
                json.dumps(job.blobs),
            ),
        )

    def forget(self, job: Job) -> None:
        self._db.execute("DELETE FROM jobs WHERE id = ?", (job.id,))

    def load(self, limit: int = 20) -> list[Job]:
        """The newest jobs, oldest first. A row that cannot be read (another version's) is left out."""
        rows = self._db.execute(
            "SELECT id, session, created, state, accepted, spec, target, problem, object, blobs"
            " FROM jobs ORDER BY created DESC LIMIT ?",
            (limit,),
        ).fetchall()
        jobs = [_job(row) for row in reversed(rows)]
        return [job for job in jobs if job is not None]

    def close(self) -> None:
        self._db.close()


def _job(row: tuple[str, str, float, str, int, str, str, str | None, str, str | None]) -> Job | None:
    job_id, session, created, state, accepted, spec, target, problem, name, blobs = row
    try:
        return Job(
            id=job_id,
            spec=decode_spec(json.loads(spec)),
            target=Target.from_json(json.loads(target)),
            session=session,
            created=created,
            state=cast(State, state),
            accepted=bool(accepted),
            object_name=name,
            blobs=tuple(json.loads(blobs or "[]")),
            problem=Problem(**json.loads(problem)) if problem else None,
        )
    except (ValueError, TypeError, KeyError):
        return None


def new_job(job_id: str, spec: JobSpec, target: Target, session: str, blobs: tuple[str, ...] = ()) -> Job:
    return Job(id=job_id, spec=spec, target=target, session=session, created=time.time(), blobs=blobs)
