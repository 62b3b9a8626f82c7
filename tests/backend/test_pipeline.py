"""The pipeline on the bundled weights: a prompt becomes a mesh, and what is wrong becomes a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.events import Coarse, PipelineEvent, Progress, Request, Result
from backend.failures import WeightsError
from backend.geometry.canonical import BOUNDS
from backend.jobs import run_alone
from backend.pipeline import Pipeline
from backend.server.cli import BUNDLED

TABLE = Request(prompt="a round wooden table", cells=48)


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline.load(BUNDLED)


@pytest.fixture(scope="module")
def events(pipeline: Pipeline) -> list[PipelineEvent]:
    return list(run_alone(pipeline, TABLE))


def test_a_prompt_becomes_a_closed_mesh_inside_the_box(events: list[PipelineEvent]) -> None:
    result = events[-1]
    assert isinstance(result, Result)
    assert np.abs(result.mesh.vertices).max() <= BOUNDS
    edges = np.sort(result.mesh.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    assert result.mesh.signed_volume() > 0
    assert set(result.seconds) == {"reading prompt", "shape tokens", "surface"}


def test_progress_counts_every_token_and_previews_come_before_the_result(events: list[PipelineEvent]) -> None:
    tokens = [event for event in events if isinstance(event, Progress) and event.stage == "shape tokens"]
    assert [event.done for event in tokens] == list(range(1, 217))
    assert {event.total for event in tokens} == {216}
    assert any(isinstance(event, Coarse) for event in events)


def test_same_request_same_mesh_other_seed_other_tokens(
    pipeline: Pipeline, events: list[PipelineEvent]
) -> None:
    first = events[-1]
    *_, again = run_alone(pipeline, TABLE)
    *_, other = run_alone(pipeline, Request(prompt=TABLE.prompt, cells=48, seed=1))
    assert isinstance(first, Result)
    assert isinstance(again, Result)
    assert isinstance(other, Result)
    assert np.array_equal(first.mesh.vertices, again.mesh.vertices)
    assert not np.array_equal(first.tokens, other.tokens)


def test_a_missing_text_encoder_is_not_blamed_on_the_model_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.model.text.minilm.MINILM_PACKAGE", "no_such_package")
    with pytest.raises(WeightsError, match=r"^Prompts cannot be read: .*install no_such_package\.$"):
        Pipeline.load(BUNDLED)


def test_missing_weights_say_so(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no model folder"):
        Pipeline.load(tmp_path / "nowhere")
