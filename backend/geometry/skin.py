"""Points of a shape's outer surface: what shape encoders read, in training and of an artist's mesh alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.geometry.labels import MeshField
from backend.geometry.sampling import sample_surface

Floats = NDArray[np.float32]
_ROUNDS = 4  # of sampling, until enough points lie on the skin


@dataclass(frozen=True, kw_only=True)
class Skin:
    """Points of the outer surface, shuffled: any slice is a sample."""

    points: Floats  # (n, 3)
    normals: Floats  # (n, 3) outward
    face: NDArray[np.int64]  # (n,) of the field's faces
    share: float  # of all points tried that lie on the skin


def skin(field: MeshField, n: int, rng: np.random.Generator) -> Skin:
    """Points that no other part buries; any points where all are buried."""
    found: list[tuple[Any, ...]] = []
    tried = kept = 0
    for _ in range(_ROUNDS):
        rate = max(kept / tried, 0.1) if tried else 0.9
        batch = sample_surface(field.vertices, field.faces, int((n - kept) / rate * 1.05) + 16, rng)
        outer = field.exposed(batch[0], batch[1])
        found.append(tuple(array[outer] for array in batch))
        tried, kept = tried + len(outer), kept + int(outer.sum())
        if kept >= n:
            break
    if kept == 0:
        found = [sample_surface(field.vertices, field.faces, n, rng)]
    points, normals, face = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    chosen = np.arange(n) if len(points) >= n else rng.choice(len(points), size=n)
    return Skin(points=points[chosen], normals=normals[chosen], face=face[chosen], share=kept / tried)
