"""A pipeline without a model for looking at: any prompt becomes a table, at the pace of a real one.

It draws pictures and views, fills boxes and colours shapes; an edit puts a ball on top of its source.

serve --pipeline tests.blender_addon.table_pipeline:load
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backend.events import Coarse, Picture, PipelineEvent, Pixels, Progress, Request, Result, Sharpening
from backend.failures import Cancelled
from backend.geometry.mesh import Mesh
from backend.geometry.surface import extract_surface

TASKS = (
    "text_to_shape",
    "text_to_image_shape",
    "image_to_shape",
    "edit_shape",
    "shape_to_views",
    "text_to_views_shape_views",
)
TOKENS = 256
SECONDS = 4.0  # all tokens take


def load(weights: Path) -> TablePipeline:
    return TablePipeline()


class TablePipeline:
    model_name = "table"
    jobs_at_once = 2

    def capabilities(self) -> dict[str, Any]:
        return {"tasks": list(TASKS), "box": True, "color": True}

    def start(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[PipelineEvent | None]:
        yield Progress(stage="reading prompt", done=1, total=1)
        pictures = []
        if request.task == "text_to_image_shape":
            for token in self._tokens("image tokens", cancelled):
                if isinstance(token, Progress) and token.done % (TOKENS // 8) == 0:
                    yield Sharpening(image=top_view(4 * token.done // (TOKENS // 8)))
                yield token
            pictures = [Picture(image=top_view(256))]
            yield pictures[0]
        for number, view in enumerate((*request.image_views, *request.views)):
            yield from self._tokens("image tokens", cancelled, TOKENS // 8)
            pictures.append(Picture(image=top_view(128, 25 * number), view=view, segment=number))
            yield pictures[-1]
        if request.task == "shape_to_views":
            yield Result(pictures=tuple(pictures), seconds={"image tokens": SECONDS})
            return
        for token in self._tokens("shape tokens", cancelled):
            yield token
            if isinstance(token, Progress) and token.done in (TOKENS // 3, TOKENS * 2 // 3):
                yield Coarse(mesh=extract_surface(table, cells=24 if token.done < TOKENS // 2 else 32))
        yield Progress(stage="surface", done=0, total=1, seconds_left=0.5)
        made = boxed(extract_surface(table, cells=request.cells or 96), request.box)
        mesh = made if request.mesh is None else with_ball(request.mesh)
        yield Result(
            mesh=coloured(mesh) if request.color else mesh,
            pictures=tuple(pictures),
            tokens=np.arange(TOKENS, dtype=np.uint16),
            seconds={"shape tokens": SECONDS, "surface": 0.5},
        )

    def advance(self) -> None:
        time.sleep(SECONDS / TOKENS)

    def _tokens(
        self, stage: str, cancelled: Callable[[], bool], count: int = TOKENS
    ) -> Iterator[Progress | None]:
        for token in range(count):
            if cancelled():
                raise Cancelled
            left = SECONDS * (count - token) / TOKENS
            yield Progress(stage=stage, done=token + 1, total=count, seconds_left=left + 0.5)
            yield None


def top_view(side: int, shade: int = 0) -> Pixels:
    """The table's round top, brown on nothing."""
    row = np.linspace(-1, 1, max(side, 2))
    inside = np.hypot(row[:, None], row) < 0.92
    return np.where(inside[..., None], np.uint8([150, 100, 60 + shade, 255]), np.uint8([0, 0, 0, 0]))


def with_ball(mesh: Mesh) -> Mesh:
    """On the middle of the top, half as wide as the shape."""
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    ball = extract_surface(lambda points: 5 * (0.9 - points.norm(dim=-1)), cells=24)
    middle = np.array([*(low + high)[:2] / 2, high[2]], np.float32)
    vertices = ball.vertices * np.float32((high - low).max() / 4) + middle
    return Mesh(
        vertices=np.concatenate([mesh.vertices, vertices]),
        faces=np.concatenate([mesh.faces, ball.faces + np.int32(len(mesh.vertices))]),
    )


def coloured(mesh: Mesh) -> Mesh:
    """Green below, red above."""
    height = mesh.vertices[:, 2]
    share = ((height - height.min()) / max(float(np.ptp(height)), 1e-6))[:, None]
    colors = (1 - share) * np.array([40, 140, 60, 255]) + share * np.array([210, 60, 40, 255])
    return replace(mesh, colors=colors.round().astype(np.uint8))


def boxed(mesh: Mesh, sides: tuple[float, float, float] | None) -> Mesh:
    """Stretched to the proportions of a box."""
    if sides is None:
        return mesh
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    wanted = np.asarray(sides, np.float32) / max(sides) * 1.92
    return replace(mesh, vertices=(mesh.vertices - (low + high) / 2) * wanted / (high - low))


def table(points: torch.Tensor) -> torch.Tensor:
    """A round top on four legs: (P, 3) -> (P,) logits, positive inside."""
    x, y, z = points.unbind(-1)
    top = _least(0.92 - torch.hypot(x, y), 0.09 - (z - 0.45).abs())
    legs = _least(0.10 - torch.hypot(x.abs() - 0.55, y.abs() - 0.55), 0.48 - (z + 0.02).abs())
    return 20 * torch.maximum(top, legs)


def _least(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return torch.minimum(first, second)
