"""Runs to a model folder: the averaged weights of tokenizers and transformers, with what made them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from backend import checkpoint
from backend.checkpoint import ModelInfo
from backend.hardware import TRANSFORMERS
from backend.model.quantized import block_linears, quantize_linears
from backend.models import REGISTRIES
from backend.tasks import TASKS
from training.data.shards.tokens import weights_hash
from training.image_tokenizer import trained_image_tokenizer
from training.loop import saved_recipe
from training.model_folder import described, is_model
from training.origin import FOR_EDITS, STAGES_OF, Origin, origin_of, stages_done
from training.shape_tokenizer import trained_tokenizer
from training.starting_weights import trained_transformer

# Chosen by eye; the model card says on what.
SAMPLING: dict[str, Any] = {
    "guidance": 1.0,
    "guidance_schedule": "constant",
    "temperature": 0.5,
    "top_p": 0.9,
}
# An edit is the likeliest one, held to its source: what is drawn breaks what should stay. Chosen on 60
# additions and as many removals of the validation split, among guidances of 0 to 2 either way.
TASK_SAMPLING: dict[str, dict[str, Any]] = {"edit_shape": {"source_guidance": 1.0, "temperature": 0.0}}


def export(
    run: Path,
    shape_run: Path,
    image_run: Path | None,
    out: Path,
    *,
    edit_run: Path | None = None,
    int8: bool = False,
) -> ModelInfo:
    """Writes `out` in half precision, in files below 16 MB; each run may be a model folder.

    edit_run: of a second transformer, which edits while that of `run` does all else. int8: linear layers of
    transformers are held in int8. Raises ValueError when a run has no checkpoint, or was trained on tokens of
    another tokenizer.
    """
    edits = [] if edit_run is None else [edit_run]
    transformers = dict(zip(TRANSFORMERS, map(trained_transformer, (run, *edits)), strict=False))
    modules: dict[str, nn.Module] = {**transformers, "shape_tokenizer": trained_tokenizer(shape_run)}
    if any(transformer.config.n_image_codes for transformer in transformers.values()):
        if image_run is None:
            raise ValueError(f"{run} writes pictures: name the run of its image tokenizer too")
        modules["image_tokenizer"] = trained_image_tokenizer(image_run)
    origins = [origin_of(folder) for folder in (run, *edits)]
    for folder, origin in zip((run, *edits), origins, strict=True):
        for modality, made_by in origin.tokenizers.items():
            tokenizer = modules.get(f"{modality}_tokenizer")
            if tokenizer is not None and weights_hash(tokenizer) != made_by:
                raise ValueError(
                    f"{folder} was trained on tokens of another {modality} tokenizer than that one"
                )
    tasks = tuple(name for name in TASKS if _offered(name, *origins))
    preset, text_encoder = _made_for(run)
    info = ModelInfo(
        preset=preset,
        text_encoder=text_encoder,
        licence="GPL-3.0-or-later",
        provenance=STAGES_OF + FOR_EDITS.join(", ".join(stages_done(folder)) for folder in (run, *edits)),
        tasks=tasks,
        sampling=SAMPLING,
        task_sampling={task: own for task, own in TASK_SAMPLING.items() if task in tasks},
    )
    if int8:
        for transformer in transformers.values():
            quantize_linears(transformer, block_linears(transformer))
    checkpoint.save(out, info, modules, REGISTRIES, dtype="float16")
    return info


def _offered(name: str, all_else: Origin, edits: Origin | None = None) -> bool:
    """Whether the transformer that would do a task was trained for it."""
    does = edits if edits is not None and TASKS[name].stage == "edit" else all_else
    return name in does.tasks


def _made_for(run: Path) -> tuple[str, str]:
    """Preset and text encoder of a run or a model folder."""
    if is_model(run):
        info, _ = described(run)
        return info.preset, info.text_encoder
    recipe = saved_recipe(run)
    return recipe.get("preset", "mini"), recipe.get("text_encoder", "all-MiniLM-L6-v2")
