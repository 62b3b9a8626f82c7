"""Jobs in the worker take turns: each is pulled to its next token, tells what happened, and ends alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from backend.events import Coarse, Picture, PipelineEvent, Progress, Request, Result, Sharpening
from backend.failures import Cancelled, RequestError
from backend.geometry.mesh import Mesh
from backend.server import link
from backend.server.attempt import Attempt
from protocol.arrays import decode_mesh, decode_tokens, encode_mesh, encode_tokens
from protocol.blobs import digest
from protocol.images import decode_pixels, encode_pixels
from protocol.jobs import JobSpec
from protocol.limits import Limits

TRIANGLE = Mesh(vertices=np.eye(3, dtype=np.float32), faces=np.array([[0, 1, 2]], np.int32))
PIXELS = np.random.default_rng(0).integers(0, 256, (150, 300, 4), dtype=np.uint8)


class Counter:
    """A batch of jobs that count to three, one each step; the words say how a job ends."""

    model_name = "counter"
    jobs_at_once = 4

    def __init__(self) -> None:
        self.waiting = 0
        self.steps: list[int] = []  # jobs that waited, at each step
        self.requests: list[Request] = []

    def capabilities(self) -> dict[str, Any]:
        return {}

    def advance(self) -> None:
        self.steps.append(self.waiting)

    def start(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[PipelineEvent | None]:
        self.requests.append(request)
        self.waiting += 1
        try:
            for count in range(3):
                if cancelled():
                    raise Cancelled
                yield Progress(stage=request.prompt, done=count, total=3)
                if request.prompt == "refuse" and count == 1:
                    raise RequestError("bad_option", "No.", "Yes.")
                yield None
            if request.prompt != "nothing":
                yield Result(mesh=TRIANGLE, tokens=np.arange(4, dtype=np.uint16), seconds={})
        finally:
            self.waiting -= 1


class Batch:
    """What the worker does with its jobs, without the socket."""

    def __init__(self, pipeline: Any = None) -> None:
        self.pipeline = pipeline or Counter()
        self.said: list[tuple[link.AboutJob, Sequence[bytes]]] = []
        self.attempts: dict[str, Attempt] = {}

    def add(self, job: str, spec: JobSpec | None = None, files: Sequence[bytes] = ()) -> Attempt:
        run = link.Run(job=job, attempt=1, spec=spec or JobSpec(prompt=job))
        self.attempts[job] = Attempt(run, files, Limits(), lambda *words: self.said.append(words))
        return self.attempts[job]

    def turn(self) -> None:
        for attempt in self.attempts.values():
            if not attempt.over:
                attempt.turn(self.pipeline, lambda: None)
        self.pipeline.advance()

    def of(self, job: str) -> list[str]:
        return [type(message).__name__ for message, _ in self.said if message.job == job]


def test_two_jobs_interleave_and_a_third_joins_between_tokens() -> None:
    batch = Batch()
    batch.add("a")
    batch.add("b")
    batch.turn()
    batch.add("c")
    for _ in range(4):
        batch.turn()
    assert batch.pipeline.steps == [2, 3, 3, 1, 0]
    assert [message.job for message, _ in batch.said if isinstance(message, link.Finished)] == ["a", "b", "c"]


def test_a_cancelled_and_a_failing_job_leave_the_batch_without_the_others() -> None:
    batch = Batch()
    for job in ("a", "stopped", "refuse", "nothing"):
        batch.add(job)
    batch.turn()
    batch.attempts["stopped"].stop = True
    batch.turn()
    assert batch.pipeline.waiting == 2
    for _ in range(2):
        batch.turn()
    ends = {job: batch.of(job)[-1] for job in batch.attempts}
    assert ends == {"a": "Finished", "stopped": "Stopped", "refuse": "Broke", "nothing": "Broke"}


def test_a_job_may_be_stopped_before_its_first_turn() -> None:
    batch = Batch()
    batch.add("a").stop = True
    batch.turn()
    assert batch.of("a") == ["Stopped"]
    assert batch.pipeline.requests == []


@pytest.mark.parametrize(
    ("task", "inputs", "files", "code"),
    [
        ("edit_shape", ("mesh",), [b"no mesh"], "bad_mesh"),
        ("shape_to_image", ("tokens",), [b"no tokens"], "bad_tokens"),
        ("image_to_shape", ("image",), [b"no image"], "bad_image"),
        ("image_to_shape", ("image",), [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1"], "bad_image"),
    ],
)
def test_a_bad_source_fails_its_job(task: str, inputs: Any, files: list[bytes], code: str) -> None:
    batch = Batch()
    batch.add("a", JobSpec(task=task, prompt="x", inputs=inputs), files)
    batch.turn()
    message, _ = batch.said[-1]
    assert isinstance(message, link.Broke)
    assert message.problem.code == code


def test_settings_and_sources_reach_the_request() -> None:
    batch = Batch()
    spec = JobSpec(task="edit_shape", prompt="a", seed=5, faces=100, box=(1.0, 2.0, 3.0), inputs=("mesh",))
    batch.add("a", spec, [encode_mesh(TRIANGLE.vertices, TRIANGLE.faces)])
    batch.add("b", JobSpec(task="shape_to_views", views=("top",), inputs=("tokens",)), [encode_tokens([7])])
    images = JobSpec(task="views_to_shape", image_views=("front", "left"), inputs=("image", "image"))
    batch.add("c", images, [encode_pixels(PIXELS), encode_pixels(PIXELS[:2, :2])])
    batch.turn()
    mesh, tokens, pictures = batch.pipeline.requests
    assert (mesh.seed, mesh.faces, mesh.box) == (5, 100, (1.0, 2.0, 3.0))
    assert mesh.mesh.vertices.tolist() == TRIANGLE.vertices.tolist()
    assert (tokens.tokens.tolist(), tokens.views) == ([7], ("top",))
    assert [image.shape for image in pictures.images] == [(150, 300, 4), (2, 2, 4)]


class Painter(Counter):
    """Says everything there is to say, at once."""

    def start(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[PipelineEvent | None]:
        picture = Picture(image=PIXELS, view="left", segment=1)
        yield Sharpening(image=PIXELS, view="left", segment=1)
        yield picture
        yield Coarse(mesh=TRIANGLE)
        yield Result(mesh=TRIANGLE, pictures=(picture,), tokens=np.arange(4, dtype=np.uint16), seconds={})


def test_previews_parts_and_results_become_files() -> None:
    batch = Batch(Painter())
    batch.add("a")
    batch.turn()
    (glimpse, small), (drawn, part), (_, coarse), (finished, files) = batch.said
    assert isinstance(glimpse, link.Glimpse)
    assert isinstance(drawn, link.Drawn)
    assert isinstance(finished, link.Finished)
    assert decode_pixels(small[0]).shape == (60, 120, 4)
    assert (glimpse.view, drawn.picture.view, drawn.picture.segment) == ("left", "left", 1)
    assert decode_mesh(coarse[0]).faces.tolist() == [[0, 1, 2]]
    assert [digest(data) for data in files] == finished.files()
    assert decode_tokens(files[1]).tolist() == [0, 1, 2, 3]
    assert finished.pictures == (drawn.picture,)
    assert files[2] == part[0]
