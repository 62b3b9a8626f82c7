"""From a recipe to its task: what each kind of recipe is trained by, and which runs it starts from."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.image_tokenizer import (
    ImageTokenizerRecipe,
    ImageTokenizerTask,
    ImageVAERecipe,
    ImageVAETask,
    trained_vae,
    view_pictures,
)
from training.loop import Machine, TrainingTask, saved_recipe
from training.recipes.registry import RECIPES, recipe
from training.recipes.sizes import flat
from training.recipes.stages import STAGES, StageRecipe
from training.recipes.tokens import tokens_seen
from training.shape_tokenizer import ShapeTokenizerRecipe, load_task, trained_tokenizer
from training.stages import load_stage


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a run reads, and its own folder."""

    data: Path  # folder as `omni123-train data run` leaves it
    run: Path
    start: Path | None = None  # run that this one starts from
    shape_run: Path | None = None  # runs of the tokenizers whose tokens the data holds
    image_run: Path | None = None


def named(preset: str, name: str) -> Any:
    """A recipe of a preset, or what a function `module:function` returns. Raises ValueError."""
    if ":" not in name:
        return recipe(preset, name)
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name} is no function that can be imported: {error}") from error


def task_of(wanted: Any, inputs: Inputs, machine: Machine) -> TrainingTask:
    """Raises ValueError where a run or data that the recipe needs is not named or does not fit."""
    data, start = inputs.data, inputs.start
    if isinstance(wanted, StageRecipe):
        return _stage(wanted, inputs, machine)
    if isinstance(wanted, ShapeTokenizerRecipe):
        if wanted.quantise_from == 0 and start is None:
            raise ValueError(
                "the decoder is trained under the codes of a tokenizer: name its run with --start"
            )
        task = load_task(wanted, data, None if start is None else trained_tokenizer(start))
        task.micro_samples = machine.micro_samples
        return task
    if isinstance(wanted, ImageVAERecipe):
        pictures = view_pictures(data, wanted.config.size)
        return ImageVAETask(wanted, *pictures, micro_samples=machine.micro_samples)
    if isinstance(wanted, ImageTokenizerRecipe):
        if start is None:
            raise ValueError("the image tokenizer starts from a run of image_vae: name it with --start")
        pictures = view_pictures(data, wanted.config.vae.size)
        return ImageTokenizerTask(wanted, trained_vae(start), *pictures, micro_samples=machine.micro_samples)
    raise ValueError(f"{type(wanted).__name__} is no recipe that can be trained")


def _stage(stage: StageRecipe, inputs: Inputs, machine: Machine) -> TrainingTask:
    if inputs.shape_run is None:
        raise ValueError(f"{stage.name} reads shape tokens: name their tokenizer's run with --shape-run")
    if inputs.image_run is None and stage.config.n_image_codes:
        raise ValueError(f"{stage.name} reads image tokens: name their tokenizer's run with --image-run")
    if inputs.start is None and stage.name != STAGES[0]:
        before = STAGES[STAGES.index(stage.name) - 1]
        raise ValueError(f"{stage.name} starts from a run of {before}: name it with --start")
    return load_stage(
        stage,
        inputs.data,
        inputs.run,
        shape_run=inputs.shape_run,
        image_run=inputs.image_run,
        start=inputs.start,
        machine=machine,
    )


def changes(run: Path, wanted: Any) -> Iterator[str]:
    """How a recipe differs from that of the run that it is about to continue, a line each."""
    if not (run / "recipe.json").is_file():
        return
    before, now = flat(saved_recipe(run)), flat(json.loads(json.dumps(asdict(wanted))))
    for name in before.keys() & now.keys():
        if before[name] != now[name]:
            yield f"{name}: {before[name]} before, {now[name]} from here on"


def overview(preset: str) -> str:
    """The recipes of a preset as a table."""
    head = ("recipe", "starts from", "steps", "batch", "warm-up", "peak rate", "tokens seen")
    rows = [head, *(_row(name, recipe(preset, name)) for name in RECIPES[preset])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _row(name: str, found: Any) -> tuple[str, ...]:
    loop = found.loop
    seen = f"{tokens_seen(found):.3g}" if isinstance(found, StageRecipe) else ""
    numbers = (f"{loop.steps:,}", f"{loop.batch:,}", f"{loop.warmup:,}", f"{loop.peak_lr:g}", seen)
    return (name, _before(name, found), *numbers)


def _before(name: str, found: Any) -> str:
    if isinstance(found, StageRecipe):
        return STAGES[STAGES.index(found.name) - 1] if found.name != STAGES[0] else ""
    return {"shape_decoder": "shape_tokenizer", "image_tokenizer": "image_vae"}.get(name, "")
