"""`omni123-train evaluate`: what it writes, and what it says of wrong options."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from typer.testing import CliRunner

from backend import checkpoint
from backend.checkpoint import ModelInfo
from backend.geometry.mesh import Mesh
from backend.shape_tokenizer import KINDS
from backend.shape_tokenizer.grid import GridShapeTokenizer, GridShapeTokenizerConfig
from training.cli import app
from training.data.rendering.raster import NoGraphicsError
from training.evaluation.render import render

RUN = CliRunner()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A model folder that holds a small random tokenizer."""
    torch.manual_seed(0)
    config = GridShapeTokenizerConfig(
        token_grid=2, n_codes=16, code_dim=4, width=16, mid_width=16, field_width=8, n_heads=2
    )
    info = ModelInfo(preset="test", text_encoder="none", licence="none", provenance="random")
    modules = {"shape_tokenizer": GridShapeTokenizer(config)}
    checkpoint.save(tmp_path / "model", info, modules, {"shape_tokenizer": KINDS})
    return tmp_path / "model"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A packed corpus of one box."""
    folder = tmp_path / "corpus"
    (folder / "packs").mkdir(parents=True)
    box = trimesh.creation.box()
    np.savez(folder / "packs" / "p.npz", v=box.vertices, f=box.faces, face_rgb=np.zeros((12, 3), np.uint8))
    row = {"id": "p/sofa", "name": "sofa", "category": "furniture", "pack": "p", "split": "test"}
    row |= {"palette": [], "has_color": False, "v": [0, 8], "f": [0, 12]}
    (folder / "index.jsonl").write_text(json.dumps(row) + "\n")
    return folder


def test_reconstruction_writes_a_sheet_and_figures(weights: Path, corpus: Path, tmp_path: Path) -> None:
    try:
        render(Mesh(vertices=np.zeros((0, 3), np.float32), faces=np.zeros((0, 3), np.int32)), 8)
    except NoGraphicsError as error:
        pytest.skip(str(error))
    out = tmp_path / "docs" / "sheet.png"
    options = ["--weights", weights, "--corpus", corpus, "--out", out, "--cells", "24", "--limit", "1"]
    result = RUN.invoke(app, ["evaluate", "reconstruction", *map(str, options)])
    assert result.exit_code == 0, result.output
    figures = json.loads(out.with_suffix(".json").read_text())
    assert figures["corpus"]["overall"]["shapes"] == figures["procedural"]["overall"]["shapes"] == 1
    assert figures["model"] == "random"
    with Image.open(out) as image:
        assert image.width > 700


def test_reconstruction_needs_weights_or_a_run(corpus: Path, tmp_path: Path) -> None:
    options = ["--corpus", str(corpus), "--out", str(tmp_path / "sheet.png")]
    result = RUN.invoke(app, ["evaluate", "reconstruction", *options])
    assert result.exit_code == 2
    assert "--weights" in result.output


def test_novel_prompts_need_to_know_the_captions(weights: Path, tmp_path: Path) -> None:
    options = ["--weights", str(weights), "--out", str(tmp_path / "sheet.png"), "--novel"]
    result = RUN.invoke(app, ["evaluate", "prompts", *options])
    assert result.exit_code == 2
    assert "--captions" in result.output
