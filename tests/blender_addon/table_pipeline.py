"""A pipeline without a model for looking at: any prompt becomes a table, at the pace of a real one.

It draws pictures and fills boxes.

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

TOKENS = 256
SECONDS = 4.0  # all tokens take


def load(weights: Path) -> TablePipeline:
    return TablePipeline()


class TablePipeline:
    model_name = "table"
    jobs_at_once = 2

    def capabilities(self) -> dict[str, Any]:
        return {"tasks": ["text_to_shape", "text_to_image_shape"], "box": True}

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
        for token in self._tokens("shape tokens", cancelled):
            yield token
            if isinstance(token, Progress) and token.done in (TOKENS // 3, TOKENS * 2 // 3):
                yield Coarse(mesh=extract_surface(table, cells=24 if token.done < TOKENS // 2 else 32))
        yield Progress(stage="surface", done=0, total=1, seconds_left=0.5)
        mesh = boxed(extract_surface(table, cells=request.cells or 96), request.box)
        yield Result(
            mesh=mesh,
            pictures=tuple(pictures),
            tokens=np.arange(TOKENS, dtype=np.uint16),
            seconds={"shape tokens": SECONDS, "surface": 0.5},
        )

    def advance(self) -> None:
        time.sleep(SECONDS / TOKENS)

    def _tokens(self, stage: str, cancelled: Callable[[], bool]) -> Iterator[Progress | None]:
        for token in range(TOKENS):
            if cancelled():
                raise Cancelled
            left = SECONDS * (1 - token / TOKENS)
            yield Progress(stage=stage, done=token + 1, total=TOKENS, seconds_left=left + 0.5)
            yield None


def top_view(side: int) -> Pixels:
    """The table's round top, brown on nothing."""
    row = np.linspace(-1, 1, max(side, 2))
    inside = np.hypot(row[:, None], row) < 0.92
    return np.where(inside[..., None], np.uint8([150, 100, 60, 255]), np.uint8([0, 0, 0, 0]))


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
