"""What encoders and fields are trained on: points of a shape's skin, and queries near it and anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.geometry.canonical import BOUNDS
from backend.geometry.labels import MeshField
from backend.geometry.sampling import face_normals, sample_surface
from backend.geometry.skin import Skin, skin
from training.data.geometry.settings import GeometrySettings

Floats = NDArray[np.float32]


def queries(surface: Floats, settings: GeometrySettings, rng: np.random.Generator) -> NDArray[np.float16]:
    """(n_near + n_uniform, 3) in the field's domain: first those near points of the surface (n, 3).

    Half precision before anything is measured there, so that distances belong to what is stored.
    """
    start = surface[rng.integers(len(surface), size=settings.n_near)]
    scale = np.resize(np.array(settings.near_scales), settings.n_near)
    near = start + rng.normal(size=start.shape) * scale[:, None]
    uniform = rng.uniform(-BOUNDS, BOUNDS, (settings.n_uniform, 3))
    rounded: NDArray[np.float16] = np.clip(np.concatenate([near, uniform]), -BOUNDS, BOUNDS).astype(
        np.float16
    )
    return rounded


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """One shape, sampled and labelled."""

    points: Floats  # (n, 3) on the skin
    normals: Floats  # (n, 3)
    face: NDArray[np.int64] | None  # (n,) of the faces that were given; None: not of a mesh
    colors: NDArray[np.uint8] | None  # (n, 3) sRGB, where the shape itself knows them
    queries: NDArray[np.float16]  # (q, 3)
    near: NDArray[np.bool_]  # (q,) near the surface, not anywhere
    distances: Floats  # (q,) NEGATIVE inside
    facts: dict[str, Any]


def sample_mesh(
    vertices: NDArray[Any], faces: NDArray[Any], settings: GeometrySettings, rng: np.random.Generator
) -> Sampled:
    """Any triangle mesh in the canonical frame. Raises ValueError when no face has area."""
    field = MeshField(
        vertices,
        faces,
        sheet_thickness=settings.sheet_thickness,
        min_thickness=settings.min_thickness,
    )
    outer = skin(field, settings.n_points, rng)
    capped, surface = _zero_level(field, outer, rng)
    asked = queries(surface, settings, rng)
    distances = field.distance(asked)
    sheet, thin = field.sheet[outer.face], field.half[outer.face] > 0
    return Sampled(
        points=outer.points,
        normals=outer.normals,
        face=field.origin[outer.face],
        colors=None,
        queries=asked,
        near=np.arange(len(asked)) < settings.n_near,
        distances=distances,
        facts={
            "exact": False,
            "sheets": round(float(sheet.mean()), 4),  # share of the skin
            "thickened": round(float((thin & ~sheet).mean()), 4),  # share of the skin
            "capped": round(capped, 4),  # area of what closes the solids, to that of the skin
            "buried": round(1.0 - outer.share, 4),  # share of the surface
        },
    )


def _zero_level(field: MeshField, outer: Skin, rng: np.random.Generator) -> tuple[float, Floats]:
    """How much of the field's surface the skin lacks, and points of all of it: skin, lifted, and caps."""
    side = np.where(field.sheet[outer.face] & (rng.random(len(outer.face)) < 0.5), -1.0, 1.0)
    lifted = outer.points + (side * field.half[outer.face])[:, None] * outer.normals
    if len(field.caps) == 0:
        return 0.0, lifted.astype(np.float32)
    _, areas = face_normals(field.vertices[field.faces])
    _, missing = face_normals(field.caps)
    capped = float(missing.sum() / (areas.sum() * max(outer.share, 0.01)))
    corners, faces = field.caps.reshape(-1, 3), np.arange(3 * len(field.caps)).reshape(-1, 3)
    points, _, _ = sample_surface(corners, faces, int(len(lifted) * min(capped, 1.0)) + 1, rng)
    return capped, np.concatenate([lifted, points]).astype(np.float32)


def sample_solid(
    surface: Callable[[int, np.random.Generator], tuple[Floats, Floats, NDArray[np.uint8]]],
    distance: Callable[[Floats], Floats],
    settings: GeometrySettings,
    rng: np.random.Generator,
) -> Sampled:
    """A shape that knows its own distances."""
    points, normals, colors = surface(settings.n_points, rng)
    asked = queries(points, settings, rng)
    return Sampled(
        points=points,
        normals=normals,
        face=None,
        colors=colors,
        queries=asked,
        near=np.arange(len(asked)) < settings.n_near,
        distances=distance(asked.astype(np.float32)),
        facts={"exact": True, "sheets": 0.0, "thickened": 0.0, "capped": 0.0, "buried": 0.0},
    )
