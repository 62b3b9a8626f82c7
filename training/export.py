"""Runs to a model folder: the averaged weights of tokenizer and transformer, with what made them."""

from __future__ import annotations

import json
from pathlib import Path

from backend import checkpoint
from backend.checkpoint import ModelInfo, config_from_dict
from backend.model.config import TransformerConfig
from backend.model.transformer import DualStreamTransformer
from backend.models import REGISTRIES
from training.loop import averaged_weights, saved_recipe
from training.shape_tokenizer import trained_tokenizer
from training.text_to_shape import TEXT_ENCODER

# Chosen by eye; the model card says on what.
SAMPLING = {
    "guidance": 1.0,
    "guidance_schedule": "constant",
    "temperature": 0.5,
    "top_p": 0.9,
}


def trained_transformer(run: Path) -> DualStreamTransformer:
    """The transformer of a run, averaged weights, ready for inference once it has the codebook."""
    transformer = DualStreamTransformer(config_from_dict(TransformerConfig, saved_recipe(run)["config"]))
    transformer.load_state_dict(averaged_weights(run))
    return transformer.eval()


def export_mini(tokenizer_run: Path, run: Path, out: Path) -> None:
    """Write `out` in half precision. Raises ValueError when a run has no checkpoint."""
    steps = {
        folder.name: json.loads((folder / "progress.json").read_text(encoding="utf-8"))["step"]
        for folder in (tokenizer_run, run)
    }
    info = ModelInfo(
        preset="mini",
        text_encoder=TEXT_ENCODER,
        licence="GPL-3.0-or-later",
        provenance=f"training/recipes/mini.py, steps {json.dumps(steps)}; procedural objects, CC0 corpus",
        sampling=SAMPLING,
    )
    modules = {"transformer": trained_transformer(run), "shape_tokenizer": trained_tokenizer(tokenizer_run)}
    checkpoint.save(out, info, modules, REGISTRIES, dtype="float16")
