"""Asking an occupancy field about grid points, in chunks that suit the device.

P query points, n grid points along one axis.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from backend.geometry.bricks import Numbers, axes_of
from backend.geometry.canonical import BOUNDS
from backend.geometry.compiled import compiled

FieldFunction = Callable[
    [torch.Tensor], torch.Tensor
]  # (P, 3) float32 canonical -> (P,) logits, positive inside
Check = Callable[[], None]  # called between chunks; raises to stop

CPU_CHUNK = 1 << 12  # the field's layers of one chunk stay in the caches
_GPU_BYTES = 1 << 15  # of activations per query: a Perceiver decoder of width 768 in float32
_GPU_CHUNKS = 1 << 14, 1 << 20  # least and most queries of one chunk


def chunk_size(device: torch.device | str) -> int:
    """Queries to ask at once on a device."""
    device = torch.device(device)
    if device.type != "cuda":
        return CPU_CHUNK
    free, _ = torch.cuda.mem_get_info(device)
    least, most = _GPU_CHUNKS
    return max(least, min(most, free // 4 // _GPU_BYTES))


class GridField:
    """A field read at the points of a grid of n along one axis: outside on its border, and never zero."""

    def __init__(self, field: FieldFunction, points: int, chunk: int, check: Check | None) -> None:
        self._field, self._points, self._chunk, self._check = field, points, chunk, check
        self._axis = np.linspace(-BOUNDS, BOUNDS, points).astype(np.float32)
        self.asked = 0
        self.has_outside = False  # some point was outside before the border was made so

    def __call__(self, numbers: Numbers) -> NDArray[np.float32]:
        """Logits (P,) of flat point numbers (P,). Raises ValueError if the field is not finite."""
        out = np.empty(len(numbers), np.float32)
        for start in range(0, len(numbers), self._chunk):
            if self._check is not None:
                self._check()
            part = numbers[start : start + self._chunk]
            with torch.no_grad():
                logits = self._field(torch.from_numpy(_places(part, self._axis)))
            out[start : start + len(part)] = logits.float().cpu().numpy()
        self.asked += len(numbers)
        if not np.isfinite(out).all():
            raise ValueError("the occupancy field is not finite")
        self.has_outside |= bool((out <= 0).any())
        _close(out, numbers, self._points)
        return out


@compiled
def _places(numbers: Numbers, axis: NDArray[np.float32]) -> NDArray[np.float32]:
    n = len(axis)
    out = np.empty((len(numbers), 3), np.float32)
    for i in range(len(numbers)):
        x, y, z = axes_of(numbers[i], n)
        out[i, 0], out[i, 1], out[i, 2] = axis[x], axis[y], axis[z]
    return out


@compiled
def _close(values: NDArray[np.float32], numbers: Numbers, n: int) -> None:
    """Makes the border outside, so that the surface is closed, and zero too: it has no sign."""
    tiny = np.float32(np.finfo(np.float32).tiny)
    for i in range(len(numbers)):
        x, y, z = axes_of(numbers[i], n)
        if min(x, y, z) == 0 or max(x, y, z) == n - 1:
            values[i] = -abs(values[i])
        if values[i] == 0:
            values[i] = -tiny
