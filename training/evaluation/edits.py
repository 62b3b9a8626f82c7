"""How well shapes are edited (paper, Table 10): Chamfer distance and F1 to the true target, and what moved.

Every figure is in the source's canonical frame, for the model and its baselines alike; see `NOTES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.events import Request
from backend.failures import RequestError
from backend.geometry.canonical import LONGEST_SIDE
from backend.geometry.mesh import Mesh
from backend.geometry.sampling import sample_surface
from backend.pipeline import Pipeline
from backend.plan import plan
from training.data.edits.frame import SCALE
from training.evaluation.edited_shapes import COMPARED, FOLLOWED, STILL, Edit, distance_to
from training.evaluation.neighbours import TrainingEdits
from training.evaluation.reconstruction import ENCODED, encoded
from training.evaluation.render import blank, render
from training.evaluation.requests import in_order
from training.evaluation.scores import F_THRESHOLD, surface_distance
from training.evaluation.sheets import Panel
from training.evaluation.tables import Row, Table, Value

MODEL, FLOOR, NO_EDIT, NEIGHBOUR = (
    "model",
    "true target's tokens",
    "no edit",
    "nearest training pair",
)
TRUTH = "true target, another sample"
AVERAGED = ("add", "remove")  # the edits of the paper's Table 10
NOTES = (
    "CD: mean of both directions' mean nearest distances, not squared, "
    f"{COMPARED} points of each outer surface",
    f"F1: at {F_THRESHOLD}, same points",
    f"normalisation: the source's bounding box centred, its longest side {LONGEST_SIDE}; results as they "
    "come, none is fitted to its target",
    f"moved: distance of up to {FOLLOWED} points of the unedited surface to the result's, as a share of the "
    f"source's longest side; unedited is what lies within {STILL} of the true target's outer surface; median "
    "and 90th percentile over the points of all edits, each edit counting alike",
    "failed: results without a surface; their distances do not exist and are left out",
    f"{FLOOR}: the pipeline's mesh of the true target's codes, what perfect tokens would come to",
    f"{NEIGHBOUR}: the target of the training edit whose words are most similar, of the 16 whose sources are "
    "nearest",
)


@dataclass(frozen=True, kw_only=True)
class Score:
    """One edit by one method; None where there is no surface."""

    kind: str
    chamfer: float | None
    f1: float | None
    moved: NDArray[np.float64] | None = None  # shares of the source's size, sorted


def edited(pipeline: Pipeline, edits: Sequence[Edit], cells: int, seed: int = 0) -> list[Mesh | None]:
    """What the model makes of the sources' meshes, in their frame."""
    requests = [
        Request(task="edit_shape", prompt=edit.instruction, mesh=edit.source, seed=seed + number, cells=cells)
        for number, edit in enumerate(edits)
    ]
    return [None if a.result is None else a.result.mesh for a in in_order(pipeline, requests)]


def of_true_tokens(pipeline: Pipeline, edits: Sequence[Edit], cells: int) -> list[Mesh | None]:
    """What the pipeline makes of the true targets' tokens: the floor for whoever writes such tokens."""
    made: list[Mesh | None] = []
    shapes = pipeline.parts.shapes
    assert shapes is not None, "a pipeline that edits has a shape tokenizer"
    for edit in edits:
        request = Request(task="edit_shape", prompt=edit.instruction, mesh=edit.source, cells=cells)
        planned = plan(request, pipeline.offer)
        try:
            sources = pipeline.parts.sources.read(request, planned.layout, planned.cells)
            points = (edit.target_points[:ENCODED] * SCALE).astype(np.float32)
            codes = encoded(shapes.tokenizer, points, edit.target_normals[:ENCODED])[0]
            surface = shapes.surface(codes.cpu(), planned, sources, lambda: None)
            made.append(shapes.placed(surface.mesh, sources.placement))
        except RequestError:
            made.append(None)
    return made


def score_meshes(edits: Sequence[Edit], meshes: Sequence[Mesh | None]) -> list[Score]:
    """By their surfaces."""
    scores = []
    for edit, mesh in zip(edits, meshes, strict=True):
        if mesh is None or len(mesh.faces) == 0:
            scores.append(Score(kind=edit.kind, chamfer=None, f1=None))
            continue
        points = sample_surface(mesh.vertices, mesh.faces, COMPARED, np.random.default_rng(1))[0]
        moved = np.sort(distance_to(mesh, edit.unedited)) / LONGEST_SIDE if len(edit.unedited) else None
        scores.append(_score(edit, points, moved))
    return scores


def score_points(edits: Sequence[Edit], points: Callable[[Edit], NDArray[np.float32]]) -> list[Score]:
    """By surface points alone."""
    return [_score(edit, points(edit)[:COMPARED], None) for edit in edits]


def unedited_scores(edits: Sequence[Edit]) -> list[Score]:
    """The sources as they are: nothing moves."""
    still = np.zeros(1)
    return [_score(edit, edit.source_points, still if len(edit.unedited) else None) for edit in edits]


def _score(edit: Edit, points: NDArray[np.float32], moved: NDArray[np.float64] | None) -> Score:
    distance = surface_distance(edit.target_points[:COMPARED], points)
    return Score(kind=edit.kind, chamfer=distance.chamfer, f1=distance.f_score, moved=moved)


def compare(
    pipeline: Pipeline, edits: Sequence[Edit], known: TrainingEdits | None, cells: int
) -> tuple[dict[str, list[Score]], list[Mesh | None]]:
    """Scores of the model and of everything it is compared with, and the model's meshes."""
    meshes = edited(pipeline, edits, cells)
    scores = {MODEL: score_meshes(edits, meshes), NO_EDIT: unedited_scores(edits)}
    if known is not None:
        scores[NEIGHBOUR] = score_points(edits, lambda e: known.target(e.source_points, e.instruction)[1])
    scores[FLOOR] = score_meshes(edits, of_true_tokens(pipeline, edits, cells))
    scores[TRUTH] = score_points(edits, lambda edit: edit.target_points[COMPARED:])
    return scores, meshes


def table(title: str, scores: Mapping[str, Sequence[Score]], notes: Iterable[str] = ()) -> Table:
    """A row per method: CD and F1 of each kind and of adding and removing together, and what moved."""
    return Table(title=title, rows={who: _row(rows) for who, rows in scores.items()}, notes=(*NOTES, *notes))


def _row(scores: Sequence[Score]) -> Row:
    kinds = [*AVERAGED, *sorted({score.kind for score in scores} - set(AVERAGED))]
    row: dict[str, Value] = {}
    for label, chosen in [*((kind, (kind,)) for kind in kinds), ("add and remove", AVERAGED)]:
        own = [score for score in scores if score.kind in chosen]
        if own:
            row[f"{label} CD"] = _mean([score.chamfer for score in own])
            row[f"{label} F1"] = _mean([score.f1 for score in own])
    row |= moved(scores)
    return row | {"failed": sum(score.chamfer is None for score in scores), "edits": len(scores)}


def moved(scores: Sequence[Score]) -> dict[str, Value]:
    """Median and 90th percentile over the unedited points of all edits, each edit counting alike."""
    rows = [score.moved for score in scores if score.moved is not None]
    if not rows:
        return {"moved median": None, "moved p90": None}
    shares = np.linspace(0, 1, 201)
    pooled = np.concatenate([np.quantile(row, shares) for row in rows])
    return {"moved median": float(np.median(pooled)), "moved p90": float(np.quantile(pooled, 0.9))}


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None


def panels(
    edits: Sequence[Edit], meshes: Sequence[Mesh | None], scores: Sequence[Score], size: int = 176
) -> list[Panel]:
    """Source, result and truth of each edit, under its instruction."""
    made = []
    for edit, mesh, score in zip(edits, meshes, scores, strict=True):
        both = Mesh(
            vertices=np.concatenate([edit.source.vertices, edit.target.vertices]), faces=edit.source.faces
        )
        drawn = [
            blank(size) if shown is None else render(shown, size, frame=both, colored=True)
            for shown in (edit.source, mesh, edit.target)
        ]
        figures = "no surface" if score.chamfer is None else f"CD {score.chamfer:.3f}  F1 {score.f1:.2f}"
        made.append(Panel(caption=f"{edit.instruction}\n{edit.kind}: {figures}", images=tuple(drawn)))
    return made
