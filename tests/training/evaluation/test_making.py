"""Shapes of prompts: every way a model offers, kept and not made twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh

from backend.checkpoint import CONFIG
from backend.events import Picture, PipelineEvent, Progress, Request, Result
from backend.failures import RequestError
from backend.geometry.mesh import Mesh
from training.evaluation.making import ONE_CHAIN, TEXT_TO_SHAPE, TWO_STAGES, Made, Maker, Wish, read, write


class Balls:
    """A ball for every prompt and picture but "nothing"; remembers what it was asked."""

    model_name, jobs_at_once = "balls", 2

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def capabilities(self) -> dict[str, Any]:
        return {}

    def advance(self) -> None:
        pass

    def start(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[PipelineEvent | None]:
        self.asked.append(request)
        if request.prompt == "nothing":
            raise RequestError("empty_shape", "The shape came out empty.", "Try another seed.")
        yield Progress(stage="shape tokens", done=1, total=1)
        yield None
        if request.task == "text_to_image":
            image = np.full((8, 8, 4), len(request.prompt), np.uint8)
            yield Result(pictures=(Picture(image=image),), seconds={})
        else:
            ball = trimesh.creation.icosphere(subdivisions=1, radius=5)
            colors = np.full((len(ball.vertices), 4), 9, np.uint8) if request.color else None
            mesh = Mesh(vertices=np.float32(ball.vertices), faces=np.int32(ball.faces), colors=colors)
            yield Result(mesh=mesh, seconds={})


def folder(path: Path, *tasks: str) -> Path:
    """A model folder as far as a maker looks before it loads."""
    path.mkdir()
    info = {
        "format": 1,
        "preset": "balls",
        "text_encoder": "none",
        "licence": "none",
        "provenance": "made up",
    }
    (path / CONFIG).write_text(
        json.dumps(info | {"tasks": list(tasks), "sampling": {}, "task_sampling": {}, "modules": {}})
    )
    return path


@pytest.fixture
def balls() -> Balls:
    return Balls()


@pytest.fixture
def maker(tmp_path: Path, balls: Balls) -> Maker:
    tasks = ("text_to_shape", "text_to_image", "image_to_shape")
    return Maker(folder(tmp_path / "model", *tasks), tmp_path / "kept", lambda weights: balls)


def test_ways_are_those_whose_tasks_the_model_has(maker: Maker, tmp_path: Path) -> None:
    assert maker.ways() == (TEXT_TO_SHAPE, TWO_STAGES)
    chain = Maker(folder(tmp_path / "chain", "text_to_image_shape"), tmp_path, lambda weights: Balls())
    assert chain.ways() == (ONE_CHAIN,)


def test_shapes_come_in_the_order_of_prompts_and_canonical(maker: Maker) -> None:
    made = maker.shapes(TEXT_TO_SHAPE, ["a", "nothing", "c"], Wish())
    assert [one.failure for one in made] == ["", "The shape came out empty.", ""]
    assert made[0].mesh is not None
    assert np.ptp(made[0].mesh.vertices, axis=0).max() == pytest.approx(1.92, abs=1e-4)


def test_a_kept_shape_is_not_made_again(maker: Maker, balls: Balls) -> None:
    maker.shapes(TEXT_TO_SHAPE, ["a", "nothing"], Wish())
    again = maker.shapes(TEXT_TO_SHAPE, ["a", "nothing", "b"], Wish())
    assert [request.prompt for request in balls.asked] == ["a", "nothing", "b"]
    assert again[1].failure == "The shape came out empty."


def test_other_settings_are_other_shapes(maker: Maker, balls: Balls) -> None:
    for wish in (Wish(), Wish(seed=1), Wish(cells=32), Wish(color=True)):
        maker.shapes(TEXT_TO_SHAPE, ["a"], wish)
    assert [(request.seed, request.cells, request.color) for request in balls.asked] == [
        (0, 64, False),
        (1, 64, False),
        (0, 32, False),
        (0, 64, True),
    ]


def test_two_stages_hand_over_the_picture_alone(maker: Maker, balls: Balls) -> None:
    made = maker.shapes(TWO_STAGES, ["abc", "nothing", "ab"], Wish(color=True))
    second = [request for request in balls.asked if request.task == "image_to_shape"]
    assert [(request.prompt, int(request.images[0].max())) for request in second] == [("", 3), ("", 2)]
    assert [one.mesh is None for one in made] == [False, True, False]
    assert [request.color for request in balls.asked] == [False, False, False, True, True]


def test_progress_is_told(maker: Maker) -> None:
    heard: list[int] = []
    maker.shapes(TEXT_TO_SHAPE, [str(number) for number in range(10)], Wish(), heard.append)
    assert heard == [8, 10]


def test_colours_and_failures_survive_the_disk(tmp_path: Path) -> None:
    mesh = Mesh(
        vertices=np.eye(3, dtype=np.float32),
        faces=np.array([[0, 1, 2]], np.int32),
        colors=np.full((3, 4), 7, np.uint8),
    )
    write(Made(mesh=mesh), tmp_path / "a.safetensors")
    write(Made(mesh=None, failure="No."), tmp_path / "b.safetensors")
    back = read(tmp_path / "a.safetensors").mesh
    assert back is not None
    np.testing.assert_array_equal(back.colors, mesh.colors)
    assert read(tmp_path / "b.safetensors").failure == "No."
