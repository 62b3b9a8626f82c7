"""Norms, activation and softmax of one row, written so that LLVM makes vector loops of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
_LOG2_E = np.float32(1.4426950408889634)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_LEAST = np.float32(-87)  # below, the exponential counts as e^-87


@intrinsic
def _float_of_bits(context, bits):  # type: ignore[no-untyped-def]
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), emit


@njit(inline="always")  # type: ignore[untyped-decorator]
def exponential(x):  # type: ignore[no-untyped-def]
    """e^x of a float32 x <= 0 within 2e-7 (Cody-Waite reduction, Taylor polynomial); no call, so loops vectorise."""
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


@njit(fastmath=True, error_model="numpy")  # type: ignore[untyped-decorator]
def layer_norm(x, out, eps):  # type: ignore[no-untyped-def]
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


@njit(fastmath=True, error_model="numpy")  # type: ignore[untyped-decorator]
def norm_and_rotate(x, weight, cosine, sine, eps, out):  # type: ignore[no-untyped-def]
    """RMSNorm over a head and its rotary position, (H,) -> (H,); `sine` is signed as in `rotary_table`."""
    squares = _ZERO
    for i in range(x.size):
        squares += x[i] * x[i]
    scale = _ONE / np.sqrt(squares / np.float32(x.size) + eps)
    for i in range(0, x.size, 2):
        first, second = x[i] * scale * weight[i], x[i + 1] * scale * weight[i + 1]
        out[i] = first * cosine[i] + second * sine[i]
        out[i + 1] = second * cosine[i + 1] + first * sine[i + 1]


@njit(fastmath=True, error_model="numpy")  # type: ignore[untyped-decorator]
def softmax_weights(scores, scale):  # type: ignore[no-untyped-def]
    """Turn scores into exp(scale * (score - greatest)) in place; returns their sum."""
    greatest = scores[0]
    for i in range(scores.size):
        greatest = max(greatest, scores[i])
    total = _ZERO
    for i in range(scores.size):
        scores[i] = exponential((scores[i] - greatest) * scale)
        total += scores[i]
    return total


@njit(fastmath=True, error_model="numpy")  # type: ignore[untyped-decorator]
def gated(gate, up):  # type: ignore[no-untyped-def]
    """silu(gate) * up into gate, in place."""
    for i in range(gate.size):
        g = gate[i]
        decay = exponential(-abs(g))
        sigmoid = (_ONE if g >= _ZERO else decay) / (_ONE + decay)
        gate[i] = g * sigmoid * up[i]
