"""`omni123 weights`: published weights in, and what a model folder holds.

omni123 weights import-cube3d --gpt GPT.safetensors --tokenizer TOKENIZER.safetensors --clip DIR --out DIR
omni123 weights info DIR
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

weights_app = typer.Typer(
    no_args_is_help=True, help="Model folders: import published weights, list contents."
)


class StoredAs(StrEnum):
    """Types the transformer's weights may be stored in."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    int8 = "int8"


@weights_app.command("import-cube3d")
def import_cube3d(
    gpt: Annotated[Path, typer.Option(help="shape_gpt.safetensors")],
    tokenizer: Annotated[Path, typer.Option(help="shape_tokenizer.safetensors")],
    clip: Annotated[str, typer.Option(help="folder of the CLIP model, or hub id")],
    out: Annotated[Path, typer.Option(help="model folder to write")],
    config: Annotated[
        Path | None, typer.Option(help="JSON of their config; published values without")
    ] = None,
    dtype: Annotated[StoredAs, typer.Option(help="how the transformer is stored")] = StoredAs.float32,
) -> None:
    """Make a model folder from published Cube3D files."""
    from backend import cube3d_import, published

    typer.echo(published.NOTICE)

    def progress(done: int, total: int) -> None:
        typer.echo(f"\r{done / 1e9:.2f} of {total / 1e9:.2f} GB", nl=False, err=True)

    try:
        info = cube3d_import.import_cube3d(
            gpt, tokenizer, clip, out, config=config, dtype=dtype.value, progress=progress
        )
    except (ValueError, OSError) as error:
        typer.echo(f"\r{error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"\r{out}: {info.preset}; text through {info.text_encoder}", err=True)


@weights_app.command()
def info(folder: Path) -> None:
    """Say what a model folder holds, from its headers."""
    from backend.checkpoint import read_config
    from backend.failures import WeightsError
    from backend.shards import n_parameters, stored_tensors

    try:
        model, modules = read_config(folder)
        stored = stored_tensors(folder)
    except WeightsError as error:
        typer.echo(f"{error}", err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{model.preset}\n  text: {model.text_encoder}\n  licence: {model.licence}")
    typer.echo(f"  made from: {model.provenance}\n  sampling: {model.sampling}")
    for name, (kind, config) in modules.items():
        own = {key: tensor for key, tensor in stored.items() if key.startswith(f"{name}.")}
        count, size = n_parameters(own), sum(tensor.nbytes for tensor in own.values())
        types = ", ".join(sorted({str(tensor.dtype).removeprefix("torch.") for tensor in own.values()}))
        typer.echo(f"{name} ({kind}): {count:,} parameters, {size / 1e9:.3f} GB, {types}")
        typer.echo("  " + ", ".join(f"{key} {value}" for key, value in config.items()))
