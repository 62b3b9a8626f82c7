"""Every task through a small model: what comes out, in which order, alone and side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from backend.events import Coarse, Picture, PipelineEvent, Progress, Request, Result, Sharpening
from backend.failures import Cancelled, RequestError
from backend.geometry.canonical import EDITED_SIDE, LONGEST_SIDE, Placement
from backend.geometry.mesh import Mesh
from backend.jobs import run_alone
from backend.pipeline import Pipeline
from backend.sources import SourceShape
from backend.tasks import TASKS
from tests.backend.small_model import IMAGE_TOKENS, SHAPE_TOKENS, small_pipeline
from tests.backend.test_sources import ball

IMAGE = np.full((8, 8, 4), 255, np.uint8)
SHAPE = {"mesh": ball(2.0, 5.0)}
REQUESTS = {
    "text_to_image": {},
    "text_to_shape": {},
    "image_to_shape": {"images": (IMAGE,)},
    "shape_to_image": SHAPE,
    "image_to_view": {"images": (IMAGE,), "views": ("left",)},
    "shape_to_view": {**SHAPE, "views": ("top",)},
    "text_to_view": {"views": ("back",)},
    "text_to_image_shape": {},
    "text_to_shape_view": {"views": ("front",)},
    "views_to_shape": {"images": (IMAGE, IMAGE), "image_views": ("front", "back")},
    "shape_to_views": {**SHAPE, "views": ("front", "back", "left", "right", "top", "bottom")},
    "text_to_views_shape_views": {"image_views": ("front", "left"), "views": ("back", "right")},
    "edit_shape": SHAPE,
}


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return small_pipeline()


def request(task: str, **settings: object) -> Request:
    words = "a red ball" if TASKS[task].needs_text else ""
    return Request(task=task, prompt=words, cells=16, **(REQUESTS[task] | settings))  # type: ignore[arg-type]


@pytest.mark.parametrize("task", list(TASKS))
def test_every_task_makes_what_its_row_says(pipeline: Pipeline, task: str) -> None:
    asked = request(task)
    *before, result = run_alone(pipeline, asked)
    targets = TASKS[task].layout(asked.image_views, asked.views).targets
    assert isinstance(result, Result)
    views = [segment.view for segment in targets if segment.modality == "image"]
    assert [picture.view for picture in result.pictures] == views
    assert [event for event in before if isinstance(event, Picture)] == list(result.pictures)
    assert (result.mesh is not None) == ("shape" in TASKS[task].targets)
    assert (result.tokens is not None) == ("shape" in TASKS[task].targets and task != "edit_shape")
    assert not pipeline.parts.engine.chains


def test_a_chain_is_shown_segment_by_segment(pipeline: Pipeline) -> None:
    kinds = [
        type(event).__name__
        for event in run_alone(pipeline, request("text_to_image_shape"))
        if not isinstance(event, Progress)
    ]
    expected = ["Sharpening"] * (IMAGE_TOKENS - 1) + ["Picture"] + ["Coarse"] * 2 + ["Result"]
    assert kinds == expected


def test_progress_counts_every_token_of_each_segment(pipeline: Pipeline) -> None:
    events = [e for e in run_alone(pipeline, request("text_to_image_shape")) if isinstance(e, Progress)]
    counts = {
        stage: [e.done for e in events if e.stage == stage] for stage in ("image tokens", "shape tokens")
    }
    assert counts["image tokens"] == list(range(1, IMAGE_TOKENS + 1))
    assert counts["shape tokens"] == list(range(1, SHAPE_TOKENS + 1))


def test_an_edited_mesh_stays_where_its_source_is(pipeline: Pipeline) -> None:
    *_, result = run_alone(pipeline, request("edit_shape"))
    assert isinstance(result, Result)
    assert result.mesh is not None
    middle = (result.mesh.vertices.max(axis=0) + result.mesh.vertices.min(axis=0)) / 2
    assert middle == pytest.approx([5.0, 5.0, 5.0], abs=1e-3)


def test_jobs_side_by_side_give_what_each_gives_alone(pipeline: Pipeline) -> None:
    asked = [request("text_to_image_shape", seed=1), request("edit_shape"), request("text_to_shape", seed=2)]
    alone = [list(run_alone(pipeline, one))[-1] for one in asked]
    for expected, found in zip(alone, together(pipeline, asked), strict=True):
        assert isinstance(expected, Result)
        assert isinstance(found, Result)
        assert np.array_equal(expected.tokens, found.tokens)  # type: ignore[arg-type]


def together(pipeline: Pipeline, asked: list[Request]) -> list[PipelineEvent | None]:
    """The last event of each, run as the worker does."""
    runs: dict[int, Iterator[PipelineEvent | None]] = {}
    for number, one in enumerate(asked):
        runs[number] = pipeline.start(one, lambda: False)
    last: list[PipelineEvent | None] = [None] * len(asked)
    while runs:
        for number, run in tuple(runs.items()):
            for event in run:
                if event is None:
                    break
                last[number] = event
            else:
                del runs[number]
        pipeline.advance()
    return last


def test_a_cancelled_run_leaves_the_batch(pipeline: Pipeline) -> None:
    seen: list[PipelineEvent | None] = []
    run = pipeline.start(request("text_to_shape"), lambda: len(seen) > 4)
    while len(seen) <= 4:
        seen.append(next(run))
        pipeline.advance()
    with pytest.raises(Cancelled):
        list(run)
    assert not pipeline.parts.engine.chains


def test_a_closed_run_leaves_the_batch(pipeline: Pipeline) -> None:
    run = pipeline.start(request("text_to_shape"), lambda: False)
    while next(run) is not None:  # type: ignore[call-overload]
        pass
    assert pipeline.parts.engine.chains
    run.close()  # type: ignore[attr-defined]
    assert not pipeline.parts.engine.chains


def test_a_model_offers_what_it_was_trained_for_and_has_the_parts_for() -> None:
    offered = small_pipeline(images=False).capabilities()["tasks"]
    assert offered == ["text_to_shape", "edit_shape"]
    assert small_pipeline(tasks=("text_to_image",)).capabilities()["tasks"] == ["text_to_image"]


def test_a_repeated_prompt_is_encoded_once() -> None:
    pipeline = small_pipeline()
    for seed in (0, 1):
        list(run_alone(pipeline, request("text_to_shape", seed=seed)))
    assert pipeline.text.encoder.prompts == 1


def test_the_picture_sharpens_before_it_is_finished(pipeline: Pipeline) -> None:
    events = list(run_alone(pipeline, request("text_to_image")))
    sharpenings = [event for event in events if isinstance(event, Sharpening)]
    assert len(sharpenings) == IMAGE_TOKENS - 1
    assert not any(isinstance(event, Coarse) for event in events)


SHAPED = [task for task in TASKS if "shape" in TASKS[task].targets]


@pytest.mark.parametrize("task", SHAPED)
def test_every_shape_can_come_with_colours(pipeline: Pipeline, task: str) -> None:
    *before, result = run_alone(pipeline, request(task, color=True))
    assert isinstance(result, Result)
    assert result.mesh is not None
    assert result.mesh.colors is not None
    assert [event.mesh.colors for event in before if isinstance(event, Coarse)][-1] is None
    assert {"image tokens", "colour"} <= set(result.seconds)
    assert [event for event in before if isinstance(event, Picture)] == list(result.pictures)
    assert not pipeline.parts.engine.chains


def test_an_edited_shape_is_drawn_as_large_as_any_other(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, sides = pipeline.parts.sources, []
    encode = reader.shape

    def noted(mesh: Mesh, side: float, *rest: int) -> tuple[SourceShape, Placement]:
        sides.append(side)
        return encode(mesh, side, *rest)

    monkeypatch.setattr(reader, "shape", noted)
    list(run_alone(pipeline, request("edit_shape", color=True)))
    assert sides == [EDITED_SIDE, LONGEST_SIDE]


def test_without_asking_there_are_no_colours(pipeline: Pipeline) -> None:
    *_, result = run_alone(pipeline, request("text_to_shape"))
    assert isinstance(result, Result)
    assert result.mesh is not None
    assert result.mesh.colors is None


def test_an_edit_keeps_the_colours_of_its_source(pipeline: Pipeline) -> None:
    mesh = ball(2.0, 5.0)
    colors = np.full((len(mesh.vertices), 4), 255, np.uint8)
    colors[:, :3] = np.where(mesh.vertices[:, :1] > 5, (200, 0, 0), (0, 0, 200))
    *_, result = run_alone(pipeline, request("edit_shape", mesh=replace(mesh, colors=colors)))
    assert isinstance(result, Result)
    assert result.mesh is not None
    assert result.mesh.colors is not None
    assert set(np.argmax(result.mesh.colors[:, :3], axis=1)) <= {0, 2}


def test_a_model_without_views_colours_nothing() -> None:
    plain = small_pipeline(images=False)
    assert plain.capabilities()["color"] is False
    with pytest.raises(RequestError, match="cannot colour"):
        list(run_alone(plain, request("text_to_shape", color=True)))
    assert small_pipeline().capabilities()["color"] is True


def test_a_cancelled_colouring_leaves_the_batch(pipeline: Pipeline) -> None:
    drawing: list[PipelineEvent | None] = []
    run = pipeline.start(request("text_to_shape", color=True), lambda: bool(drawing))
    while not drawing:
        event = next(run)
        drawing += [event] if isinstance(event, Progress) and event.stage == "image tokens" else []
        pipeline.advance()
    with pytest.raises(Cancelled):
        list(run)
    assert not pipeline.parts.engine.chains


def test_a_second_transformer_makes_the_edits_and_nothing_else(pipeline: Pipeline) -> None:
    both = small_pipeline(editor=True)
    asked = [request("text_to_shape", seed=1), request("edit_shape", color=True), request("edit_shape")]
    mine, painted, edited = (list(run_alone(both, one))[-1] for one in asked)
    theirs, _, other = (list(run_alone(pipeline, one))[-1] for one in asked)
    assert np.array_equal(mine.tokens, theirs.tokens)
    assert not np.array_equal(edited.mesh.vertices, other.mesh.vertices)
    assert painted.mesh.colors is not None
    assert not any(engine.chains for engine in both.parts.engines)


def test_edits_and_other_tasks_run_side_by_side_on_two_transformers() -> None:
    both = small_pipeline(editor=True)
    asked = [request("edit_shape"), request("text_to_shape", seed=2)]
    alone = [list(run_alone(both, one))[-1] for one in asked]
    for expected, found in zip(alone, together(both, asked), strict=True):
        assert np.array_equal(expected.mesh.vertices, found.mesh.vertices)  # type: ignore[union-attr]
