"""`omni123-train experiment`: each experiment is one command that can be stopped and goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from training.data.cli import one_sentence
from training.data.steps import DataError

app = typer.Typer(no_args_is_help=True, help="Experiments on the paper's claims at small scale.")


@app.callback()
def experiment() -> None:
    """Experiments on the paper's claims at small scale."""


@app.command("x-to-x")
@one_sentence()
def x_to_x(
    data: Annotated[Path, typer.Option(help="data folder with tokens of shapes, views and pictures")],
    shape_run: Annotated[Path, typer.Option(help="run folder of the shape tokenizer")],
    image_run: Annotated[Path, typer.Option(help="run folder of the image tokenizer")],
    out: Annotated[Path, typer.Option(help="folder of runs, rows and tables; existing runs continue")],
    seeds: Annotated[int, typer.Option(help="how many, from 0 on")] = 3,
    assets: Annotated[int, typer.Option(help="shapes that are trained on")] = 100,
    steps: Annotated[int, typer.Option(help="of each arm")] = 300,
    further: Annotated[int, typer.Option(help="steps of ct or sft afterwards")] = 60,
    batch: Annotated[int, typer.Option(help="samples of a step of X-to-X training")] = 12,
) -> None:
    """Few shapes and many pictures: X-to-X training against text_to_shape alone, and sft against ct."""
    from training.evaluation.tables import markdown
    from training.experiments.running import bench, run_all
    from training.experiments.x_to_x import XToXSettings
    from training.experiments.x_to_x_report import arms_table, differences_table
    from training.loop import Machine
    from training.tokenizers import trained_tokenizers

    try:
        settings = XToXSettings(
            seeds=tuple(range(seeds)), assets=assets, steps=steps, further=further, batch=batch
        )
        given = bench(data, trained_tokenizers(shape_run, image_run), out, Machine())
        rows = run_all(settings, given, typer.echo)
    except ValueError as error:
        raise DataError(str(error)) from error
    (out / "x_to_x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    page = markdown([arms_table(rows), differences_table(rows)], "X-to-X")
    (out / "x_to_x.md").write_text(page, encoding="utf-8")
    typer.echo(page)
