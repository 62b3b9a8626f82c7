"""`omni123-train evaluate edits`: tables of held-out and of fresh edits, and a sheet drawn by a seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from backend.geometry.mesh import Mesh
from backend.pipeline import Pipeline
from training.data.edits.settings import KINDS
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

    def wanted(self, kind: str) -> int:
        return self.averaged if kind in AVERAGED else self.others


def edits_report(pipeline: Pipeline, data: Path, settings: EditSettings, pool: Pool) -> Report:
    """Pairs are read in the pool. Raises DataError where the data holds no such edits."""
    held_out = read_edits(held_out_pairs(data, settings.split, settings.wanted), pool)
    seeds = range(FRESH_SEEDS, FRESH_SEEDS + settings.fresh)
    groups = {
        f"Edits kept out of training ({settings.split} split)": held_out,
        "Edits of procedural objects of unseen seeds": fresh_edits(seeds, KINDS, pool),
    }
    known = TrainingEdits(data, pipeline.text)
    made = {
        title: (edits, *compare(pipeline, edits, known, settings.cells))
        for title, edits in groups.items()
        if edits
    }
    return Report(
        name="edits",
        heading="Editing shapes",
        tables=[table(title, scores) for title, (_, scores, _) in made.items()],
        sections=_sections(made, settings.shown),
        used={
            **asdict(settings),
            "edits": {title: len(edits) for title, edits in groups.items()},
            "sampling": asdict(pipeline.offer.sampling("edit_shape")),
        },
    )


def _sections(
    made: Mapping[str, tuple[list[Edit], Mapping[str, list[Score]], list[Mesh | None]]], count: int
) -> list[Section]:
    """Edits drawn by a seed from all groups."""
    edits = [edit for own, _, _ in made.values() for edit in own]
    meshes = [mesh for _, _, own in made.values() for mesh in own]
    scores = [score for _, own, _ in made.values() for score in own[MODEL]]
    chosen = sorted(drawn(len(edits), count))
    shown = panels([edits[n] for n in chosen], [meshes[n] for n in chosen], [scores[n] for n in chosen])
    return [Section(heading="Drawn by a seed, nothing picked: source, result, truth", panels=shown)]
