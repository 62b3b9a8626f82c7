"""The light of the six views, fixed so that pictures can be freed of it again (training draws them in it).

Lights hang on the camera's frame. What a white wall shows depends on where it faces and on nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.geometry.cameras import Pose

GAMMA = 2.2
RIM = 0.1  # how much surfaces seen edge-on darken
ZENITH, HORIZON, GROUND = 0.25, 0.14, 0.03  # what a wall that looks up, sideways, down gets from all around
# Toward the light in the camera's axes (right, up, backward), not yet of length 1; power; wrap: 1 where it
# reaches around to the far side.
LIGHTS = (((-0.45, 0.75, 0.65), 0.68, 1.0), ((0.95, 0.05, 0.4), 0.12, 0.0))


def light(normals: NDArray[Any], view: NDArray[Any], pose: Pose) -> NDArray[np.float64]:
    """(n,) linear light that white walls show: unit normals and directions to the eye (n, 3)."""
    up = normals[:, 2]
    seen = HORIZON + np.abs(up) * (np.where(up > 0, ZENITH, GROUND) - HORIZON)
    for toward, power, wrap in LIGHTS:
        cosine = normals @ (np.array(toward) / np.linalg.norm(toward) @ pose.axes)
        seen = seen + power * (np.maximum(cosine + wrap, 0) / (1 + wrap)) ** (1 + wrap)
    facing = np.einsum("nk,nk->n", normals, view)
    dimmed: NDArray[np.float64] = np.maximum(seen - RIM * (1 - np.maximum(facing, 0)) ** 3, 0)
    return dimmed
