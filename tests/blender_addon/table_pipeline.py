"""A pipeline without a model for looking at: any prompt becomes a table, at the pace of a real one.

serve --pipeline tests.blender_addon.table_pipeline:load
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backend.events import Coarse, PipelineEvent, Progress, Request, Result
from backend.failures import Cancelled
from backend.geometry.surface import extract_surface

TOKENS = 256
SECONDS = 4.0  # all tokens take


def load(weights: Path) -> TablePipeline:
    return TablePipeline()


class TablePipeline:
    model_name = "table"

    def capabilities(self) -> dict[str, Any]:
        return {"tasks": ["text_to_shape"]}

    def run(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[PipelineEvent]:
        yield Progress(stage="reading prompt", done=1, total=1)
        for token in range(TOKENS):
            if cancelled():
                raise Cancelled
            left = SECONDS * (1 - token / TOKENS)
            yield Progress(stage="shape tokens", done=token + 1, total=TOKENS, seconds_left=left + 0.5)
            if token in (TOKENS // 3, TOKENS * 2 // 3):
                yield Coarse(mesh=extract_surface(table, cells=24 if token < TOKENS // 2 else 32))
            time.sleep(SECONDS / TOKENS)
        yield Progress(stage="surface", done=0, total=1, seconds_left=0.5)
        mesh = extract_surface(table, cells=request.cells or 96)
        tokens = np.arange(TOKENS, dtype=np.uint16)
        yield Result(mesh=mesh, tokens=tokens, seconds={"shape tokens": SECONDS, "surface": 0.5})


def table(points: torch.Tensor) -> torch.Tensor:
    """A round top on four legs: (P, 3) -> (P,) logits, positive inside."""
    x, y, z = points.unbind(-1)
    top = _least(0.92 - torch.hypot(x, y), 0.09 - (z - 0.45).abs())
    legs = _least(0.10 - torch.hypot(x.abs() - 0.55, y.abs() - 0.55), 0.48 - (z + 0.02).abs())
    return 20 * torch.maximum(top, legs)


def _least(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return torch.minimum(first, second)
