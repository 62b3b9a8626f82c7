"""Small exact shapes, and a fresh accelerate for every run."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from accelerate.state import AcceleratorState

from training.data.shape_samples import ShapeSamples


@pytest.fixture(autouse=True)
def fresh_accelerator() -> Iterator[None]:
    """accelerate keeps one state per process and refuses a second precision."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def balls() -> ShapeSamples:
    """Eight balls off the centre with exact distances, by turns synthetic and from a corpus."""
    rng = np.random.default_rng(0)
    centers = rng.uniform(-0.3, 0.3, (8, 1, 3))
    radii = rng.uniform(0.3, 0.6, (8, 1, 1))
    normals = rng.normal(size=(8, 512, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    points = centers + radii * normals
    near = points[:, :256] + rng.normal(scale=0.05, size=(8, 256, 3))
    queries = np.concatenate([near, rng.uniform(-1.05, 1.05, (8, 128, 3))], axis=1)
    return ShapeSamples(
        ids=[f"{kind}/{row}" for row in range(4) for kind in ("synthetic", "pack")],
        sources=["ball"] * 8,
        captions=[("ball", "a ball")] * 8,
        points=points.astype(np.float16),
        normals=np.round(normals * 127).astype(np.int8),
        queries=queries.astype(np.float16),
        distances=(np.linalg.norm(queries - centers, axis=-1) - radii[..., 0]).astype(np.float16),
    )
