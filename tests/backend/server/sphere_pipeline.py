"""A real pipeline without a model: any prompt becomes a sphere, and some words make it misbehave.

"slow" takes until cancelled, "crash" ends the process, "crash once" only the first time, "refuse" and "break"
fail, "trip" makes the batch fail, "large" gives a mesh of many chunks and a coarse one too large for a frame.
An edit gives its source back; a picture is a gradient, a view one of its own brightness. Colours are red.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from backend.events import Coarse, Picture, PipelineEvent, Pixels, Progress, Request, Result, Sharpening
from backend.failures import Cancelled, RequestError, WeightsError
from backend.geometry.mesh import Mesh

TASKS = (
    "text_to_shape",
    "text_to_image",
    "text_to_image_shape",
    "image_to_shape",
    "edit_shape",
    "shape_to_views",
    "text_to_views_shape_views",
)


def load(weights: Path) -> SpherePipeline:
    state = (weights / "state").read_text()
    if state == "corrupt":
        raise WeightsError(f"{weights}/model.safetensors is cut short.")
    if state == "crash":
        os._exit(11)
    return SpherePipeline(weights)


class SpherePipeline:
    """A step of the batch is a token of every job; four jobs share it."""

    model_name = "sphere"
    jobs_at_once = 4

    def __init__(self, weights: Path) -> None:
        self._marker = weights / "crashed"
        self._trips = 0  # jobs in the batch that make a step fail

    def capabilities(self) -> dict[str, Any]:
        return {"tasks": list(TASKS), "box": True, "color": True, "torch": "torch" in sys.modules}

    def start(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[PipelineEvent | None]:
        trips = "trip" in request.prompt.split()
        self._trips += trips
        try:
            yield from self._events(request, cancelled)
        finally:
            self._trips -= trips

    def advance(self) -> None:
        time.sleep(0.001)
        if self._trips:
            raise MemoryError

    def _events(self, request: Request, cancelled: Callable[[], bool]) -> Iterator[PipelineEvent | None]:
        words = request.prompt.split()
        rings = 200 if "large" in words else 16
        pictures = []
        if request.task in ("text_to_image", "text_to_image_shape"):
            yield Progress(stage="image tokens", done=1, total=1)
            for side in (4, 300):
                yield Sharpening(image=gradient(side))
            pictures = [Picture(image=gradient(300))]
            yield pictures[0]
        for number, view in enumerate((*request.image_views, *request.views)):
            yield Progress(stage="image tokens", done=1, total=1)
            pictures.append(Picture(image=gradient(8, 40 * number), view=view, segment=number))
            yield pictures[-1]
        if request.task in ("text_to_image", "shape_to_views"):
            yield Result(pictures=tuple(pictures), seconds={"image tokens": 0.1})
            return
        yield from self._tokens(words, rings, cancelled)
        yield Result(
            mesh=coloured(request.mesh or boxed(sphere(rings), request.box), request.color),
            pictures=tuple(pictures),
            tokens=np.full(16, request.seed % 100, np.uint16),
            seconds={"shape tokens": 0.1},
        )

    def _tokens(
        self, words: list[str], rings: int, cancelled: Callable[[], bool]
    ) -> Iterator[PipelineEvent | None]:
        steps = 10_000 if "slow" in words else 5
        for step in range(steps):
            if cancelled():
                raise Cancelled
            yield Progress(stage="shape tokens", done=step + 1, total=steps, seconds_left=0.0)
            if step == 2:
                yield Coarse(mesh=sphere(rings // 2))
                self._misbehave(words)
            yield None

    def _misbehave(self, words: list[str]) -> None:
        if "refuse" in words:
            raise RequestError("bad_option", "A sphere has no corners.", "Ask for something round.")
        if "break" in words:
            raise ZeroDivisionError("secret detail")
        if "crash" in words and not ("once" in words and self._marker.exists()):
            self._marker.touch()
            os.kill(os.getpid(), signal.SIGTERM if os.name == "nt" else signal.SIGKILL)


def gradient(side: int, darkest: int = 0) -> Pixels:
    """Dark to bright from top to bottom."""
    ramp = np.linspace(darkest, 255, side).astype(np.uint8)
    image = np.full((side, side, 4), 255, np.uint8)
    image[..., :3] = ramp[:, None, None]
    return image


def coloured(mesh: Mesh, wanted: bool) -> Mesh:
    if not wanted:
        return mesh
    return replace(mesh, colors=np.tile(np.uint8([200, 30, 20, 255]), (len(mesh.vertices), 1)))


def boxed(mesh: Mesh, sides: tuple[float, float, float] | None) -> Mesh:
    """Stretched to the proportions of a box."""
    if sides is None:
        return mesh
    stretch = np.asarray(sides, np.float32) / max(sides)
    return Mesh(vertices=mesh.vertices * stretch, faces=mesh.faces)


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
