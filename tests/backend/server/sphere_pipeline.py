"""A real pipeline without a model: any prompt becomes a sphere, and some words make it misbehave.

"slow" takes until cancelled, "stuck" does not even look, "crash" ends the process,
"crash once" only the first time,
"refuse" and "break" fail, "large" gives a mesh of many chunks and a coarse one too large for a frame.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from backend.events import Coarse, PipelineEvent, Progress, Request, Result
from backend.failures import Cancelled, RequestError, WeightsError
from backend.geometry.mesh import Mesh


def load(weights: Path) -> SpherePipeline:
    state = (weights / "state").read_text()
    if state == "corrupt":
        raise WeightsError(f"{weights}/model.safetensors is cut short.")
    if state == "crash":
        os._exit(11)
    return SpherePipeline(weights)


class SpherePipeline:
    model_name = "sphere"

    def __init__(self, weights: Path) -> None:
        self._marker = weights / "crashed"

    def capabilities(self) -> dict[str, Any]:
        return {"tasks": ["text_to_shape"], "torch": "torch" in sys.modules}

    def run(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[PipelineEvent]:
        words = request.prompt.split()
        steps = 10_000 if "slow" in words else 5
        rings = 200 if "large" in words else 16
        for step in range(steps):
            if cancelled():
                raise Cancelled
            yield Progress(stage="shape tokens", done=step + 1, total=steps, seconds_left=0.0)
            if step == 2:
                yield Coarse(mesh=sphere(rings // 2))
                self._misbehave(words)
            time.sleep(0.001)
        tokens = np.full(16, request.seed % 100, np.uint16)
        yield Result(mesh=sphere(rings), tokens=tokens, seconds={"shape tokens": 0.1})

    def _misbehave(self, words: list[str]) -> None:
        if "refuse" in words:
            raise RequestError("bad_option", "A sphere has no corners.", "Ask for something round.")
        if "break" in words:
            raise ZeroDivisionError("secret detail")
        if "stuck" in words:
            time.sleep(60)
        if "crash" in words and not ("once" in words and self._marker.exists()):
            self._marker.touch()
            os.kill(os.getpid(), signal.SIGTERM if os.name == "nt" else signal.SIGKILL)


def sphere(rings: int) -> Mesh:
    """Latitude and longitude grid of unit radius: rings * 2 * rings quads as triangles."""
    polar, around = np.meshgrid(np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, 2 * rings + 1))
    points = np.stack(
        [np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], axis=-1
    )
    corner = np.arange(2 * rings)[:, None] * (rings + 1) + np.arange(rings)
    quads = np.stack([corner, corner + 1, corner + rings + 2, corner + rings + 1], axis=-1).reshape(-1, 4)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    return Mesh(vertices=points.reshape(-1, 3).astype(np.float32), faces=faces)
