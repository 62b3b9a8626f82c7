"""`omni123-train`: make labelled shapes, train tokenizers and transformers, export weights.

omni123-train data synthetic --out runs/data/train --count 12000
omni123-train shape-tokenizer --data runs/data --run runs/shape_tokenizer
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.data.cli import app as data
from training.evaluation.cli import app as evaluate

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(data, name="data")
app.add_typer(evaluate, name="evaluate")

Out = Annotated[Path, typer.Option(help="folder that receives the shards")]
Processes = Annotated[int, typer.Option(help="worker processes")]


@data.command("synthetic")
def data_synthetic(out: Out, count: int = 12000, first_seed: int = 0, processes: Processes = 2) -> None:
    """Procedural objects, one per seed; seeds from 10,000,000 on are kept for validation."""
    from training.data.shape_samples import SamplingSettings, build_synthetic

    build_synthetic(
        out, range(first_seed, first_seed + count), settings=SamplingSettings(), processes=processes
    )


@data.command("corpus")
def data_corpus(
    out: Out,
    corpus: Annotated[Path, typer.Option(help="folder of the packed mesh corpus")],
    split: str = "train",
    processes: Processes = 2,
) -> None:
    """One split of a packed mesh corpus."""
    from training.data.shape_samples import SamplingSettings, build_corpus

    build_corpus(out, corpus, split, settings=SamplingSettings(), processes=processes)


@data.command("views")
def data_views(
    out: Out,
    corpus: Annotated[Path | None, typer.Option(help="picture a split of this packed corpus")] = None,
    split: str = "train",
    count: Annotated[int, typer.Option(help="procedural objects, where no corpus is named")] = 6000,
    first_seed: int = 0,
    processes: Processes = 2,
) -> None:
    """Coloured pictures from the six canonical sides and from anywhere; needs OpenGL."""
    from training.data.views import ViewSettings, build_corpus, build_synthetic

    settings = ViewSettings()
    if corpus is not None:
        build_corpus(out, corpus, split, settings=settings, processes=processes)
    else:
        seeds = range(first_seed, first_seed + count)
        build_synthetic(out, seeds, settings=settings, processes=processes)


@app.command("shape-tokenizer")
def shape_tokenizer(
    data: Annotated[Path, typer.Option(help="folder with train/ and val/ shards")],
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
def shape_decoder(
    data: Annotated[Path, typer.Option(help="folder with train/ and val/ shards")],
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
def image_vae(
    data: Annotated[Path, typer.Option(help="folder with train/ and val/ views")],
    run: Annotated[Path, typer.Option(help="folder of checkpoints and logs; an existing run continues")],
    stop_after: Annotated[int | None, typer.Option(help="stop at this step")] = None,
) -> None:
    """Train stage I of the image tokenizer of `mini`: the continuous VAE."""
    from training.image_tokenizer import ImageVAETask, view_pictures
    from training.loop import save_recipe, train
    from training.recipes.image_tokenizer import mini_vae

    settings = mini_vae()
    save_recipe(run, settings)
    train(ImageVAETask(settings, *view_pictures(data)), settings.loop, run, stop_after=stop_after)


@app.command("image-tokenizer")
def image_tokenizer(
    data: Annotated[Path, typer.Option(help="folder with train/ and val/ views")],
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
    task = ImageTokenizerTask(settings, trained_vae(vae_run), *view_pictures(data))
    train(task, settings.loop, run, stop_after=stop_after)


@app.command()
def tokens(
    tokenizer_run: Annotated[Path, typer.Option(help="run folder of the shape tokenizer")],
    out: Annotated[Path, typer.Option(help="folder that receives the token files")],
    data: Annotated[Path, typer.Option(help="folder with train/ and val/ shards")],
) -> None:
    """Tokenise labelled shapes for the transformer; does nothing where this tokenizer has done so."""
    from training.data.shape_samples import load_samples
    from training.data.shape_tokens import encode, sampled_surfaces
    from training.shape_tokenizer import trained_tokenizer

    tokenizer = trained_tokenizer(tokenizer_run)
    for split, kind in (("val", "synthetic"), ("train", "corpus"), ("train", "synthetic")):
        if any((data / split).glob(f"{kind}-*")):
            samples = load_samples(data / split, f"{kind}-*.safetensors")
            encode(sampled_surfaces(samples), len(samples), tokenizer, out / f"{split}-{kind}.safetensors")


@app.command("text-to-shape")
def text_to_shape(
    tokenizer_run: Annotated[Path, typer.Option(help="run folder of the shape tokenizer")],
    tokens: Annotated[Path, typer.Option(help="folder of the token files")],
    run: Annotated[Path, typer.Option(help="folder of checkpoints and logs; an existing run continues")],
    stop_after: Annotated[int | None, typer.Option(help="stop at this step")] = None,
) -> None:
    """Train the transformer of `mini` on text_to_shape."""
    from training.loop import save_recipe, train
    from training.recipes.mini import text_to_shape as recipe
    from training.text_to_shape import load_task

    settings = recipe()
    save_recipe(run, settings)
    train(load_task(settings, tokenizer_run, tokens), settings.loop, run, stop_after=stop_after)


@app.command()
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
