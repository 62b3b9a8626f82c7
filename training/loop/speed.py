"""How fast a device multiplies matrices: what a training step's arithmetic is measured against."""

from __future__ import annotations

import time

import torch

_SIDES = {"cpu": 1024, "cuda": 8192}


def matrix_speed(device: torch.device, precision: str) -> float:
    """FLOP per second of the best of a few square products, bf16 or float32, on the threads in use."""
    side = _SIDES.get(device.type, 2048)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    matrix = torch.ones(side, side, device=device, dtype=dtype)
    seconds = []
    for _ in range(4):
        _wait(device)
        began = time.perf_counter()
        matrix @ matrix
        _wait(device)
        seconds.append(time.perf_counter() - began)
    return 2 * side**3 / min(seconds[1:])  # the first one warms up


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
