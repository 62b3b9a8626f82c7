"""`omni123`: the backend's command line.

omni123 generate "a round wooden table" --out table.glb
omni123 serve --listen 127.0.0.1:0 --state-dir STATE
omni123 doctor
"""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import Annotated

import typer

from backend.server.cli import BUNDLED, app

MESH_FILES = (".glb", ".obj", ".ply", ".stl")
Weights = Annotated[Path | None, typer.Option(help="model folder; the bundled one by default")]


@app.command()
def generate(
    prompt: str,
    out: Annotated[Path, typer.Option(help=".glb, .obj, .ply or .stl file to write")] = Path("shape.glb"),
    seed: int = 0,
    guidance: float | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    cells: Annotated[int | None, typer.Option(help="surface grid cells along one axis")] = None,
    weights: Weights = None,
) -> None:
    """Make a mesh from words, in this process."""
    import trimesh

    from backend.events import Progress, Request, Result
    from backend.failures import RequestError, WeightsError
    from backend.pipeline import Pipeline

    if out.suffix.lower() not in MESH_FILES or not out.absolute().parent.is_dir():
        kinds = ", ".join(MESH_FILES)
        typer.echo(f"{out} cannot be written: name a {kinds} file in a folder that exists.", err=True)
        raise typer.Exit(1)
    request = Request(
        prompt=prompt, seed=seed, guidance=guidance, temperature=temperature, top_p=top_p, cells=cells
    )
    try:
        pipeline = Pipeline.load(weights or BUNDLED)
        for event in pipeline.run(request, lambda: False):
            if isinstance(event, Progress):
                typer.echo(f"\r{event.stage}: {event.done}/{event.total}   ", nl=False, err=True)
            elif isinstance(event, Result):
                mesh = trimesh.Trimesh(event.mesh.vertices, event.mesh.faces, process=False)
                mesh.export(out)
                took = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in event.seconds.items())
                typer.echo(f"\r{out}: {len(mesh.faces)} faces ({took})", err=True)
    except (RequestError, WeightsError) as error:
        typer.echo(f"\r{error}", err=True)
        raise typer.Exit(1) from error


@app.command()
def doctor(weights: Weights = None) -> None:
    """Check this installation: versions, device and weights, with a short test generation."""
    import torch
    import zmq

    from backend.events import Request, Result
    from backend.failures import RequestError, WeightsError
    from backend.pipeline import Pipeline

    typer.echo(f"python {platform.python_version()} on {platform.platform()}")
    typer.echo(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, CUDA {torch.cuda.is_available()}"
    )
    typer.echo(f"pyzmq {zmq.__version__}, CURVE {zmq.has('curve')}")
    folder = weights or BUNDLED
    started = time.perf_counter()
    try:
        pipeline = Pipeline.load(folder)
        typer.echo(
            f"weights {folder}: {pipeline.model_name}, loaded in {time.perf_counter() - started:.1f} s"
        )
        *_, last = pipeline.run(Request(prompt="a round table"), lambda: False)
    except (RequestError, WeightsError) as error:
        typer.echo(f"{error}", err=True)
        raise typer.Exit(1) from error
    assert isinstance(last, Result)
    took = ", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in last.seconds.items())
    typer.echo(f"a round table: {len(last.mesh.faces)} faces ({took})")


def main() -> None:
    app()


if __name__ == "__main__":
    main()
