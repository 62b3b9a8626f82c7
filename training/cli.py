"""`omni123-train`: data, tokenizers, the five stages of the transformer, evaluation, export.

omni123-train data run --source procedural:12000 --data data
omni123-train train shape_tokenizer --data data --run runs/shape_tokenizer
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from training.data.cli import app as data
from training.data.cli import one_sentence, progress_bar
from training.data.steps import DataError
from training.evaluation.cli import app as evaluate
from training.experiments.cli import app as experiments

if TYPE_CHECKING:  # commands import what they need, so that --help is quick
    from training.loop import Machine
    from training.runs import Inputs

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(data, name="data")
app.add_typer(evaluate, name="evaluate")
app.add_typer(experiments, name="experiment")

Preset = Annotated[str, typer.Option(help="mini or omni123-2b")]
ShapeRun = Annotated[Path | None, typer.Option(help="run of the shape tokenizer, or a model folder")]
ImageRun = Annotated[Path | None, typer.Option(help="run of the image tokenizer, or a model folder")]
RUN = "folder of checkpoints, metrics and sheets; an existing run continues"


@app.command()
@one_sentence()
def train(
    name: Annotated[
        str, typer.Argument(metavar="RECIPE", help="see `recipes`, or your own as module:function")
    ],
    data: Annotated[Path | None, typer.Option(help="data folder, or its folder of shards alone")] = None,
    run: Annotated[Path | None, typer.Option(help=RUN)] = None,
    start: Annotated[Path | None, typer.Option(help="run or model folder that this run starts from")] = None,
    preset: Preset = "mini",
    shape_run: ShapeRun = None,
    image_run: ImageRun = None,
    stop_after: Annotated[int | None, typer.Option(help="stop at this step")] = None,
    micro_tokens: Annotated[int, typer.Option(help="positions in one forward pass of a stage")] = 16_384,
    micro_samples: Annotated[int, typer.Option(help="samples in one forward pass of a tokenizer")] = 64,
    precision: Annotated[str, typer.Option(help="of matrix products: bf16, or no for float32")] = "bf16",
    compile_layers: Annotated[bool, typer.Option("--compile", help="torch.compile")] = False,
    checkpoint_activations: Annotated[bool, typer.Option(help="keep less memory, compute more")] = False,
    fsdp: Annotated[bool, typer.Option(help="shard the model over the devices")] = False,
    tracker: Annotated[list[str] | None, typer.Option(help="as accelerate knows it: tensorboard")] = None,
    keep: Annotated[int, typer.Option(help="checkpoints that stay")] = 1,
    dry_run: Annotated[bool, typer.Option(help="print what a stage needs, and train nothing")] = False,
    devices: Annotated[int | None, typer.Option(help="of a dry run; the recipe's without")] = None,
    memory: Annotated[float, typer.Option(help="gigabytes of each device of a dry run")] = 80.0,
    utilisation: Annotated[float, typer.Option(help="share of 989 TFLOP/s that a dry run counts on")] = 0.4,
) -> None:
    """Train a tokenizer, or a stage of the transformer, by its recipe."""
    from training.loop import Machine
    from training.runs import Inputs, named

    with _mistakes():
        wanted = named(preset, name)
        if dry_run:
            typer.echo(_plan(wanted, devices, memory, utilisation, checkpoint_activations))
            return
        if data is None or run is None:
            raise ValueError("training needs a data folder and a run folder: --data and --run")
        inputs = Inputs(data=data, run=run, start=start, shape_run=shape_run, image_run=image_run)
        machine = Machine(
            micro_tokens=micro_tokens,
            micro_samples=micro_samples,
            precision=precision,
            compile=compile_layers,
            checkpoint_activations=checkpoint_activations,
            fsdp=fsdp,
            trackers=tuple(tracker or ()),
            keep=keep,
        )
    _train(wanted, inputs, machine, stop_after)


def _train(wanted: Any, inputs: Inputs, machine: Machine, stop_after: int | None) -> None:
    from training.loop import save_recipe
    from training.loop import train as loop
    from training.runs import changes, task_of

    with _mistakes():
        task = task_of(wanted, inputs, machine)
        said = [*changes(inputs.run, wanted), *getattr(task, "notes", ())]
    if os.environ.get("RANK", "0") == "0":  # as torchrun and accelerate launch set it
        for sentence in said:
            typer.echo(sentence)
        save_recipe(inputs.run, wanted)
    loop(task, wanted.loop, inputs.run, machine, stop_after=stop_after)


def _plan(
    wanted: Any, devices: int | None, memory: float, utilisation: float, checkpoint_activations: bool
) -> str:
    from training.dry_run import GB, Cluster, report
    from training.dry_run import dry_run as plan
    from training.recipes.stages import StageRecipe

    if not isinstance(wanted, StageRecipe):
        raise ValueError("a dry run plans the stages of the transformer: pt1, pt2, ct, sft, edit")
    cluster = Cluster(
        devices=devices or wanted.devices,
        memory=memory * GB,
        utilisation=utilisation,
        checkpoint_activations=checkpoint_activations,
    )
    return report(wanted, cluster, plan(wanted, cluster))


@app.command()
@one_sentence()
def recipes(preset: Preset = "mini") -> None:
    """Print the recipes of a preset: what `train` takes."""
    from training.runs import overview

    with _mistakes():
        typer.echo(overview(preset))


@contextmanager
def _mistakes() -> Iterator[None]:
    """What is wrong with what was asked for, or with the data, is one sentence; a bug keeps its traceback."""
    try:
        yield
    except ValueError as error:
        raise DataError(str(error)) from error


@app.command()
@one_sentence()
def tokens(
    data: Annotated[Path, typer.Option(help="data folder whose shards are tokenised")],
    shape_run: ShapeRun = None,
    image_run: ImageRun = None,
    processes: Annotated[int, typer.Option(help="worker processes")] = 2,
) -> None:
    """Tokenise shapes, views and pictures; does nothing where these tokenizers have done so."""
    from training.data.pool import LocalPool, PoolSettings
    from training.data.shards.tokens import TokenSettings, tokenise

    if shape_run is None and image_run is None:
        raise typer.BadParameter("name a run with --shape-run or --image-run")
    pool = LocalPool(PoolSettings(processes=processes, seconds=3600.0))
    for kind, run in (("shape", shape_run), ("image", image_run)):
        if run is not None:
            tokenise(data, kind, run, TokenSettings(), pool, progress_bar)


@app.command()
@one_sentence()
def export(
    run: Annotated[Path, typer.Option(help="run of the transformer's last stage, or a model folder")],
    shape_run: Annotated[Path, typer.Option(help="run of the shape tokenizer, or a model folder")],
    out: Annotated[Path, typer.Option(help="model folder to write")],
    image_run: ImageRun = None,
    edit_run: Annotated[
        Path | None, typer.Option(help="run of a transformer of its own for edits, beside that of --run")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="hold the transformers' linear layers in int8")
    ] = False,
) -> None:
    """Write the averaged weights of the runs as one model folder, in half precision."""
    from training.export import export as write

    with _mistakes():
        info = write(run, shape_run, image_run, out, edit_run=edit_run, int8=int8)
    typer.echo(f"{out}: {', '.join(info.tasks)}")


if __name__ == "__main__":
    app()
