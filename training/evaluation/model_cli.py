"""Commands of `omni123-train evaluate` that judge a whole model folder on shapes kept out of training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.data.cli import one_sentence

if TYPE_CHECKING:
    from backend.pipeline import Pipeline
    from training.evaluation.report import Report

Weights = Annotated[Path, typer.Option(help="model folder")]
Data = Annotated[Path, typer.Option(help="data folder of `omni123-train data run`")]
Out = Annotated[Path, typer.Option(help="folder for the sheet, the JSON figures and the Markdown tables")]
Cells = Annotated[int, typer.Option(help="surface grid cells along one axis")]
Split = Annotated[str, typer.Option(help="split of the data, val or test")]
Shown = Annotated[int, typer.Option(help="how many the sheet shows, drawn by a seed")]


@one_sentence()
def edits(
    weights: Weights,
    data: Data,
    out: Out,
    split: Split = "val",
    count: Annotated[int, typer.Option(help="pairs that add or remove, half of each")] = 100,
    others: Annotated[int, typer.Option(help="pairs of each other kind")] = 12,
    fresh: Annotated[int, typer.Option(help="procedural objects of unseen seeds")] = 12,
    cells: Cells = 96,
    shown: Shown = 24,
    processes: Annotated[int, typer.Option(help="worker processes that read pairs")] = 2,
) -> None:
    """Chamfer and F1 of edits as in Table 10, what moved that should not have, and baselines."""
    from training.data.pool import LocalPool, PoolSettings
    from training.evaluation.edits_report import EditSettings, edits_report

    pool = LocalPool(PoolSettings(processes=processes))
    settings = EditSettings(
        split=split,
        averaged=count // 2,
        others=others,
        fresh=fresh,
        cells=cells,
        shown=shown,
    )
    told(edits_report(loaded(weights, "edit_shape"), data, settings, pool), out, weights)


@one_sentence()
def image_to_shape(
    weights: Weights,
    data: Data,
    out: Out,
    split: Split = "val",
    count: Annotated[int, typer.Option(help="pictures")] = 48,
    cells: Cells = 96,
    shown: Shown = 24,
) -> None:
    """Shapes of pictures kept out of training: how near the truth, and the picture that was given."""
    from training.evaluation.image_shapes import ImageSettings, image_report

    settings = ImageSettings(split=split, count=count, cells=cells, shown=shown)
    told(image_report(loaded(weights, "image_to_shape"), data, settings), out, weights)


@one_sentence()
def views(
    weights: Weights,
    data: Data,
    out: Out,
    before: Annotated[Path | None, typer.Option(help="another model folder, such as before sft")] = None,
    split: Split = "val",
    count: Annotated[int, typer.Option(help="shapes, and captions")] = 16,
    shown: Shown = 8,
) -> None:
    """Whether generated views show the shape they belong to, of true and of generated shapes."""
    from training.evaluation.consistency import ViewSettings, views_report

    settings = ViewSettings(split=split, count=count, shown=shown)
    earlier = None if before is None else loaded(before, "shape_to_view")
    told(views_report(loaded(weights, "shape_to_view"), data, settings, earlier), out, weights)


@one_sentence()
def whole(
    weights: Weights,
    data: Data,
    out: Out,
    baseline: Annotated[
        list[Path] | None, typer.Option(help="another model folder to compare text to shape with")
    ] = None,
    before: Annotated[Path | None, typer.Option(help="the model before fine-tuning, for the views")] = None,
    split: Split = "val",
    prompts: Annotated[int, typer.Option(help="prompts, and as many captions kept out")] = 32,
    edits: Annotated[int, typer.Option(help="pairs that add or remove, half of each")] = 100,
    pictures: Annotated[int, typer.Option(help="pictures to make shapes of")] = 24,
    viewed: Annotated[int, typer.Option(help="shapes whose views are compared")] = 12,
    inception: Annotated[
        Path | None, typer.Option(help="FID's published Inception weights as safetensors")
    ] = None,
    scorer: Annotated[Path | None, typer.Option(help="weights of our own judge, if not the shipped")] = None,
    judge: Annotated[
        list[Path] | None, typer.Option(help="folder of a published judge, ULIP-2 or Uni3D")
    ] = None,
) -> None:
    """All of it for one model folder, with baselines: one JSON file, one Markdown page, and the sheets."""
    from training.evaluation.whole import Counts, Whole, evaluate_all

    counts = Counts(prompts=prompts, edits=edits, pictures=pictures, viewed=viewed)
    asked = Whole(
        weights=weights,
        data=data,
        out=out,
        baselines=tuple(baseline or ()),
        before=before,
        split=split,
        counts=counts,
        inception=inception,
        scorer=scorer,
        judges=tuple(judge or ()),
    )
    typer.echo(" ".join(map(str, evaluate_all(asked, typer.echo))))


def loaded(weights: Path, *tasks: str) -> Pipeline:
    """The model of a folder, if it offers all these tasks."""
    from backend.pipeline import Pipeline

    pipeline = Pipeline.load(weights)
    if missing := [task for task in tasks if task not in pipeline.offer.tasks]:
        raise typer.BadParameter(f"the model of {weights} does not offer {', '.join(missing)}")
    return pipeline


def told(report: Report, out: Path, weights: Path) -> None:
    """Writes the files and prints the tables."""
    from backend.checkpoint import read_config
    from training.evaluation.report import write

    files: Sequence[Path] = write(report, out, read_config(weights)[0].provenance)
    typer.echo(report.markdown())
    typer.echo(f"used: {dict(report.used)}")
    typer.echo(" ".join(map(str, files)))


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("edits")(edits)
    app.command("image-to-shape")(image_to_shape)
    app.command("views")(views)
    app.command("all")(whole)
