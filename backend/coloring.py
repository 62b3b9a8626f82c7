"""Colour on arrival: which views a finished shape is coloured from, and how its vertices come by colours."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import igl
import numpy as np
from numpy.typing import NDArray

from backend.events import Pixels, Request
from backend.geometry.mesh import Mesh
from backend.geometry.projection import project
from backend.sampling import SamplingSettings
from backend.sequence import VIEWS, Layout
from backend.tasks import TASKS

NEEDED = "shape_to_views"  # the task without which a model cannot colour


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A chain that draws views of the finished shape from codes that are there by then."""

    layout: Layout
    of: Literal["shape", "source", "target"]  # the shape itself, or a picture that was given or made
    number: int = 0  # of the picture, among the sources or the targets


@dataclass(frozen=True, kw_only=True)
class Coloring:
    """How a shape is coloured."""

    drawings: tuple[Drawing, ...]
    words: bool  # whether the prompt says what the shape is; an instruction does not
    settings: SamplingSettings


def coloring(
    request: Request, layout: Layout, settings: SamplingSettings, tasks: Collection[str]
) -> Coloring:
    """Views that the task itself draws are taken as they are; the others follow its picture, or its shape."""
    modalities = [segment.modality for segment in layout.prefix]
    words = bool(request.prompt.strip()) and "shape" not in modalities
    if not words:  # the source is all there is to follow
        settings = replace(settings, source_guidance=max(settings.source_guidance, settings.guidance))
    made = [segment.view for segment in layout.targets if segment.modality == "image" and segment.view]
    missing = [view for view in VIEWS if view not in made]
    picture = _picture(layout) if "image_to_view" in tasks else None
    drawings: tuple[Drawing, ...] = ()
    if picture is not None:
        of, number, view = picture
        known = [view] if view is not None else []
        one = TASKS["image_to_view"]
        drawings = tuple(
            Drawing(layout=one.layout(known, [wanted]), of=of, number=number) for wanted in missing
        )
    elif missing:
        drawings = (Drawing(layout=TASKS[NEEDED].layout(views=missing), of="shape"),)
    return Coloring(drawings=drawings, words=words, settings=settings)


def _picture(layout: Layout) -> tuple[Literal["source", "target"], int, str | None] | None:
    """The first picture made, with its view, or else the first given, which may be framed in any way."""
    for number, segment in enumerate(layout.targets):
        if segment.modality == "image":
            return "target", number, segment.view
    for number, segment in enumerate(layout.prefix):
        if segment.modality == "image":
            return "source", number, None
    return None


def colored(
    mesh: Mesh, kept: NDArray[np.bool_] | None, source: Mesh | None, views: Mapping[str, Pixels]
) -> Mesh:
    """A canonical mesh, Z up, with colours from `views`; where `kept` of (n,), with those of its source.

    Without views all of it takes after the nearest places of the source.
    """
    colors = project(mesh.vertices, mesh.faces, views) if views else None
    if source is not None and source.colors is not None:
        if colors is None or kept is None:
            colors = nearest_colors(source, mesh.vertices)
        elif kept.any():
            colors[kept] = nearest_colors(source, mesh.vertices[kept])
    return replace(mesh, colors=colors)


def nearest_colors(mesh: Mesh, points: NDArray[Any]) -> NDArray[np.uint8]:
    """(n, 4) colours of a coloured mesh at the nearest places of its surface to points (n, 3)."""
    assert mesh.colors is not None
    corners, faces = mesh.vertices.astype(np.float64), mesh.faces.astype(np.int64)
    _, face, place = igl.point_mesh_squared_distance(np.asarray(points, np.float64), corners, faces)
    a, b, c = (corners[faces[face, corner]] for corner in range(3))
    shares = igl.barycentric_coordinates(place, a, b, c)
    shares = np.clip(np.where(np.isfinite(shares), shares, 1 / 3), 0, 1)
    mixed = np.einsum("nk,nkc->nc", shares, mesh.colors[faces[face]].astype(np.float64))
    rounded: NDArray[np.uint8] = np.round(mixed).clip(0, 255).astype(np.uint8)
    return rounded
