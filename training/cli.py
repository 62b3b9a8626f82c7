"""`omni123-train`: make labelled shapes, train tokenizers and transformers, export weights.

    omni123-train data synthetic --out runs/data/train --count 12000
    omni123-train shape-tokenizer --data runs/data --run runs/shape_tokenizer
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
data = typer.Typer(no_args_is_help=True, help="Make labelled shapes.")
app.add_typer(data, name="data")

Out = Annotated[Path, typer.Option(help="folder that receives the shards")]
Processes = Annotated[int, typer.Option(help="worker processes")]


@data.command("synthetic")
def data_synthetic(out: Out, count: int = 12000, first_seed: int = 0, processes: Processes = 2) -> None:
    """Procedural objects, one per seed; seeds from 10,000,000 on are kept for validation."""
    from training.data.shape_samples import SamplingSettings, build_synthetic

    build_synthetic(out, range(first_seed, first_seed + count), settings=SamplingSettings(), processes=processes)


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


@app.command("shape-tokenizer")
def shape_tokenizer(
    data: Annotated[Path, typer.Option(help="folder with train/ and val/ shards")],
    run: Annotated[Path, typer.Option(help="folder of checkpoints and logs; an existing run continues")],
    stop_after: Annotated[int | None, typer.Option(help="stop at this step")] = None,
) -> None:
    """Train the shape tokenizer of `mini`."""
    from training.loop import train
    from training.recipes.mini import shape_tokenizer as recipe
    from training.shape_tokenizer import load_task

    settings = recipe()
    train(load_task(settings, data), settings.loop, run, stop_after=stop_after)


if __name__ == "__main__":
    app()
