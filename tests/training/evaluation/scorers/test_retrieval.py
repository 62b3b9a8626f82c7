"""Our own judge: what it reads of a shape, what it learns in seconds, what a file of it holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.data.synthetic import generate
from training.evaluation.scorers.interface import Cloud
from training.evaluation.scorers.retrieval import (
    PointTextEncoder,
    RetrievalConfig,
    RetrievalScorer,
    SentenceEncoder,
    load,
    save,
)
from training.evaluation.scorers.retrieval_training import (
    Pairs,
    RetrievalRecipe,
    contrast,
    procedural_pairs,
    train,
)

SMALL = RetrievalConfig(n_points=128, width=32, n_layers=1, embedding=16)


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """Bottles and ladders."""
    points, captions = [], []
    for seed in range(24):
        shape = generate(seed, ("bottle", "ladder")[seed % 2])
        points.append(shape.sample_surface(256, np.random.default_rng(seed))[0])
        captions.append((f"a {shape.family}",))
    return Pairs(points=points, captions=captions)


def test_a_few_steps_tell_bottles_from_ladders(pairs: Pairs) -> None:
    recipe = RetrievalRecipe(config=SMALL, steps=20, batch=24, warmup=4, peak_lr=3e-3)
    scorer = RetrievalScorer(train(recipe, pairs, lambda said: None))
    shapes = scorer.shapes([Cloud(points=points) for points in pairs.points])
    nearest = (shapes @ scorer.texts(["a bottle", "a ladder"]).T).argmax(dim=1)
    assert (nearest == torch.arange(24) % 2).float().mean() > 0.9


def test_embeddings_have_length_one_and_do_not_depend_on_the_batch(pairs: Pairs) -> None:
    torch.manual_seed(0)
    scorer = RetrievalScorer(PointTextEncoder(SMALL))
    clouds = [Cloud(points=points) for points in pairs.points[:3]]
    together = scorer.shapes(clouds)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(scorer.shapes(clouds[1:2])[0], together[1])


def test_the_order_of_points_does_not_matter() -> None:
    torch.manual_seed(0)
    model = PointTextEncoder(SMALL).eval()
    points = torch.rand(1, 128, 3) * 2 - 1
    torch.testing.assert_close(model.shapes(points), model.shapes(points.flip(1)))


def test_sentences_are_the_same_alone_and_among_longer_ones() -> None:
    encoder, texts = SentenceEncoder(), ["a chair", "a tall narrow bookshelf with five shelves", "a mug"]
    together = encoder.encode(texts)
    torch.testing.assert_close(encoder.encode(["a chair"])[0], together[0], rtol=1e-4, atol=1e-5)
    assert together[0] @ together[2] > together[0] @ together[1] - 1  # finite, of length one
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))


def test_contrast_is_least_for_matching_rows() -> None:
    rows = torch.eye(4)
    assert contrast(rows, rows, torch.tensor(20.0)) < contrast(rows, rows.flip(0), torch.tensor(20.0))


def test_a_file_gives_the_same_scores_in_half_precision(tmp_path: Path, pairs: Pairs) -> None:
    torch.manual_seed(0)
    model = PointTextEncoder(SMALL)
    save(model, tmp_path / "own.safetensors", "random")
    scorer = load(tmp_path / "own.safetensors")
    cloud = [Cloud(points=pairs.points[0])]
    assert scorer.provenance == "random"
    torch.testing.assert_close(scorer.shapes(cloud), RetrievalScorer(model).shapes(cloud), atol=5e-3, rtol=0)


def test_the_shipped_judge_knows_objects_of_unseen_seeds() -> None:
    families, scorer = ("bottle", "ladder", "table", "windmill", "car"), load()
    shapes = [generate(60_000_000 + row // 5, families[row % 5]) for row in range(25)]
    clouds = [Cloud(points=shape.sample_surface(512, np.random.default_rng(0))[0]) for shape in shapes]
    nearest = (scorer.shapes(clouds) @ scorer.texts([f"a {name}" for name in families]).T).argmax(dim=1)
    assert (nearest == torch.arange(25) % 5).float().mean() > 0.9


def test_missing_weights_name_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="train-scorer"):
        load(tmp_path / "none.safetensors")


def test_pairs_of_a_seed_are_always_the_same() -> None:
    first, second = procedural_pairs(5, 1, 2), procedural_pairs(5, 1, 2)
    assert first.captions == second.captions
    np.testing.assert_array_equal(first.points[0], second.points[0])
