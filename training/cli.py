"""`omni123-train`: make labelled shapes, train tokenizers and transformers, export weights.

omni123-train data run --source procedural:12000 --data data
omni123-train shape-tokenizer --data data --run runs/shape_tokenizer
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.data.cli import app as data
from training.data.cli import one_sentence, progress_bar
from training.evaluation.cli import app as evaluate

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(data, name="data")
app.add_typer(evaluate, name="evaluate")

Data = Annotated[Path, typer.Option(help="data folder, or its folder of shards alone")]
Processes = Annotated[int, typer.Option(help="worker processes")]


@app.command("shape-tokenizer")
@one_sentence()
def shape_tokenizer(
    data: Data,
    run: Annotated[Path, typer.Option(help="folder of checkpoints and logs; an existing run continues")],
    stop_after: Annotated[int | None, typer.Option(help="stop at this step")] = None,
) -> None:
    """Train the shape tokenizer of `mini`."""
    from training.loop import save_recipe, train
    from training.recipes.mini import shape_tokenizer as recipe
    from training.shape_tokenizer import load_task

    settings = recipe()
    save_recipe(run, settings)
    train(load_task(settings, data), settings.loop, run, stop_after=stop_after)


@app.command("shape-decoder")
@one_sentence()
def shape_decoder(
    data: Data,
    tokenizer_run: Annotated[Path, typer.Option(help="run folder of the shape tokenizer to start from")],
    run: Annotated[Path, typer.Option(help="folder of checkpoints and logs; an existing run continues")],
    stop_after: Annotated[int | None, typer.Option(help="stop at this step")] = None,
) -> None:
    """Train the tokenizer's decoder on under frozen codes; tokens made before stay valid."""
    from training.loop import save_recipe, train
    from training.recipes.mini import shape_decoder as recipe
    from training.shape_tokenizer import load_task, trained_tokenizer

    settings = recipe()
    save_recipe(run, settings)
    task = load_task(settings, data, trained_tokenizer(tokenizer_run))
    train(task, settings.loop, run, stop_after=stop_after)


@app.command("image-vae")
@one_sentence()
def image_vae(
    data: Data,
    run: Annotated[Path, typer.Option(help="folder of checkpoints and logs; an existing run continues")],
    stop_after: Annotated[int | None, typer.Option(help="stop at this step")] = None,
) -> None:
    """Train stage I of the image tokenizer of `mini`: the continuous VAE."""
    from training.image_tokenizer import ImageVAETask, view_pictures
    from training.loop import save_recipe, train
    from training.recipes.image_tokenizer import mini_vae

    settings = mini_vae()
    save_recipe(run, settings)
    train(
        ImageVAETask(settings, *view_pictures(data, settings.config.size)),
        settings.loop,
        run,
        stop_after=stop_after,
    )


@app.command("image-tokenizer")
@one_sentence()
def image_tokenizer(
    data: Data,
    vae_run: Annotated[Path, typer.Option(help="run folder of stage I")],
    run: Annotated[Path, typer.Option(help="folder of checkpoints and logs; an existing run continues")],
    stop_after: Annotated[int | None, typer.Option(help="stop at this step")] = None,
) -> None:
    """Train stage II of the image tokenizer of `mini`: the 1D tokens on the frozen VAE."""
    from training.image_tokenizer import ImageTokenizerTask, trained_vae, view_pictures
    from training.loop import save_recipe, train
    from training.recipes.image_tokenizer import mini_tokenizer

    settings = mini_tokenizer()
    save_recipe(run, settings)
    task = ImageTokenizerTask(settings, trained_vae(vae_run), *view_pictures(data, settings.config.vae.size))
    train(task, settings.loop, run, stop_after=stop_after)


@app.command()
@one_sentence()
def tokens(
    data: Annotated[Path, typer.Option(help="data folder whose shards are tokenised")],
    shape_run: Annotated[Path | None, typer.Option(help="run folder of the shape tokenizer")] = None,
    image_run: Annotated[Path | None, typer.Option(help="run folder of the image tokenizer")] = None,
    processes: Processes = 2,
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


@app.command("text-to-shape")
@one_sentence()
def text_to_shape(
    tokenizer_run: Annotated[Path, typer.Option(help="run folder of the shape tokenizer")],
    data: Data,
    run: Annotated[Path, typer.Option(help="folder of checkpoints and logs; an existing run continues")],
    stop_after: Annotated[int | None, typer.Option(help="stop at this step")] = None,
) -> None:
    """Train the transformer of `mini` on text_to_shape."""
    from training.loop import save_recipe, train
    from training.recipes.mini import text_to_shape as recipe
    from training.text_to_shape import load_task

    settings = recipe()
    save_recipe(run, settings)
    train(load_task(settings, tokenizer_run, data), settings.loop, run, stop_after=stop_after)


@app.command()
@one_sentence()
def export(
    tokenizer_run: Annotated[Path, typer.Option(help="run folder of the shape tokenizer")],
    run: Annotated[Path, typer.Option(help="run folder of the transformer")],
    out: Annotated[Path, typer.Option(help="model folder to write")],
) -> None:
    """Write the averaged weights of both runs as one model folder, in half precision."""
    from training.export import export_mini

    export_mini(tokenizer_run, run, out)


if __name__ == "__main__":
    app()
