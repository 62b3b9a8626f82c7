"""Shapes that a model folder makes of prompts, kept in a folder, so that a stopped evaluation goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from backend import checkpoint
from backend.events import Request
from backend.geometry import canonical
from backend.geometry.mesh import Mesh
from backend.jobs import RunsJobs
from training.evaluation.requests import Answer, in_order

TEXT_TO_SHAPE, ONE_CHAIN, TWO_STAGES = "text to shape", "text to picture to shape", "two stages"
# Of each way, the tasks it needs. Two stages hand the picture over alone, as a text-to-image model and an
# image-to-3D model would (paper, section 6: two-stage baselines); the chain keeps words and tokens.
WAYS: dict[str, tuple[str, ...]] = {
    TEXT_TO_SHAPE: ("text_to_shape",),
    ONE_CHAIN: ("text_to_image_shape",),
    TWO_STAGES: ("text_to_image", "image_to_shape"),
}

_AT_ONCE = 8  # prompts whose shapes are kept together


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a prompt came to."""

    mesh: Mesh | None  # canonical frame, with colours where the model gave them
    failure: str = ""  # the sentence an artist would read


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Settings that all requests of an evaluation share."""

    seed: int = 0
    cells: int | None = 64  # of the surface grid, per side
    color: bool = False


class Maker:
    """A model folder, loaded when something is missing from the kept folder."""

    def __init__(self, weights: Path, kept: Path, load: Callable[[Path], RunsJobs]) -> None:
        self.weights, self.kept, self._load = weights, kept, load
        self.name, self.info = weights.name, checkpoint.read_config(weights)[0]
        self._made_of = fingerprint(weights)
        self._pipeline: RunsJobs | None = None

    def ways(self) -> tuple[str, ...]:
        """Those whose tasks the model offers."""
        return tuple(way for way, tasks in WAYS.items() if set(tasks) <= set(self.info.tasks))

    def shapes(
        self, way: str, prompts: Sequence[str], wish: Wish, watch: Callable[[int], None] = lambda done: None
    ) -> list[Made]:
        """One shape of each prompt; `watch` hears how many are done."""
        places = [self._place(way, prompt, wish) for prompt in prompts]
        for start in range(0, len(prompts), _AT_ONCE):
            part = range(start, min(start + _AT_ONCE, len(prompts)))
            missing = [row for row in part if not places[row].is_file()]
            made = self._make(way, [prompts[row] for row in missing], wish)
            for row, one in zip(missing, made, strict=True):
                write(one, places[row])
            watch(part.stop)
        return [read(place) for place in places]

    def _place(self, way: str, prompt: str, wish: Wish) -> Path:
        words = json.dumps([self._made_of, way, prompt, vars(wish)], sort_keys=True)
        return self.kept / f"{hashlib.sha256(words.encode()).hexdigest()[:24]}.safetensors"

    def _make(self, way: str, prompts: Sequence[str], wish: Wish) -> list[Made]:
        if not prompts:
            return []
        if self._pipeline is None:
            self._pipeline = self._load(self.weights)
        first, *then = WAYS[way]
        plain = Request(seed=wish.seed, cells=wish.cells)
        asked = [replace(plain, task=first, prompt=text, color=wish.color and not then) for text in prompts]
        ends = in_order(self._pipeline, asked)
        for task in then:
            drawn = {row: end.result.pictures[0] for row, end in enumerate(ends) if end.result is not None}
            asked = [
                replace(plain, task=task, images=(picture.image,), color=wish.color)
                for picture in drawn.values()
            ]
            for row, end in zip(drawn, in_order(self._pipeline, asked), strict=True):
                ends[row] = end
        return [_made(end) for end in ends]


def _made(end: Answer) -> Made:
    mesh = None if end.result is None else end.result.mesh
    if mesh is None or len(mesh.faces) == 0:
        return Made(mesh=None, failure=end.failure or "There is no mesh.")
    vertices = canonical.fit(mesh.vertices).to_canonical(mesh.vertices).astype(np.float32)
    return Made(mesh=replace(mesh, vertices=vertices))


def fingerprint(weights: Path) -> str:
    """Of a model folder's configuration and weights."""
    digest = hashlib.sha256()
    for path in sorted([weights / checkpoint.CONFIG, *weights.glob("*.safetensors")]):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def write(made: Made, path: Path) -> None:
    """Atomic: a file is whole, or not there."""
    arrays: dict[str, NDArray[Any]] = {}
    if made.mesh is not None:
        arrays = {"vertices": made.mesh.vertices, "faces": made.mesh.faces}
        if made.mesh.colors is not None:
            arrays["colors"] = made.mesh.colors
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    contiguous = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    save_file(contiguous, unfinished, {"failure": made.failure})
    unfinished.replace(path)


def read(path: Path) -> Made:
    """What `write` wrote."""
    with safe_open(path, framework="numpy") as file:
        failure = (file.metadata() or {}).get("failure", "")
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no dict
    if not arrays:
        return Made(mesh=None, failure=failure)
    return Made(mesh=Mesh(vertices=arrays["vertices"], faces=arrays["faces"], colors=arrays.get("colors")))
