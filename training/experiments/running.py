"""Trains and measures every run of an experiment, one after another, and repeats none that is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from backend.model.text import text_encoder
from training.caption_embeddings import CaptionEmbeddings
from training.data.shards.dataset import Dataset
from training.data.shards.subset import Subset
from training.draws import Drawn
from training.experiments.held_out import PromptedTask, measure, prompted
from training.experiments.x_to_x import ARMS, JUDGED, Arm, XToXSettings, recipe
from training.loop import Machine, save_recipe, train
from training.recipes.stages import StageRecipe
from training.recipes.tokens import tokens_seen
from training.starting_weights import trained_transformer
from training.token_pools import open_pools
from training.tokenizers import Tokenizers

DONE = "result.json"
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What all runs share: data, tokenizers, and the captions that were embedded already."""

    data: Path
    tokenizers: Tokenizers
    captions: CaptionEmbeddings
    out: Path
    machine: Machine

    @cached_property
    def prompts(self) -> list[Drawn]:
        """Held-out shapes, the same for all runs."""
        pools = open_pools(Dataset(self.data), ["text-3D"], "val", self.tokenizers.hashes)
        if not pools:
            raise ValueError(f"{self.data} has no captioned shapes that are held out")
        return prompted(pools["text-3D"])

    def seen(self, few: Subset) -> list[Drawn]:
        """The shapes that runs of a seed train on."""
        dataset = Dataset(self.data)
        pools = open_pools(dataset, ["text-3D"], "train", self.tokenizers.hashes, only=few.keys(dataset))
        return prompted(pools["text-3D"])

    def folder(self, arm: str, seed: int) -> Path:
        return self.out / "runs" / f"{arm}-{seed}"

    def task(self, stage: StageRecipe, start: Path | None) -> PromptedTask:
        task = PromptedTask(
            stage, self.data, self.tokenizers, start=start, machine=self.machine, text=self.captions
        )
        task.prompts = self.prompts
        return task


def bench(data: Path, tokenizers: Tokenizers, out: Path, machine: Machine) -> Bench:
    """Raises ValueError where the data has nothing to judge by."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    captions = CaptionEmbeddings(text_encoder(ARMS[0].stage(XToXSettings()).text_encoder, device=device))
    return Bench(data=data, tokenizers=tokenizers, captions=captions, out=out, machine=machine)


def run_all(
    settings: XToXSettings, given: Bench, watch: Callable[[str], None], arms: Sequence[Arm] = ARMS
) -> list[Row]:
    """A row for each arm and seed, in the order of the seeds, so that a stop leaves whole seeds."""
    rows = []
    for seed in settings.seeds:
        for arm in arms:
            rows.append(_row(arm, settings, seed, given))
            watch(_line(rows[-1]))
    return rows


def _row(arm: Arm, settings: XToXSettings, seed: int, given: Bench) -> Row:
    stage, folder = recipe(arm, settings, seed), given.folder(arm.name, seed)
    if (folder / DONE).is_file():
        asked = json.loads(json.dumps(asdict(stage)))
        if json.loads((folder / "recipe.json").read_text(encoding="utf-8")) != asked:
            raise ValueError(f"{folder} was made by other settings; name another folder with --out")
    else:
        made = _made(stage, given, folder, None if arm.start is None else given.folder(arm.start, seed))
        (folder / DONE).write_text(json.dumps(made) + "\n", encoding="utf-8")
    measured = json.loads((folder / DONE).read_text(encoding="utf-8"))
    return {"arm": arm.name, "seed": seed, **_seen(stage), **measured}


def _seen(stage: StageRecipe) -> Row:
    """What a run of a stage sees, in the mean over its draws."""
    assert stage.subset is not None
    count = stage.loop.steps * stage.loop.batch
    return {
        "assets": stage.subset.assets,
        "steps": stage.loop.steps,
        "batch": stage.loop.batch,
        "tokens": round(tokens_seen(stage)),
        "samples": {name: round(count * share) for name, share in stage.shares().items()},
    }


def _made(stage: StageRecipe, given: Bench, folder: Path, start: Path | None) -> Row:
    task = given.task(stage, start)
    save_recipe(folder, stage)
    if train(task, stage.loop, folder, given.machine, quiet=True) < stage.loop.steps:
        raise SystemExit(f"stopped in {folder}; the same command goes on")
    model = trained_transformer(folder)
    model.set_codebooks(*given.tokenizers.codebooks(stage.config))
    assert stage.subset is not None
    seen = given.seen(stage.subset)
    with torch.autocast("cpu", torch.bfloat16, enabled=given.machine.precision == "bf16"):  # as it is watched
        figures = measure(task, model, given.prompts, seen)
    return {"figures": figures, "curve": _curve(folder)}


def _curve(folder: Path) -> dict[str, float]:
    """Held-out loss by step, as the run was watched."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    name = f"val/{JUDGED}"
    return {str(row["step"]): row[name] for row in rows if name in row}


def _line(row: Row) -> str:
    figures = ", ".join(f"{name} {value:.4f}" for name, value in row["figures"].items())
    return f"{row['arm']}, seed {row['seed']}: {figures}"
