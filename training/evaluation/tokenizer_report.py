"""What a shape tokenizer leaves of shapes kept out of training, and how its codes are used, as a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from backend.geometry.labels import MeshField
from backend.geometry.skin import skin
from backend.shape_tokenizer.interface import ShapeTokenizer
from training.data.geometry.settings import GeometrySettings
from training.evaluation import reconstruction
from training.evaluation.pictured import pictured
from training.evaluation.reconstruction import POINTS, Scored, codebook_health, drawn
from training.evaluation.report import Report
from training.evaluation.shapes import KnownShape, procedural_shapes
from training.evaluation.sheets import Section
from training.evaluation.tables import Table, Value

FIRST_SEED = 10_000_000  # of procedural objects that no training set holds
_NAMES = {
    "iou": "IoU",
    "iou_near": "IoU near",
    "iou_thin": "IoU thin",
    "chamfer": "CD",
    "chamfer_floor": "CD floor",
    "f_score": "F-score",
    "f_score_floor": "F-score floor",
    "normal_consistency": "normal consistency",
}


def tokenizer_report(
    tokenizer: ShapeTokenizer,
    data: Path,
    *,
    split: str = "val",
    count: int = 24,
    cells: int = 96,
    shown: int = 24,
) -> Report:
    """Of `count` shapes of the data and as many procedural objects of unseen seeds. Raises DataError."""
    known = {
        f"{split} split": list(data_shapes(data, split, count)),
        "unseen procedural objects": list(procedural_shapes(range(FIRST_SEED, FIRST_SEED + count), POINTS)),
    }
    made: dict[str, list[Scored]] = {}
    for title, shapes in known.items():
        chosen = drawn(len(shapes), shown // 2)
        made[title] = reconstruction.evaluate(tokenizer, shapes, cells=cells, shown=chosen)
    notes = [f"{_NAMES[key]}: {reconstruction.DEFINITIONS[key]}" for key in _NAMES]
    health = "codes used and their perplexity: of all tokens of these shapes"
    return Report(
        name="shape_tokenizer",
        heading="Shape tokenizer",
        tables=[
            Table(
                title="What is left of a shape after its tokens, means",
                rows={title: _row(tokenizer, rows) for title, rows in made.items()},
                notes=[*notes, health, f"surfaces of {cells} cells along one axis"],
            )
        ],
        sections=[
            Section(
                heading=f"{title}: original and what is left of it",
                panels=[row.panel for row in rows if row.panel is not None],
            )
            for title, rows in made.items()
        ],
        columns=6,
        used={"split": split, "shapes": {title: len(rows) for title, rows in made.items()}, "cells": cells},
    )


def data_shapes(data: Path, split: str, count: int) -> Iterator[KnownShape]:
    """Shapes of a data folder, drawn by a seed, labelled from their meshes as training labels them."""
    settings = GeometrySettings()
    for shape in pictured(data, split, count):
        mesh = shape.mesh
        field = MeshField(
            mesh.vertices,
            mesh.faces,
            sheet_thickness=settings.sheet_thickness,
            min_thickness=settings.min_thickness,
        )
        found = skin(field, POINTS, np.random.default_rng(0))
        yield KnownShape(
            name=shape.caption,
            group=split,
            mesh=mesh,
            points=np.asarray(found.points, np.float32),
            normals=np.asarray(found.normals, np.float32),
            distance=field.distance,
        )


def _row(tokenizer: ShapeTokenizer, rows: Sequence[Scored]) -> dict[str, Value]:
    row: dict[str, Value] = {}
    for key, name in _NAMES.items():
        values = [value for one in rows if (value := getattr(one.scores, key)) is not None]
        row[name] = float(np.mean(values)) if values else None
    health = codebook_health(np.stack([one.codes for one in rows]), tokenizer.config.n_codes)
    row["codes used"] = f"{health['used']:.0f} of {health['codes']:.0f}"
    row["perplexity"] = health["perplexity"]
    return row | {"empty": sum(one.scores.chamfer is None for one in rows), "shapes": len(rows)}
