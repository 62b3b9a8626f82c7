"""What every judge of shapes and words offers, and what it is shown of a shape.

n texts or shapes, P points, D embedding width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from backend.geometry.mesh import Mesh
from backend.geometry.sampling import sample_surface

POINTS = 8192  # uniform on the surface, as in the paper's evaluation (section 6)


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """Surface points (P, 3) float32 of a canonical shape, Z up, and their sRGB (P, 3) uint8 where known."""

    points: NDArray[np.float32]
    colors: NDArray[np.uint8] | None = None


def cloud(mesh: Mesh, seed: int = 0) -> Cloud:
    """POINTS points of a canonical mesh, with the colours of its vertices. ValueError without area."""
    rng = np.random.default_rng((seed, 8))
    points, _, faces = sample_surface(mesh.vertices, mesh.faces, POINTS, rng)
    if mesh.colors is None:
        return Cloud(points=points)
    colors = mesh.colors[mesh.faces[faces], :3].astype(np.float32).mean(axis=1)
    return Cloud(points=points, colors=np.round(colors).astype(np.uint8))


class Scorer(Protocol):
    """Embeds words and shapes in one space; rows of both have length 1, so their products are cosines."""

    @property
    def name(self) -> str: ...

    def texts(self, prompts: Sequence[str]) -> Tensor:
        """(n, D) float32."""
        ...

    def shapes(self, clouds: Sequence[Cloud]) -> Tensor:
        """(n, D) float32."""
        ...
