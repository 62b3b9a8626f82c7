"""`omni123-train data`: from folders of 3D assets to training shards.

omni123-train data run --source ~/models --source procedural:2000 --data data
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from tqdm import tqdm

from training.data.cluster import RayPool, RaySettings
from training.data.estimate import Goal, estimate, measured, table
from training.data.pipeline import STEPS, Pipeline, PipelineSettings
from training.data.pool import LocalPool, PoolSettings
from training.data.records import make_records, write_records
from training.data.report import write_report
from training.data.settings_file import read_settings, settings_text
from training.data.shards.dataset import Dataset
from training.data.shards.pools import Lengths
from training.data.shards.pools import table as pools_table
from training.data.steps import DataError, Pool, Result
from training.data.synthesis import seats
from training.data.synthesis.loop import Seats

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

_SEATS = "omni123:FOLDER, 'command:PROGRAM {prompt} {out}' or module:function"
Data = Annotated[Path, typer.Option(help="data folder; what is already in it is not made again")]


class Limits(NamedTuple):
    """Where the work runs and what each worker may use, as the options say it."""

    processes: int
    seconds: float
    gigabytes: float
    ray: str | None

    def pool(self) -> AbstractContextManager[Pool]:
        seconds, memory = self.seconds, int(self.gigabytes * (1 << 30))
        if self.ray is not None:
            settings = RaySettings(address=self.ray, processes=self.processes, seconds=seconds, memory=memory)
            return RayPool(settings)
        processes = self.processes or os.cpu_count() or 1
        return nullcontext(LocalPool(PoolSettings(processes=processes, seconds=seconds, memory=memory)))


@app.command()
def run(
    data: Data,
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="folder, zip or file of assets, packed corpus, or procedural:COUNT; may be repeated"
        ),
    ] = None,
    images: Annotated[Path | None, typer.Option(help="folder of pictures with captions beside them")] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="list of prompts to make pictures and shapes of")
    ] = None,
    picture_model: Annotated[
        str, typer.Option(help=f"who draws them: {_SEATS}", show_default="the bundled model")
    ] = seats.OWN,
    shape_model: Annotated[
        str, typer.Option(help="who makes shapes of them, likewise", show_default="the bundled model")
    ] = seats.OWN,
    matting: Annotated[str, typer.Option(help="who cuts them out: plain or birefnet:FOLDER")] = seats.PLAIN,
    settings: Annotated[Path | None, typer.Option(help="JSON file; `data settings` prints one")] = None,
    until: Annotated[str, typer.Option(help=f"last step: {', '.join(STEPS)}")] = STEPS[-1],
    processes: Annotated[int, typer.Option(help="workers; 0: one per core, or all the cluster has")] = 0,
    seconds: Annotated[float, typer.Option(help="an item that takes longer is rejected")] = 300.0,
    gigabytes: Annotated[float, typer.Option(help="memory of one worker; 0: no limit")] = 8.0,
    ray: Annotated[str | None, typer.Option(help="Ray cluster: auto, HOST:PORT, ray://HOST:PORT")] = None,
    blender: Annotated[str | None, typer.Option(help="Blender to use; none: the bpy package")] = None,
) -> None:
    """Run all steps; a second run does nothing, an interrupted one continues."""
    if until not in STEPS:
        raise typer.BadParameter(f"{until} is no step; there are {', '.join(STEPS)}", param_hint="--until")
    if not (source or images or prompts):
        raise typer.BadParameter("name what to work on: --source, --images or --prompts")
    with one_sentence():
        chosen = PipelineSettings() if settings is None else read_settings(settings, PipelineSettings)
        with Limits(processes, seconds, gigabytes, ray).pool() as pool:
            pipeline = Pipeline(
                sources=source or (),
                data=data,
                settings=chosen,
                pool=pool,
                watch=progress_bar,
                images=images,
                prompts=prompts,
                seats=Seats(pictures=picture_model, matting=matting, shapes=shape_model),
                local={} if blender is None else {"blender": blender},
            )
            results = pipeline.run(until)
        for name, found in results.items():
            typer.echo(summary(name, found))
        write_records(data / "records.jsonl", make_records(results))
        write_report(data / "report.html", data, results)
        typer.echo(f"{data / 'report.html'} shows what was kept, and why not the rest.")


@app.command("draw-pictures")
def draw_pictures(
    seeds: Annotated[str, typer.Argument(help="procedural:FIRST-LAST, seeds that no 3D data holds")],
    out: Annotated[Path, typer.Option(help="folder to fill, for `data run --images`")],
    size: Annotated[int, typer.Option(help="pixels along each side")] = 256,
) -> None:
    """Draw procedural objects once each, with captions, in place of people's own pictures."""
    from training.data.assets.procedural import seeds_of
    from training.data.synthetic_pictures import draw_pictures as draw

    try:
        chosen = seeds_of(seeds)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from error
    with one_sentence(), tqdm(total=len(chosen), unit="picture") as bar:
        draw(chosen, out, size, bar.update)


@app.command("settings")
def print_settings() -> None:
    """Print every setting with its default, as `data run --settings` reads them."""
    typer.echo(settings_text(PipelineSettings()))


@app.command("estimate")
def print_estimate(
    data: Data,
    pairs: Annotated[int, typer.Option(help="pairs of an image and a shape that are wanted")] = 120_000_000,
    cores: Annotated[int, typer.Option(help="cores that would work on it")] = 4096,
    edits: Annotated[bool, typer.Option(help="count edit pairs too")] = False,
) -> None:
    """Work out from this folder's journals what a data set of any size would take."""
    with one_sentence():
        typer.echo(table(estimate(measured(data), Goal(pairs=pairs, cores=cores, edits=edits))))


@app.command("stats")
def print_stats(
    data: Annotated[Path, typer.Option(help="data folder, or its folder of shards alone")],
    image: Annotated[int, typer.Option(help="tokens of one image")] = 1024,
    shape: Annotated[int, typer.Option(help="tokens of one shape")] = 1024,
    text: Annotated[int, typer.Option(help="tokens of one text")] = 77,
    split: Annotated[str, typer.Option(help="train, val or test")] = "train",
) -> None:
    """Print the paper's Table 1 for a data set, the tasks it serves and its licences."""
    with one_sentence():
        dataset = Dataset(data)
    lengths = Lengths(text=text, image=image, shape=shape)
    typer.echo(pools_table(dataset.description["pools"], lengths, split))
    typer.echo(f"tasks: {', '.join(dataset.tasks) or 'none'}")
    typer.echo(f"licences: {', '.join(f'{name} {count:,}' for name, count in dataset.licences.items())}")


@app.command("round-trip")
def round_trip(
    assets: Annotated[Path, typer.Argument(help="folder with asset files, such as DATA/ingest")],
    out: Annotated[Path, typer.Option(help="receives sheet.png and rows.jsonl")],
    count: Annotated[int, typer.Option(help="assets that are compared")] = 50,
    cells: Annotated[int, typer.Option(help="of the grid that surfaces are read from")] = 256,
    seed: Annotated[int, typer.Option(help="of the choice of assets")] = 0,
) -> None:
    """Surfaces read back from signed distances, and from the stored samples alone, beside their assets."""
    from training.data.round_trip import compare  # it needs torch, which workers need not load

    typer.echo(compare(assets, out, count=count, cells=cells, seed=seed))


@contextmanager
def one_sentence() -> Iterator[None]:
    """What is wrong with the data ends the command with its sentence; an interrupt says how to go on."""
    try:
        yield
    except DataError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    except KeyboardInterrupt as error:
        typer.echo("Stopped. Run the same command again to continue.", err=True)
        raise typer.Exit(130) from error


def progress_bar(name: str, total: int) -> Callable[[Result], None]:
    """A line per step: how far, how fast, how many rejected."""
    often = 0.5 if sys.stderr.isatty() else 30.0  # seconds; logs need no more
    bar = tqdm(total=total, desc=f"{name:>13}", unit="item", mininterval=often, smoothing=0.05)
    rejected = 0

    def one_more(result: Result) -> None:
        nonlocal rejected
        if result.rejected is not None:
            rejected += 1
            bar.set_postfix(rejected=rejected, refresh=False)
        bar.update()
        if bar.n >= total:
            bar.close()

    if total == 0:
        bar.close()
    return one_more


def summary(name: str, results: Sequence[Result]) -> str:
    """One line for people: what a step kept, why not the rest, what it cost."""
    reasons = Counter(result.rejected.reason for result in results if result.rejected is not None)
    why = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
    kept, new = len(results) - reasons.total(), sum(not result.cached for result in results)
    each = sum(result.cpu_seconds for result in results) / max(len(results), 1)
    line = f"{name:>13}: {kept:,} of {len(results):,} kept, {new:,} new, {each:.3f} CPU s each"
    return f"{line}; rejected: {why}" if why else line
