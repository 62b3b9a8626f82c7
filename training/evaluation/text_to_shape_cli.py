"""`omni123-train evaluate text-to-shape` and `train-scorer`.

omni123-train evaluate text-to-shape --weights DIR --baseline DIR --data data --out out
omni123-train evaluate train-scorer --data data --out runs/retrieval.safetensors
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from training.data.cli import one_sentence
from training.evaluation.model_cli import Cells, Out, Weights, told

Held = Annotated[
    Path | None, typer.Option(help="data folder: nearest training shapes, captions held out, novelty")
]


@one_sentence()
def text_to_shape(
    weights: Weights,
    out: Out,
    data: Held = None,
    baseline: Annotated[list[Path] | None, typer.Option(help="another model folder to compare with")] = None,
    judge: Annotated[
        list[Path] | None, typer.Option(help="folder of a published judge, ULIP-2 or Uni3D")
    ] = None,
    scorer: Annotated[Path | None, typer.Option(help="weights of our own judge, if not the shipped")] = None,
    kept: Annotated[Path | None, typer.Option(help="folder of shapes made so far; without, in --out")] = None,
    prompts: Annotated[int, typer.Option(help="how many of the hundred prompts")] = 100,
    held_out: Annotated[int, typer.Option(help="captions of shapes kept out of training")] = 100,
    shown: Annotated[int, typer.Option(help="how many prompts the sheet shows, drawn by a seed")] = 48,
    cells: Cells = 64,
    color: Annotated[bool, typer.Option(help="ask for colours, which published judges see")] = False,
    seed: int = 0,
) -> None:
    """How well shapes fit their words, beside baselines, a ceiling and a floor; and how new they are."""
    from backend.pipeline import Pipeline
    from training.evaluation.text_to_shape_report import Judges, TextToShapeSettings, text_to_shape_report

    settings = TextToShapeSettings(
        prompts=prompts, held_out=held_out, shown=shown, seed=seed, cells=cells, color=color
    )
    judges = Judges.load(scorer, judge or ())
    models = [weights, *(baseline or ())]
    report = text_to_shape_report(models, data, kept or out / "made", judges, settings, Pipeline.load)
    told(report, out, weights)


@one_sentence()
def train_scorer(
    out: Annotated[Path, typer.Option(help="safetensors to write")],
    data: Annotated[Path | None, typer.Option(help="data folder, for the captioned shapes held out")] = None,
    objects: Annotated[int | None, typer.Option(help="procedural objects, fewer for a quick look")] = None,
    steps: Annotated[int | None, typer.Option(help="steps, fewer for a quick look")] = None,
) -> None:
    """Train our own judge of shapes and words on data that no generator was trained on."""
    from training.evaluation.scorers import retrieval, retrieval_training

    recipe = retrieval_training.RetrievalRecipe()
    recipe = replace(recipe, objects=objects or recipe.objects, steps=steps or recipe.steps)
    began = time.monotonic()

    def watch(said: str) -> None:
        typer.echo(f"{time.monotonic() - began:6.0f} s  {said}")

    model, provenance = retrieval_training.run(recipe, data, watch)
    retrieval.save(model, out, provenance)
    watch(f"{out}: {provenance}")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("text-to-shape")(text_to_shape)
    app.command("train-scorer")(train_scorer)
