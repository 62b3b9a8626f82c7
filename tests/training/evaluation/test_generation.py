"""Prompts through a small real pipeline: times, failures, normalised meshes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import trimesh

from backend.events import Coarse, PipelineEvent, Progress, Request, Result
from backend.failures import RequestError
from backend.geometry.mesh import Mesh
from training.evaluation.generation import generate, report


class SpherePipeline:
    """A small sphere far from the origin for every prompt but "nothing"."""

    model_name, jobs_at_once = "sphere", 1

    def capabilities(self) -> dict[str, Any]:
        return {"tasks": ["text_to_shape"]}

    def advance(self) -> None:
        pass

    def start(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[PipelineEvent | None]:
        if request.prompt == "nothing":
            raise RequestError("empty_shape", "The shape came out empty.", "Try another seed.")
        ball = trimesh.creation.icosphere(subdivisions=1, radius=0.1)
        mesh = Mesh(vertices=np.float32(ball.vertices + 5), faces=np.int32(ball.faces))
        yield Progress(stage="shape tokens", done=1, total=1)
        yield Coarse(mesh=mesh)
        yield Result(mesh=mesh, tokens=np.zeros(1, np.uint16), seconds={"shape tokens": 1.5, "surface": 0.5})


def test_mesh_comes_back_in_the_canonical_frame() -> None:
    made = generate(SpherePipeline(), "a ball", 0)
    assert made.mesh is not None
    assert np.ptp(made.mesh.vertices, axis=0).max() == pytest.approx(1.92, abs=1e-4)
    assert not made.failure


def test_seconds_cover_stages_and_first_signs() -> None:
    seconds = generate(SpherePipeline(), "a ball", 0).seconds
    assert seconds["surface"] == 0.5
    assert 0 <= seconds["until first token"] <= seconds["until first coarse mesh"] <= seconds["total"]


def test_failed_prompt_is_reported_not_raised() -> None:
    made = [generate(SpherePipeline(), prompt, 0) for prompt in ("a ball", "nothing")]
    assert made[1].failure == "The shape came out empty."
    told = report(made)
    assert told["failed"] == 1
    assert told["median_seconds"]["shape tokens"] == 1.5  # type: ignore[index]
