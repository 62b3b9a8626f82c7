"""Norms, activation and softmax of one row, written so that LLVM makes vector loops of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from backend.decode.compiled import compiled, emitted
from backend.decode.memory import Floats

_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_LEAST = np.float32(-87)  # below, the exponential counts as e^-87


@emitted(np.float32, types.float32(types.int32))
def _float_of_bits(builder: Any, bits: Any) -> Any:
    return builder.bitcast(bits, ir.FloatType())


@compiled(inline="always")
def exponential(x: np.float32) -> np.float32:
    """e^x for x <= 0 within 5e-7 (Cody-Waite reduction, Taylor polynomial); loops over it vectorise."""
    x = max(x, _LEAST)
    whole = np.int32(x * _LOG2_E - _HALF)  # rounds towards zero: the nearest for x <= 0
    n = np.float32(whole)
    r = x - n * _LN2_HIGH - n * _LN2_LOW
    p = np.float32(1 / 720)
    p = p * r + np.float32(1 / 120)
    p = p * r + np.float32(1 / 24)
    p = p * r + np.float32(1 / 6)
    p = p * r + _HALF
    p = p * r + _ONE
    p = p * r + _ONE
    return p * _float_of_bits(np.int32((whole + np.int32(127)) << np.int32(23)))


@compiled(fastmath=True, error_model="numpy")
def layer_norm(x: Floats, out: Floats, eps: np.float32) -> None:
    """Without affine, (D,) -> (D,)."""
    size = np.float32(x.size)
    total = _ZERO
    for i in range(x.size):
        total += x[i]
    mean = total / size
    squares = _ZERO
    for i in range(x.size):
        squares += (x[i] - mean) * (x[i] - mean)
    scale = _ONE / np.sqrt(squares / size + eps)
    for i in range(x.size):
        out[i] = (x[i] - mean) * scale


@compiled(fastmath=True, error_model="numpy")
def norm_and_rotate(
    x: Floats, weight: Floats, cosine: Floats, sine: Floats, eps: np.float32, out: Floats
) -> None:
    """RMSNorm over a head and its rotary position, (H,) -> (H,); `sine` is signed as in `rotary_table`."""
    squares = _ZERO
    for i in range(x.size):
        squares += x[i] * x[i]
    scale = _ONE / np.sqrt(squares / np.float32(x.size) + eps)
    for i in range(0, x.size, 2):
        first, second = x[i] * scale * weight[i], x[i + 1] * scale * weight[i + 1]
        out[i] = first * cosine[i] + second * sine[i]
        out[i + 1] = second * cosine[i + 1] + first * sine[i + 1]


@compiled(fastmath=True, error_model="numpy")
def softmax_weights(scores: Floats, scale: np.float32) -> np.float32:
    """Turn scores into exp(scale * (score - greatest)) in place; returns their sum."""
    greatest = scores[0]
    for i in range(scores.size):
        greatest = max(greatest, scores[i])
    total = _ZERO
    for i in range(scores.size):
        scores[i] = exponential((scores[i] - greatest) * scale)
        total += scores[i]
    return total


@compiled(error_model="numpy")
def gated(gate: Floats, up: Floats) -> None:
    """silu(gate) * up into gate, in place.

    No fast mathematics: it rounds a loop's vectors unlike its rest, and threads cut these loops by chance.
    """
    for i in range(gate.size):
        g = gate[i]
        decay = exponential(-abs(g))
        sigmoid = (_ONE if g >= _ZERO else decay) / (_ONE + decay)
        gate[i] = g * sigmoid * up[i]
