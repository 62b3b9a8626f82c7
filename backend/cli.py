"""`omni123`: the backend's command line.

omni123 generate "a round wooden table" --color --out table.glb
omni123 generate --image chair.png --out chair.glb
omni123 edit table.glb "longer legs" --out taller.glb
omni123 views table.glb --out views
omni123 serve --listen 127.0.0.1:0 --state-dir STATE
omni123 doctor
"""

from __future__ import annotations

import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from backend.server.cli import BUNDLED, Compute, Device, app
from backend.weights_cli import weights_app
from protocol.errors import ProtocolError
from protocol.jobs import JobSpec, check_offered, checked_spec
from protocol.tasks import VIEWS, InputKind

if TYPE_CHECKING:
    from backend.events import Request
    from backend.files import Output
    from backend.jobs import RunsJobs

Weights = Annotated[Path | None, typer.Option(help="model folder; the bundled one by default")]
Out = Annotated[
    Path, typer.Option(help=".glb, .obj, .ply, .stl or .png file, or a folder; pictures lie beside a mesh")
]
Guidance = Annotated[float | None, typer.Option(help="how closely to follow the words")]
SourceGuidance = Annotated[float | None, typer.Option(help="how closely to follow the source")]
Cells = Annotated[int | None, typer.Option(help="surface grid cells along one axis")]
Faces = Annotated[int | None, typer.Option(help="simplify to about this many faces")]
Smoothing = Annotated[float | None, typer.Option(help="0 as extracted, to 1")]
Color = Annotated[bool, typer.Option("--color", help="with colours of the vertices, from views of the shape")]
Views = Annotated[list[str] | None, typer.Option("--view", help=f"wanted: {', '.join(VIEWS)}; repeat")]

app.add_typer(weights_app, name="weights")


@app.command()
def generate(
    prompt: Annotated[str, typer.Argument(help="what to make; may be left out where there is a source")] = "",
    task: Annotated[
        str | None, typer.Option(help="what to make from what; a shape from words or pictures by default")
    ] = None,
    image: Annotated[list[Path] | None, typer.Option(help="source picture; repeat")] = None,
    image_view: Annotated[
        list[str] | None, typer.Option(help="what each picture shows, needed for several; repeat")
    ] = None,
    mesh: Annotated[Path | None, typer.Option(help="source mesh")] = None,
    view: Views = None,
    box: Annotated[tuple[float, float, float] | None, typer.Option(help="sides the shape fills")] = None,
    faces: Faces = None,
    smoothing: Smoothing = None,
    watertight: bool = False,
    color: Color = False,
    out: Out = Path("shape.glb"),
    seed: int = 0,
    guidance: Guidance = None,
    source_guidance: SourceGuidance = None,
    temperature: float | None = None,
    top_p: float | None = None,
    cells: Cells = None,
    weights: Weights = None,
    device: Device = "auto",
    compute: Compute = "auto",
) -> None:
    """Make a mesh or pictures, in this process."""
    inputs: list[InputKind] = ["mesh"] if mesh else []
    inputs += ["image" for _ in image or ()]
    spec = JobSpec(
        task=task or _task_for(len(image or ())),
        prompt=prompt,
        seed=seed,
        guidance=guidance,
        source_guidance=source_guidance,
        temperature=temperature,
        top_p=top_p,
        cells=cells,
        faces=faces,
        smoothing=smoothing,
        watertight=watertight,
        color=color,
        box=box,
        views=tuple(view or ()),
        image_views=tuple(image_view or ()),
        inputs=tuple(inputs),
    )
    _make(spec, mesh, image or [], out, (weights, device, compute))


@app.command()
def edit(
    mesh: Path,
    instruction: str,
    out: Out = Path("edited.glb"),
    seed: int = 0,
    guidance: Guidance = None,
    source_guidance: SourceGuidance = None,
    cells: Cells = None,
    color: Color = False,
    weights: Weights = None,
    device: Device = "auto",
    compute: Compute = "auto",
) -> None:
    """Change a mesh by words; it stays where it is, at its size."""
    spec = JobSpec(
        task="edit_shape",
        prompt=instruction,
        seed=seed,
        guidance=guidance,
        source_guidance=source_guidance,
        cells=cells,
        color=color,
        inputs=("mesh",),
    )
    _make(spec, mesh, [], out, (weights, device, compute))


@app.command()
def views(
    mesh: Annotated[
        Path | None, typer.Argument(help="what to draw; may be left out where words say it")
    ] = None,
    view: Views = None,
    out: Out = Path("views"),
    prompt: Annotated[str, typer.Option(help="what the mesh is, or what to make and draw")] = "",
    seed: int = 0,
    weights: Weights = None,
    device: Device = "auto",
    compute: Compute = "auto",
) -> None:
    """Draw a mesh, or what words say, from the views wanted, all six by default."""
    wanted = tuple(view or VIEWS)
    if mesh is None:  # the chain that draws views from words makes their shape too
        spec = JobSpec(task="text_to_views_shape_views", prompt=prompt, seed=seed, image_views=wanted)
    else:
        spec = JobSpec(task="shape_to_views", prompt=prompt, seed=seed, views=wanted, inputs=("mesh",))
    _make(spec, mesh, [], out, (weights, device, compute))


def _task_for(images: int) -> str:
    """What `generate` makes where that is not said: a shape."""
    if images == 0:
        return "text_to_shape"
    return "image_to_shape" if images == 1 else "views_to_shape"


def _make(
    spec: JobSpec, mesh: Path | None, images: list[Path], out: Path, model: tuple[Path | None, str, str]
) -> None:
    """Refuses what cannot be before the model is loaded, and what the model cannot do before the work."""
    from backend.failures import RequestError, WeightsError
    from backend.files import FileError, Output
    from backend.pipeline import Pipeline

    try:
        spec = checked_spec(spec, len(spec.inputs))
        request, output = _request(spec, mesh, images), Output(out)
        weights, device, compute = model
        pipeline = Pipeline.load(weights or BUNDLED, device, compute)
        check_offered(spec, pipeline.model_name, pipeline.capabilities())
        _write(pipeline, request, output)
    except (ProtocolError, RequestError, WeightsError, FileError) as error:
        _fail(error)


def _request(spec: JobSpec, mesh: Path | None, images: list[Path]) -> Request:
    from backend.events import Request
    from backend.files import read_mesh, read_picture

    settings = asdict(spec)
    del settings["inputs"]
    return Request(
        **settings,
        mesh=read_mesh(mesh) if mesh else None,
        images=tuple(read_picture(path) for path in images),
    )


def _write(pipeline: RunsJobs, request: Request, output: Output) -> None:
    """Runs the request; a picture is written as soon as it is finished."""
    from backend.events import Picture, Progress, Result
    from backend.jobs import run_alone

    written: set[int] = set()
    for event in run_alone(pipeline, request):
        match event:
            case Progress(stage=stage, done=done, total=total) if sys.stderr.isatty():
                typer.echo(f"\r{stage}: {done}/{total}   ", nl=False, err=True)
            case Picture(segment=segment):
                written.add(segment)
                typer.echo(f"\r{output.write_picture(event)}", err=True)
            case Result(mesh=mesh, pictures=pictures, seconds=seconds):
                for picture in pictures:
                    if picture.segment not in written:
                        typer.echo(f"\r{output.write_picture(picture)}", err=True)
                what = f"{output.write_mesh(mesh)}: {len(mesh.faces)} faces" if mesh else "done"
                typer.echo(f"\r{what} ({_took(seconds)})", err=True)


@app.command()
def doctor(weights: Weights = None, device: Device = "auto", compute: Compute = "auto") -> None:
    """Check this installation: versions, device and weights, with a short test generation."""
    import torch
    import zmq

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
        pipeline = Pipeline.load(folder, device, compute)
        typer.echo(
            f"weights {folder}: {pipeline.model_name}, loaded in {time.perf_counter() - started:.1f} s"
        )
        typer.echo(f"tasks: {', '.join(pipeline.capabilities()['tasks'])}")
        typer.echo(_test_generation(pipeline))
    except (RequestError, WeightsError) as error:
        _fail(error)


def _test_generation(pipeline: RunsJobs) -> str:
    from backend.events import Request, Result
    from backend.jobs import run_alone

    *_, last = run_alone(pipeline, Request(prompt="a round table"))
    assert isinstance(last, Result)
    assert last.mesh is not None
    return f"a round table: {len(last.mesh.faces)} faces ({_took(last.seconds)})"


def _took(seconds: dict[str, float]) -> str:
    return ", ".join(f"{stage} {value:.2f} s" for stage, value in seconds.items())


def _fail(error: Exception) -> NoReturn:
    typer.echo(f"\r{error}", err=True)
    raise typer.Exit(1) from error


def main() -> None:
    app()


if __name__ == "__main__":
    main()
