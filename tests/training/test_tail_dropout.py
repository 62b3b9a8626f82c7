"""A small Perceiver on eight balls: with tail dropout its first tokens mean a coarse whole."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.shape_tokenizer.perceiver import PerceiverShapeTokenizer, PerceiverShapeTokenizerConfig
from backend.shape_tokenizer.transport import OptimalTransport
from training.data.shape_samples import ShapeSamples
from training.loop import LoopSettings, Machine, save_recipe, train
from training.recipes.shape_tokenizer import full
from training.shape_tokenizer import (
    ShapeTokenizerRecipe,
    ShapeTokenizerTask,
    draw,
    field_loss,
    trained_tokenizer,
)

N_TOKENS = 8
EXACT = Machine(precision="no")
RECIPE = ShapeTokenizerRecipe(
    kind="perceiver",
    config=PerceiverShapeTokenizerConfig(
        n_latents=N_TOKENS,
        n_codes=32,
        code_dim=4,
        width=32,
        n_heads=2,
        n_freqs=8,
        n_encoder_layers=2,
        cross_attention_levels=(0, 1),
        n_decoder_layers=1,
        tail_dropout=0.5,
    ),
    loop=LoopSettings(
        steps=300,
        batch=8,
        peak_lr=3e-3,
        warmup=10,
        weight_decay=0.0,
        betas=(0.9, 0.95),
        save_every=500,
        ema=0.9,
    ),
    points=128,
    queries=128,
    quantise_from=1000,
    transport=OptimalTransport(),
)


def prefix_losses(task: ShapeTokenizerTask, balls: ShapeSamples) -> list[float]:
    """Field loss of the first 1, 2, 4 and 8 tokens."""
    batch = draw(balls, np.arange(8), 512, 1, None, turn=False)
    tensors = {name: torch.from_numpy(value) for name, value in batch.items()}
    model = task.model.eval()
    found = []
    with torch.no_grad():
        for kept in (1, 2, 4, 8):
            logits, _, _ = model(tensors["points"], tensors["normals"], tensors["queries"], kept=kept)
            found.append(float(field_loss(logits, tensors["distances"])[0]))
    task.model.train()
    return found


@pytest.fixture
def corners(balls: ShapeSamples) -> ShapeSamples:
    """Eight balls in the eight corners: far enough apart to be told apart after seconds."""
    rng = np.random.default_rng(0)
    corner = np.array([-0.5, 0.5])
    centers = np.stack(np.meshgrid(corner, corner, corner), axis=-1).reshape(8, 1, 3)
    radii = rng.uniform(0.25, 0.45, (8, 1, 1))
    normals = balls.normals / 127.0
    points = centers + radii * normals
    near = points[:, :256] + rng.normal(scale=0.05, size=(8, 256, 3))
    queries = np.concatenate([near, rng.uniform(-1.05, 1.05, (8, 128, 3))], axis=1)
    distances = np.linalg.norm(queries - centers, axis=-1) - radii[..., 0]
    return replace(
        balls,
        points=points.astype(np.float16),
        queries=queries.astype(np.float16),
        distances=distances.astype(np.float16),
    )


def test_every_prefix_learns_and_none_is_worse_than_a_shorter_one(
    corners: ShapeSamples, tmp_path: Path
) -> None:
    task = ShapeTokenizerTask(RECIPE, corners, corners, corners)
    before = prefix_losses(task, corners)
    train(task, RECIPE.loop, tmp_path, EXACT, quiet=True)
    after = prefix_losses(task, corners)
    assert all(new < 0.55 * old for new, old in zip(after, before, strict=True))
    assert all(longer < 1.01 * shorter for shorter, longer in pairwise(after))
    assert after[3] < after[0]


def test_figures_name_prefixes_and_the_codebooks_health(balls: ShapeSamples, tmp_path: Path) -> None:
    recipe = replace(RECIPE, quantise_from=0)
    task = ShapeTokenizerTask(recipe, balls, balls, balls)
    task.before_step(0)
    loss = task.loss(task.model, task.parts(1, 0, 1)[0])
    figures = {name: float(value) / weight for name, (value, weight) in loss.figures.items()}
    assert 1 <= figures["perplexity"] <= 32
    assert 0 <= figures["dead_codes"] <= 1
    scores = task.evaluate(task.model.eval())
    assert {"iou_corpus_2th", "iou_corpus_8th", "iou_synthetic_4th"} <= scores.keys()
    train(task, recipe.loop, tmp_path, EXACT, stop_after=2, quiet=True)
    save_recipe(tmp_path, recipe)
    tokenizer = trained_tokenizer(tmp_path)
    assert isinstance(tokenizer, PerceiverShapeTokenizer)
    assert tokenizer.config == recipe.config


def test_a_dropped_tail_is_a_prefix_decoded_alone(balls: ShapeSamples) -> None:
    task = ShapeTokenizerTask(RECIPE, balls, balls, balls)
    model = task._reconstruction.eval()
    model.quantise = True
    batch = draw(balls, np.arange(4), 128, 1, None, turn=False)
    points, normals, queries = (torch.from_numpy(batch[name]) for name in ("points", "normals", "queries"))
    with torch.no_grad():
        logits, ids, _ = model(points, normals, queries, kept=3, whole=1)
        tokenizer = model.tokenizer
        assert isinstance(tokenizer, PerceiverShapeTokenizer)
        expected = tokenizer.field(tokenizer.decode_prefix(ids, 3), queries)
        torch.testing.assert_close(logits[1:], expected[1:])
        torch.testing.assert_close(logits[:1], tokenizer.field(tokenizer.decode(ids), queries)[:1])


def test_the_full_recipe_is_the_papers() -> None:
    recipe = full()
    assert (recipe.config.n_tokens, recipe.config.code_dim, recipe.config.n_codes) == (1024, 16, 16_384)
    assert recipe.transport is not None
    assert recipe.tail_dropout > 0


def test_a_kind_and_another_kinds_configuration_are_refused() -> None:
    with pytest.raises(ValueError, match="does not configure a tokenizer of kind grid"):
        replace(RECIPE, kind="grid")
