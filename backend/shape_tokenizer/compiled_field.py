"""The grid tokenizer's field, compiled for one volume: what surfaces and previews spend their time on.

The first linear layer commutes with trilinear interpolation, so it is applied to the volume once instead of
to every query. Q queries, G cells along one axis, C features, H hidden units.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from backend.geometry.canonical import BOUNDS
from backend.geometry.compiled import compiled

Floats = NDArray[np.float32]
_AT_ONCE = 4096  # queries whose hidden units stay in the second-level cache


class CompiledField:
    """Logits of one feature volume at any points."""

    def __init__(self, volume: Tensor, layers: tuple[nn.Linear, nn.Linear, nn.Linear], scale: float) -> None:
        """volume: (C, G, G, G), axes z, y, x; the first layer reads C features and 6 of the phase."""
        first, self._mid, self._out = layers
        C = len(volume)
        cells = volume.permute(1, 2, 3, 0).float()
        self._cells = (cells @ first.weight[:, :C].T + first.bias).contiguous().numpy()  # (G, G, G, H)
        self._phase = first.weight[:, C:].T.contiguous().numpy()  # (6, H)
        self._scale = scale

    def __call__(self, queries: Tensor) -> Tensor:
        """(Q, 3) in canonical units to (Q,)."""
        parts = [self._logits(part) for part in torch.split(queries, _AT_ONCE)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _logits(self, queries: Tensor) -> Tensor:
        unit = (queries / BOUNDS).clamp_(-1, 1)
        phase = unit * (math.pi * len(self._cells))
        waves = torch.cat([phase.sin(), phase.cos()], dim=1)
        hidden = torch.empty(len(queries), self._phase.shape[1])
        _interpolate(self._cells, self._phase, unit.numpy(), waves.numpy(), hidden.numpy())
        hidden = F.silu(hidden, inplace=True)
        hidden = F.silu(self._mid(hidden), inplace=True)
        logits: Tensor = self._out(hidden)[:, 0] * self._scale
        return logits.float()


@compiled
def _interpolate(cells: Floats, phase: Floats, unit: Floats, waves: Floats, out: Floats) -> None:
    """out (Q, H) = trilinear cells (G, G, G, H) at unit (Q, 3) in [-1, 1], + waves (Q, 6) @ phase (6, H).

    Cell centres are the samples, and the border's values hold outside of them, as in `grid_sample`.
    """
    G, H = cells.shape[0], cells.shape[3]
    half, last = np.float32(0.5), np.float32(G - 1)
    for q in range(len(unit)):
        x = min(max((unit[q, 0] + np.float32(1)) * half * np.float32(G) - half, np.float32(0)), last)
        y = min(max((unit[q, 1] + np.float32(1)) * half * np.float32(G) - half, np.float32(0)), last)
        z = min(max((unit[q, 2] + np.float32(1)) * half * np.float32(G) - half, np.float32(0)), last)
        x0, y0, z0 = min(int(x), G - 2), min(int(y), G - 2), min(int(z), G - 2)
        fx, fy, fz = x - np.float32(x0), y - np.float32(y0), z - np.float32(z0)
        gx, gy, gz = np.float32(1) - fx, np.float32(1) - fy, np.float32(1) - fz
        a, b, c, d = gz * gy, gz * fy, fz * gy, fz * fy
        near, far = cells[z0, y0], cells[z0, y0 + 1]
        near_up, far_up = cells[z0 + 1, y0], cells[z0 + 1, y0 + 1]
        w0, w1, w2 = waves[q, 0], waves[q, 1], waves[q, 2]
        w3, w4, w5 = waves[q, 3], waves[q, 4], waves[q, 5]
        for h in range(H):
            left = a * near[x0, h] + b * far[x0, h] + c * near_up[x0, h] + d * far_up[x0, h]
            right = a * near[x0 + 1, h] + b * far[x0 + 1, h] + c * near_up[x0 + 1, h] + d * far_up[x0 + 1, h]
            low = w0 * phase[0, h] + w1 * phase[1, h] + w2 * phase[2, h]
            high = w3 * phase[3, h] + w4 * phase[4, h] + w5 * phase[5, h]
            out[q, h] = gx * left + fx * right + low + high
