"""`omni123-train evaluate edits`: tables of held-out and of fresh edits, and a sheet drawn by a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from backend.geometry.mesh import Mesh
from backend.pipeline import Pipeline
from training.data.edits.settings import KINDS
from training.data.pool import LocalPool, PoolSettings
from training.data.steps import Pool
from training.evaluation.edited_shapes import Edit, fresh_edits, held_out_pairs, read_edits
from training.evaluation.edits import AVERAGED, MODEL, Score, compare, panels, table
from training.evaluation.neighbours import TrainingEdits
from training.evaluation.reconstruction import drawn
from training.evaluation.report import Report
from training.evaluation.sheets import Section

FRESH_SEEDS = 30_000_000  # the first of the procedural objects that no training set holds


@dataclass(frozen=True, kw_only=True)
class EditSettings:
    """What is compared."""

    split: str = "val"
    averaged: int = 50  # pairs of adding, and as many of removing
    others: int = 12  # pairs of each other kind
    fresh: int = 12  # procedural objects of unseen seeds, each with all its edits
    cells: int = 96  # surface grid cells along one axis
    shown: int = 24  # edits on the sheet
    processes: int = 2

    def wanted(self, kind: str) -> int:
        return self.averaged if kind in AVERAGED else self.others


def edits_report(pipeline: Pipeline, data: Path, settings: EditSettings) -> Report:
    """Raises DataError where the data holds no such edits."""
    shapes = pipeline.parts.shapes
    assert shapes is not None, "a pipeline that edits has a shape tokenizer"
    pool: Pool = LocalPool(PoolSettings(processes=settings.processes))
    held_out = read_edits(held_out_pairs(data, settings.split, settings.wanted), pool)
    seeds = range(FRESH_SEEDS, FRESH_SEEDS + settings.fresh)
    groups = {
        f"Edits kept out of training ({settings.split} split)": held_out,
        "Edits of procedural objects of unseen seeds": fresh_edits(seeds, KINDS, pool),
    }
    known = TrainingEdits(data, pipeline.text)
    made = {
        title: (edits, *compare(pipeline, shapes.tokenizer, edits, known, settings.cells))
        for title, edits in groups.items()
        if edits
    }
    return Report(
        name="edits",
        heading="Editing shapes",
        tables=[table(title, scores) for title, (_, scores, _) in made.items()],
        sections=_sections(made, settings.shown),
        used=asdict(settings) | {"edits": {title: len(edits) for title, edits in groups.items()}},
    )


def _sections(
    made: Mapping[str, tuple[list[Edit], Mapping[str, list[Score]], list[Mesh | None]]], count: int
) -> list[Section]:
    """Edits drawn by a seed from all groups."""
    rows = [
        row
        for edits, scores, meshes in made.values()
        for row in zip(edits, meshes, scores[MODEL], strict=True)
    ]
    chosen = [rows[number] for number in sorted(drawn(len(rows), count))]
    heading = "Drawn by a seed, nothing picked: source, result, truth"
    return [Section(heading=heading, panels=panels(*(list(part) for part in zip(*chosen, strict=True))))]
