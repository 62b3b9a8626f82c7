"""What goes into the pipeline and what comes out of it.

Free of torch, so that the server's worker and its tests may import it without a model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .geometry.mesh import Mesh

Pixels = NDArray[np.uint8]  # (height, width, 4) sRGB with alpha, first row on top


@dataclass(frozen=True, kw_only=True)
class Request:
    """One job. A setting left None is the model's own default.

    A source shape comes as its mesh or as its codes, never as both.
    """

    task: str = "text_to_shape"
    prompt: str = ""
    seed: int = 0
    guidance: float | None = None
    source_guidance: float | None = None  # how strongly the source counts, beside the words
    temperature: float | None = None
    top_p: float | None = None
    cells: int | None = None  # surface grid cells per side
    faces: int | None = None  # simplify to about this many
    smoothing: float | None = None  # 0 as extracted, 1 as smooth as can be
    watertight: bool = False
    color: bool = False  # colours of the mesh's vertices, from six views of it
    box: tuple[float, float, float] | None = None  # sides along x, y, z in any unit: only ratios matter
    views: tuple[str, ...] = ()  # views wanted, in order
    images: tuple[Pixels, ...] = ()
    image_views: tuple[str, ...] = ()  # the view each image shows; empty where no view is known
    mesh: Mesh | None = None
    tokens: NDArray[np.uint16] | None = None  # (n,) codes of the source shape instead; never of an edit's


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`done` of `total` steps of `stage`.

    Stages: "reading prompt", "reading source", "image tokens", "shape tokens", "surface", "colour".
    """

    stage: str
    done: int
    total: int
    seconds_left: float | None = None


@dataclass(frozen=True, kw_only=True)
class Coarse:
    """A first idea of the mesh while tokens still arrive; the latest is all that counts."""

    mesh: Mesh


@dataclass(frozen=True, kw_only=True)
class Sharpening:
    """A picture while its tokens still arrive; the latest is all that counts."""

    image: Pixels
    view: str | None = None
    segment: int = 0  # which target of the task's chain


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A finished picture of a chain that may go on."""

    image: Pixels
    view: str | None = None
    segment: int = 0  # which target of the task's chain


@dataclass(frozen=True, kw_only=True)
class Result:
    """The last event of a run: what the task makes, the rest empty."""

    mesh: Mesh | None = None  # of edit_shape: in the source mesh's frame
    pictures: tuple[Picture, ...] = ()
    tokens: NDArray[np.uint16] | None = None  # (n,) codes of the shape; none of an edited one
    seconds: dict[str, float]  # per stage


PipelineEvent = Progress | Coarse | Sharpening | Picture | Result
