"""`omni123-train evaluate text-to-shape`: tables by words and judge, novelty, and a sheet drawn by a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import numpy as np
from tqdm import tqdm

from backend import checkpoint
from backend.geometry.sampling import sample_surface
from backend.geometry.surface import EmptySurfaceError, extract_surface
from backend.jobs import RunsJobs
from backend.models import REGISTRIES
from backend.shape_tokenizer.interface import ShapeTokenizer
from training.evaluation import cases, novelty, prompt_set
from training.evaluation.cases import Case
from training.evaluation.making import Made, Maker, Wish
from training.evaluation.novelty import N_POINTS, Points, ShapeSet
from training.evaluation.reconstruction import ENCODED, drawn, reconstruct
from training.evaluation.render import blank, render
from training.evaluation.report import Report
from training.evaluation.scorers import published, retrieval
from training.evaluation.scorers.interface import Scorer
from training.evaluation.sheets import Panel, Section
from training.evaluation.tables import Table
from training.evaluation.text_to_shape import (
    Neighbours,
    System,
    judged,
    known_distances,
    novel,
    of_made,
    real,
)

_ACROSS = 8  # pictures beside each other on the sheet
Load = Callable[[Path], RunsJobs]


@dataclass(frozen=True, kw_only=True)
class TextToShapeSettings:
    """What is compared."""

    prompts: int = 100  # of the hundred
    held_out: int = 100  # captions of shapes kept out of training
    shown: int = 48  # prompts on the sheet
    seed: int = 0
    cells: int = 64  # surface grid cells along one axis
    color: bool = False  # colours too, which published judges see
    size: int = 200  # pixels of a picture
    copied: int = 24  # training shapes that go through the tokenizer, to know a memorised shape by


@dataclass(frozen=True, kw_only=True)
class Judges:
    """Our own, and published ones."""

    own: retrieval.RetrievalScorer
    published: Sequence[Scorer] = ()

    @classmethod
    def load(cls, weights: Path | None = None, folders: Sequence[Path] = ()) -> Judges:
        """Raises ValueError with what is missing."""
        own = retrieval.load(weights or retrieval.SHIPPED)
        return cls(own=own, published=[published.load(folder) for folder in folders])


def text_to_shape_report(
    models: Sequence[Path],
    data: Path | None,
    kept: Path,
    judges: Judges,
    settings: TextToShapeSettings,
    load: Load,
) -> Report:
    """The first model beside the others; `kept` holds the shapes made so far. Without data, no neighbours."""
    makers = [Maker(folder, kept, load) for folder in models]
    known = None if data is None else novelty.read_shapes(data)
    chosen = prompt_set.drawn(settings.prompts, settings.seed)
    kinds = {
        f"{len(chosen)} prompts": cases.of_prompts(chosen),
        "Captions of shapes kept out of training": cases.held_out(data, settings.held_out, settings.seed),
    }
    tables: list[Table] = []
    newness: list[Table] = []
    sections: list[Section] = []
    lookup = None if known is None else Neighbours(known, judges.own.sentences, kept)
    meaning = {} if known is None else known_distances(known, copies(models[0], known, settings))
    for title, rows in kinds.items():
        if not rows:
            continue
        made = _made(makers, rows, settings)
        systems = [*(of_made(name, ones) for name, ones in made.items()), *_beside(rows, lookup)]
        for scorer in (judges.own, *judges.published):
            tables += judged(scorer, rows, systems, title)
        if known is not None:
            newness.append(novel(systems, known, meaning, f"Novelty: {title[0].lower()}{title[1:]}"))
        if not sections:
            sections = [_section(rows, made, settings)]
    return Report(
        name="text_to_shape",
        heading="Text to shape",
        tables=[*tables, *newness],
        sections=sections,
        columns=max(1, _ACROSS // max(len(sections[0].panels[0].images), 1)) if sections else 1,
        used=asdict(settings) | _used(makers, judges),
    )


def _used(makers: Sequence[Maker], judges: Judges) -> dict[str, object]:
    return {
        "models": {maker.name: maker.info.provenance for maker in makers},
        "judge": judges.own.provenance,
        "published_judges": [scorer.name for scorer in judges.published],
    }


def _made(
    makers: Sequence[Maker], rows: Sequence[Case], settings: TextToShapeSettings
) -> dict[str, list[Made]]:
    """Shapes of every model and way it offers."""
    wish = Wish(seed=settings.seed, cells=settings.cells, color=settings.color)
    found: dict[str, list[Made]] = {}
    for number, maker in enumerate(makers):
        for way in maker.ways():
            name = way if number == 0 else f"{maker.name}: {way}"
            with tqdm(total=len(rows), desc=name, unit="shape", disable=None) as bar:

                def watch(done: int, bar: tqdm = bar) -> None:
                    bar.update(done - bar.n)

                found[name] = maker.shapes(way, [case.text for case in rows], wish, watch)
    return found


def _beside(rows: Sequence[Case], lookup: Neighbours | None) -> list[System]:
    """The baseline and the ceiling that no model makes."""
    found = [] if lookup is None else [lookup.system(rows)]
    ceiling = real(rows)
    return found if ceiling is None else [*found, ceiling]


def copies(weights: Path, known: ShapeSet, settings: TextToShapeSettings) -> list[Points]:
    """Surface points of training shapes, drawn by a seed, after the model's tokenizer."""
    modules = checkpoint.load(weights, REGISTRIES, only=["shape_tokenizer"]).modules
    tokenizer = cast(ShapeTokenizer, modules["shape_tokenizer"])
    rng = np.random.default_rng((settings.seed, 4))
    found = []
    for row in sorted(drawn(len(known), settings.copied, settings.seed)):
        points, normals = known.cloud(row)[:ENCODED], known.normals[row][:ENCODED].astype(np.float32) / 127
        try:
            mesh = extract_surface(reconstruct(tokenizer, points, normals), cells=settings.cells)
        except EmptySurfaceError:
            continue
        found.append(sample_surface(mesh.vertices, mesh.faces, N_POINTS, rng)[0])
    return found


def _section(
    rows: Sequence[Case], made: Mapping[str, Sequence[Made]], settings: TextToShapeSettings
) -> Section:
    """Cases drawn by a seed, what every way made of each side by side."""
    panels = [
        Panel(
            caption="\n".join([rows[row].text, *(ones[row].failure for ones in made.values())]).strip(),
            images=tuple(_picture(ones[row], settings.size) for ones in made.values()),
        )
        for row in sorted(drawn(len(rows), settings.shown, settings.seed))
    ]
    return Section(heading=f"Drawn by a seed, nothing picked: {', '.join(made)}", panels=panels)


def _picture(made: Made, size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    if made.mesh is None:
        return blank(size)
    return render(made.mesh, size, frame=made.mesh, colored=True)
