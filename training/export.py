"""Runs to a model folder: the averaged weights of tokenizers and transformer, with what made them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from backend import checkpoint
from backend.checkpoint import ModelInfo
from backend.models import REGISTRIES
from backend.tasks import TASKS
from training.data.shards.tokens import weights_hash
from training.image_tokenizer import trained_image_tokenizer
from training.loop import saved_recipe
from training.origin import origin_of, stages_done
from training.shape_tokenizer import trained_tokenizer
from training.starting_weights import trained_transformer

# Chosen by eye; the model card says on what.
SAMPLING: dict[str, Any] = {
    "guidance": 1.0,
    "guidance_schedule": "constant",
    "temperature": 0.5,
    "top_p": 0.9,
}
# An edit is the likeliest one, held to its source: what is drawn, or heeds words more than they say, breaks
# what should stay. Chosen on additions and removals of the validation split.
TASK_SAMPLING: dict[str, dict[str, Any]] = {
    "edit_shape": {"guidance": 0.0, "source_guidance": 1.0, "temperature": 0.0}
}


def export(run: Path, shape_run: Path, image_run: Path | None, out: Path) -> ModelInfo:
    """Writes `out` in half precision, in files below 16 MB.

    Raises ValueError when a run has no checkpoint, or was trained on tokens of another tokenizer.
    """
    transformer, origin, recipe = trained_transformer(run), origin_of(run), saved_recipe(run)
    modules: dict[str, nn.Module] = {
        "transformer": transformer,
        "shape_tokenizer": trained_tokenizer(shape_run),
    }
    if transformer.config.n_image_codes:
        if image_run is None:
            raise ValueError(f"{run} writes pictures: name the run of its image tokenizer too")
        modules["image_tokenizer"] = trained_image_tokenizer(image_run)
    for modality, made_by in origin.tokenizers.items():
        tokenizer = modules.get(f"{modality}_tokenizer")
        if tokenizer is not None and weights_hash(tokenizer) != made_by:
            raise ValueError(f"{run} was trained on tokens of another {modality} tokenizer than that one")
    info = ModelInfo(
        preset=recipe.get("preset", "mini"),
        text_encoder=recipe.get("text_encoder", "all-MiniLM-L6-v2"),
        licence="GPL-3.0-or-later",
        provenance=f"training/recipes, stages {', '.join(stages_done(run))}",
        tasks=tuple(name for name in TASKS if name in origin.tasks),
        sampling=SAMPLING,
        task_sampling={task: own for task, own in TASK_SAMPLING.items() if task in origin.tasks},
    )
    checkpoint.save(out, info, modules, REGISTRIES, dtype="float16")
    return info
