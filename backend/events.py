"""What goes into the pipeline and what comes out of it.

Free of torch, so that the server's worker and its tests may import it without a model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .geometry.mesh import Mesh


@dataclass(frozen=True, kw_only=True)
class Request:
    """One job. A setting left None is the model's own default."""

    task: str = "text_to_shape"
    prompt: str
    seed: int = 0
    guidance: float | None = None
    temperature: float | None = None
    top_p: float | None = None
    cells: int | None = None  # surface grid cells per side


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`done` of `total` steps of `stage`: "reading prompt", "shape tokens" or "surface"."""

    stage: str
    done: int
    total: int
    seconds_left: float | None = None


@dataclass(frozen=True, kw_only=True)
class Coarse:
    """A first idea of the mesh while tokens still arrive."""

    mesh: Mesh


@dataclass(frozen=True, kw_only=True)
class Result:
    """The last event of a run."""

    mesh: Mesh
    tokens: NDArray[np.uint16]  # (n_shape_tokens,)
    seconds: dict[str, float]  # per stage


PipelineEvent = Progress | Coarse | Result
