"""Shapes made of one picture each, of objects kept out of training: how near the true shape, and the picture.

Half the pictures are the front, named as such; half come from anywhere under any light, and nothing is said
of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.events import Request
from backend.geometry.mesh import Mesh
from backend.geometry.sampling import sample_surface
from backend.geometry.surface import EmptySurfaceError, extract_surface
from backend.pipeline import Pipeline
from backend.shape_tokenizer.interface import ShapeTokenizer
from training.evaluation.pictured import Pictured, pictured
from training.evaluation.reconstruction import ENCODED, drawn, reconstruct
from training.evaluation.render import blank, render
from training.evaluation.report import Report
from training.evaluation.requests import in_order
from training.evaluation.scores import F_THRESHOLD, surface_distance
from training.evaluation.sheets import Panel, Section
from training.evaluation.silhouettes import agreement, flat
from training.evaluation.tables import Table, Value

COMPARED = 4096  # surface points of each side: a shard holds 8,192, and the floor needs two samples
FRONT, LIT = "front, named", "from anywhere"
_SMALL = 32  # pixels of a side when pictures are compared for the baseline
Floats = NDArray[np.float32]
NOTES = (
    "CD: mean of both directions' mean nearest distances, not squared, "
    f"{COMPARED} points of each surface; F1 at {F_THRESHOLD}, same points",
    "normalisation: the frame the model writes in, the true shape's longest side 1.92; nothing is fitted",
    "silhouette: intersection over union of the given picture's object and the result seen by its camera",
    "nearest training picture: the shape of the training picture, of the same kind, with the nearest pixels",
    "another held-out shape: what a guess that ignores the picture scores",
)


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """What is compared."""

    split: str = "val"
    count: int = 48  # pictures
    neighbours: int = 1000  # training shapes that the baseline looks at, drawn by the seed
    cells: int = 96
    shown: int = 24
    seed: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """One picture to make a shape of."""

    shape: Pictured
    view: str

    @property
    def kind(self) -> str:
        return FRONT if self.view == "front" else LIT

    def request(self, seed: int, cells: int) -> Request:
        named = ("front",) if self.kind == FRONT else ()
        picture = self.shape.view(self.view)
        return Request(task="image_to_shape", images=(picture,), image_views=named, seed=seed, cells=cells)


@dataclass(frozen=True, kw_only=True)
class Score:
    """One result; None where it has no surface."""

    kind: str
    chamfer: float | None = None
    f1: float | None = None
    silhouette: float | None = None


def given(shapes: Sequence[Pictured], seed: int) -> list[Given]:
    """The front and a lit view in turn; the front where a shape has no lit view."""
    rng = np.random.default_rng(seed)
    return [
        Given(shape=shape, view=str(rng.choice(shape.lit)) if number % 2 and shape.lit else "front")
        for number, shape in enumerate(shapes)
    ]


def image_report(pipeline: Pipeline, data: Path, settings: ImageSettings) -> Report:
    """Raises DataError where the data holds no such pictures."""
    shapes = pipeline.parts.shapes
    assert shapes is not None, "a pipeline that makes shapes has their tokenizer"
    cases = given(pictured(data, settings.split, settings.count, settings.seed), settings.seed)
    requests = [case.request(settings.seed + n, settings.cells) for n, case in enumerate(cases)]
    results = [answer.result for answer in in_order(pipeline, requests)]
    meshes = [None if result is None else result.mesh for result in results]
    others = [case.shape.points for case in cases[2:] + cases[:2]]  # of a picture of the same kind
    scores = {
        "model": [_mesh_score(case, mesh) for case, mesh in zip(cases, meshes, strict=True)],
        "nearest training picture": _point_scores(cases, nearest(cases, data, settings)),
        "another held-out shape": _point_scores(cases, others),
        "true shape through the tokenizer": [
            _mesh_score(case, _decoded(shapes.tokenizer, case.shape, settings.cells)) for case in cases
        ],
        "true shape": [_truth(case) for case in cases],
    }
    title = f"Shapes of pictures kept out of training ({settings.split} split)"
    return Report(
        name="image_to_shape",
        heading="Image to shape",
        tables=[Table(title=title, rows={who: _row(rows) for who, rows in scores.items()}, notes=NOTES)],
        sections=[_section(cases, meshes, scores["model"], settings)],
        used={**asdict(settings), "sampling": asdict(pipeline.offer.sampling("image_to_shape"))},
    )


def nearest(cases: Sequence[Given], data: Path, settings: ImageSettings) -> list[Floats]:
    """Points of the training shape whose picture of the same kind is nearest in pixels."""
    known = given_both(pictured(data, "train", settings.neighbours, settings.seed), settings.seed)
    found = []
    for case in cases:
        pictures, shapes = known[case.kind]
        apart = np.abs(pictures - _thumbnail(case)).mean(axis=(1, 2, 3))
        found.append(shapes[int(np.argmin(apart))].points)
    return found


def given_both(shapes: Sequence[Pictured], seed: int) -> dict[str, tuple[Floats, list[Pictured]]]:
    """Small pictures (n, s, s, 3) of each kind, and the shapes they show."""
    rng = np.random.default_rng(seed)
    cases = [Given(shape=shape, view="front") for shape in shapes]
    lit = [Given(shape=shape, view=str(rng.choice(shape.lit))) for shape in shapes if shape.lit]
    return {
        kind: (np.stack([_thumbnail(case) for case in of_kind]), [case.shape for case in of_kind])
        for kind, of_kind in ((FRONT, cases), (LIT, lit))
        if of_kind
    }


def _thumbnail(case: Given) -> Floats:
    small = Image.fromarray(flat(case.shape.view(case.view))).resize((_SMALL, _SMALL), Image.Resampling.BOX)
    return np.asarray(small, np.float32)


def _decoded(tokenizer: ShapeTokenizer, shape: Pictured, cells: int) -> Mesh | None:
    field = reconstruct(tokenizer, shape.points[:ENCODED], shape.normals[:ENCODED])
    try:
        return extract_surface(field, cells=cells)
    except EmptySurfaceError:
        return None


def _mesh_score(case: Given, mesh: Mesh | None) -> Score:
    if mesh is None or len(mesh.faces) == 0:
        return Score(kind=case.kind)
    points = sample_surface(mesh.vertices, mesh.faces, COMPARED, np.random.default_rng(1))[0]
    scored = _distance(case, points)
    return Score(kind=case.kind, silhouette=_silhouette(case, mesh), **scored)


def _truth(case: Given) -> Score:
    scored = _distance(case, case.shape.points[-COMPARED:])
    return Score(kind=case.kind, silhouette=_silhouette(case, case.shape.mesh), **scored)


def _point_scores(cases: Sequence[Given], points: Sequence[Floats]) -> list[Score]:
    return [
        Score(kind=case.kind, **_distance(case, made[:COMPARED]))
        for case, made in zip(cases, points, strict=True)
    ]


def _distance(case: Given, points: Floats) -> dict[str, float]:
    distance = surface_distance(case.shape.points[:COMPARED], points)
    return {"chamfer": distance.chamfer, "f1": distance.f_score}


def _silhouette(case: Given, mesh: Mesh) -> float:
    return agreement([case.shape.view(case.view)], mesh, [case.shape.pose(case.view)])[0]


def _row(scores: Sequence[Score]) -> dict[str, Value]:
    row: dict[str, Value] = {}
    for label, kinds in (("all", (FRONT, LIT)), (FRONT, (FRONT,)), (LIT, (LIT,))):
        own = [score for score in scores if score.kind in kinds]
        for name, key in (("CD", "chamfer"), ("F1", "f1"), ("silhouette", "silhouette")):
            values = [value for score in own if (value := getattr(score, key)) is not None]
            row[f"{label} {name}"] = float(np.mean(values)) if values else None
    return row | {"failed": sum(score.chamfer is None for score in scores), "pictures": len(scores)}


def _section(
    cases: Sequence[Given], meshes: Sequence[Mesh | None], scores: Sequence[Score], settings: ImageSettings
) -> Section:
    size, panels = 176, []
    for number in sorted(drawn(len(cases), settings.shown)):
        case, mesh, score = cases[number], meshes[number], scores[number]
        picture = Image.fromarray(flat(case.shape.view(case.view))).resize((size, size))
        shown = [
            blank(size) if one is None else render(one, size, frame=case.shape.mesh, colored=True)
            for one in (mesh, case.shape.mesh)
        ]
        figures = "no surface" if score.chamfer is None else f"CD {score.chamfer:.3f}  F1 {score.f1:.2f}"
        panels.append(Panel(caption=f"{case.shape.caption}\n{figures}", images=(np.asarray(picture), *shown)))
    return Section(heading="Drawn by a seed, nothing picked: picture given, result, truth", panels=panels)
