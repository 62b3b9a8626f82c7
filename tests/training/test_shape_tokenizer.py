"""The tokenizer's training task on eight balls: it learns, its two phases resume, its batches are true."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from backend.shape_tokenizer.grid import LOGITS_PER_UNIT, GridShapeTokenizerConfig
from training.data.shape_samples import ShapeSamples
from training.data.steps import DataError
from training.loop import LoopSettings, Machine, save_recipe, train
from training.shape_tokenizer import (
    ShapeDecoderTask,
    ShapeTokenizerRecipe,
    ShapeTokenizerTask,
    draw,
    field_loss,
    load_task,
    trained_tokenizer,
)

EXACT = Machine(precision="no")
RECIPE = ShapeTokenizerRecipe(
    config=GridShapeTokenizerConfig(
        token_grid=2,
        n_codes=32,
        code_dim=4,
        width=16,
        mid_width=8,
        field_width=8,
        n_blocks=1,
        n_attention=1,
        n_heads=2,
    ),
    loop=LoopSettings(
        steps=40,
        batch=4,
        peak_lr=0.01,
        warmup=2,
        log_every=1,
        save_every=100,
        ema=0.8,
    ),
    points=256,
    queries=256,
    quantise_from=20,
    restart_every=4,
)


def losses(folder: Path) -> list[float]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


def fit(balls: ShapeSamples, folder: Path, stop_after: int | None = None) -> ShapeTokenizerTask:
    task = ShapeTokenizerTask(RECIPE, balls, balls, balls)
    train(task, RECIPE.loop, folder, EXACT, stop_after=stop_after, quiet=True)
    return task


def test_it_learns_before_and_after_codes_become_discrete(balls: ShapeSamples, tmp_path: Path) -> None:
    recipe = replace(RECIPE, loop=replace(RECIPE.loop, steps=80))
    task = ShapeTokenizerTask(recipe, balls, balls, balls)
    train(task, recipe.loop, tmp_path, EXACT, quiet=True)
    figures = losses(tmp_path)
    assert np.mean(figures[16:20]) < 0.8 * np.mean(figures[:4])
    assert np.mean(figures[76:]) < 0.9 * np.mean(figures[16:20])
    scores = task.evaluate(task.model.eval())
    assert scores.keys() == {"iou_synthetic", "near_synthetic", "iou_corpus", "near_corpus", "codes_used"}
    assert min(scores["iou_synthetic"], scores["iou_corpus"]) > 0.25  # all inside would be 0.04
    assert 1 < scores["codes_used"] <= 32


def test_golden_losses(balls: ShapeSamples, tmp_path: Path) -> None:
    """A change of these numbers is a change of the model or of its training: say why where you renew them."""
    recipe = replace(RECIPE, quantise_from=2, loop=replace(RECIPE.loop, steps=4))
    train(ShapeTokenizerTask(recipe, balls, balls, balls), recipe.loop, tmp_path, EXACT, quiet=True)
    assert losses(tmp_path) == pytest.approx([3.907744, 2.970833, 2.070889, 1.455833], abs=1e-4)


@pytest.mark.parametrize("stop", [10, 20, 26])
def test_a_resumed_run_is_the_same_run_in_either_phase(
    balls: ShapeSamples, tmp_path: Path, stop: int
) -> None:
    fit(balls, tmp_path / "straight", stop_after=32)
    fit(balls, tmp_path / "resumed", stop_after=stop)
    fit(balls, tmp_path / "resumed", stop_after=32)
    assert losses(tmp_path / "resumed") == losses(tmp_path / "straight")
    straight, resumed = (
        load_file(tmp_path / name / "checkpoint.safetensors") for name in ("straight", "resumed")
    )
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_codes_switch_at_their_step(balls: ShapeSamples) -> None:
    task = ShapeTokenizerTask(RECIPE, balls, None, balls)
    quantizer = task.model.get_submodule("tokenizer.quantizer")
    before = quantizer.get_parameter("codebook.weight").clone()
    task.before_step(19)
    assert task.loss(task.model, task.parts(19, 0, 1)[0]).figures["codes"][0] == 0
    task.before_step(20)
    assert not torch.equal(quantizer.get_parameter("codebook.weight"), before)
    assert task.loss(task.model, task.parts(20, 0, 1)[0]).figures["codes"][0] > 0


def test_every_rank_draws_its_own_share(balls: ShapeSamples) -> None:
    task = ShapeTokenizerTask(RECIPE, balls, None, balls)
    seen = [part["points"] for rank in (0, 1, 0) for part in task.parts(5, rank, 2)]
    assert [len(points) for points in seen] == [2, 2, 2]
    assert torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[0], seen[1])


def test_evaluation_of_the_truth_is_perfect(balls: ShapeSamples) -> None:
    task = ShapeTokenizerTask(RECIPE, balls, balls, balls)

    class Truth(nn.Module):
        def forward(self, points: Tensor, normals: Tensor, queries: Tensor) -> tuple[Tensor, ...]:
            distances = torch.from_numpy(balls.distances.astype(np.float32))
            return -distances, torch.zeros(len(points), 8, dtype=torch.int64), torch.zeros(())

    scores = task.evaluate(Truth())
    assert all(value == 1 for value in scores.values())


def test_field_loss_is_least_at_the_truth() -> None:
    distances = torch.linspace(-0.4, 0.4, 41)[None]
    exact, figures = field_loss(-LOGITS_PER_UNIT * distances, distances)
    assert figures["l1"] < 0.2  # values may run past the band, as truth does
    assert exact < field_loss(-LOGITS_PER_UNIT * (distances + 0.05), distances)[0]
    assert exact < field_loss(LOGITS_PER_UNIT * distances, distances)[0]


@pytest.mark.parametrize("turn", [False, True])
def test_mirrored_and_turned_shapes_keep_their_distances(balls: ShapeSamples, turn: bool) -> None:
    batch = draw(balls, np.arange(8), 512, 64, np.random.default_rng(1), turn=turn)
    moved = 0
    for row, (points, normals) in enumerate(zip(batch["points"], batch["normals"], strict=True)):
        equations = np.column_stack(
            [2 * points, np.ones(len(points))]
        )  # of a sphere: |p|² = 2 c·p + r² - |c|²
        *center, rest = np.linalg.lstsq(equations, (points**2).sum(axis=1), rcond=None)[0]
        radius = np.sqrt(rest + np.square(center).sum())
        distances = np.linalg.norm(batch["queries"][row] - center, axis=1) - radius
        assert np.allclose(distances, batch["distances"][row], atol=3e-3)
        assert np.allclose(points - radius * normals, center, atol=0.02)
        moved += not np.allclose(points.mean(axis=0), balls.points[row].mean(axis=0), atol=0.01)
    assert moved > 0


def test_without_randomness_all_samples_come_as_they_are(balls: ShapeSamples) -> None:
    batch = draw(balls, np.array([3, 1]), 600, 1, None, turn=True)
    assert np.array_equal(batch["points"], balls.points[[3, 1]].astype(np.float32))
    assert batch["queries"].shape == (2, 384, 3)
    assert all(value.dtype == np.float32 for value in batch.values())


def test_a_run_on_shards_leaves_a_tokenizer(packed: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    save_recipe(run, RECIPE)
    train(load_task(RECIPE, packed), RECIPE.loop, run, EXACT, stop_after=2, quiet=True)
    tokenizer = trained_tokenizer(run)
    assert tokenizer.config == RECIPE.config
    assert not tokenizer.training
    average = load_file(run / "checkpoint.safetensors")["ema.tokenizer.decoder.positions"]
    assert torch.equal(tokenizer.decoder.positions, average)


def test_a_task_without_shards_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="make shards with `omni123-train data run` first"):
        load_task(RECIPE, tmp_path)


def test_the_decoder_stage_learns_and_leaves_the_codes_alone(balls: ShapeSamples, tmp_path: Path) -> None:
    start = fit(balls, tmp_path / "first", stop_after=24)._reconstruction.tokenizer
    recipe = replace(RECIPE, quantise_from=0, loop=replace(RECIPE.loop, steps=24))
    task = ShapeDecoderTask(recipe, start, balls, balls, balls)
    train(task, recipe.loop, tmp_path / "second", EXACT, quiet=True)
    figures = losses(tmp_path / "second")
    assert np.mean(figures[-4:]) < np.mean(figures[:4])
    save_recipe(tmp_path / "second", recipe)
    after, before = trained_tokenizer(tmp_path / "second").state_dict(), start.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if not name.startswith("decoder.")} <= same
    assert "decoder.field_in.weight" not in same
