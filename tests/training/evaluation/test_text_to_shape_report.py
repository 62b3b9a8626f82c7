"""The whole of `evaluate text-to-shape` on a handful of objects, a random judge and a model of balls."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backend import checkpoint
from backend.checkpoint import ModelInfo
from backend.shape_tokenizer import KINDS
from backend.shape_tokenizer.grid import GridShapeTokenizer, GridShapeTokenizerConfig
from tests.training.evaluation.test_making import Balls
from training.evaluation.making import TEXT_TO_SHAPE
from training.evaluation.novelty import read_shapes
from training.evaluation.report import write
from training.evaluation.scorers.retrieval import PointTextEncoder, RetrievalConfig, save
from training.evaluation.scorers.retrieval_training import dataset_pairs
from training.evaluation.text_to_shape import NEIGHBOUR, REAL, WRONG
from training.evaluation.text_to_shape_report import (
    Judges,
    TextToShapeSettings,
    copies,
    text_to_shape_report,
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder that holds a small random shape tokenizer."""
    torch.manual_seed(0)
    config = GridShapeTokenizerConfig(
        token_grid=2, n_codes=16, code_dim=4, width=16, mid_width=16, field_width=8, n_heads=2
    )
    folder = tmp_path_factory.mktemp("model") / "balls"
    info = ModelInfo(preset="balls", text_encoder="none", licence="none", provenance="made up")
    modules = {"shape_tokenizer": GridShapeTokenizer(config)}
    checkpoint.save(folder, info, modules, {"shape_tokenizer": KINDS})
    return folder


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Judges:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("judge") / "own.safetensors"
    save(PointTextEncoder(RetrievalConfig(n_points=64, width=16, n_layers=1)), path, "random")
    return Judges.load(path)


def test_tables_novelty_and_a_sheet(
    weights: Path, judges: Judges, packed: Path, tmp_path: Path, graphics: None
) -> None:
    settings = TextToShapeSettings(prompts=3, held_out=2, shown=2, size=32, copied=0)
    models = [weights, weights]
    made = text_to_shape_report(models, packed, tmp_path / "made", judges, settings, lambda folder: Balls())
    prompts, _, captions, _, novelty, _ = made.tables
    assert list(prompts.rows) == [TEXT_TO_SHAPE, WRONG, f"balls: {TEXT_TO_SHAPE}", NEIGHBOUR]
    assert REAL in captions.rows
    assert novelty.rows[TEXT_TO_SHAPE]["shapes"] == 3
    assert made.used["judge"] == "random"
    files = write(made, tmp_path / "out", "balls")
    assert [file.name for file in files] == ["text_to_shape.json", "text_to_shape.md", "text_to_shape.png"]


def test_without_data_there_are_still_prompts(
    weights: Path, judges: Judges, tmp_path: Path, graphics: None
) -> None:
    settings = TextToShapeSettings(prompts=2, held_out=0, shown=1, size=32)
    made = text_to_shape_report([weights], None, tmp_path, judges, settings, lambda folder: Balls())
    assert list(made.tables[0].rows) == [TEXT_TO_SHAPE, WRONG]
    assert len(made.tables) == 2


def test_copies_are_of_training_shapes(weights: Path, packed: Path) -> None:
    known = read_shapes(packed)
    assert len(copies(weights, known, TextToShapeSettings(copied=1, cells=12))) <= 1
    assert len(dataset_pairs(packed, "train", 2)) == len(known)
