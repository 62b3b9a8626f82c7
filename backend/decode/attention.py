"""One head of one row: its new query over the keys and values it has, conditioning first, then its own.

S positions, H head dimension. Addresses are int64; keys and values are (S, H) float32, keys already rotated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from backend.decode.memory import floats, load_float, pointer, store_float
from backend.decode.microkernel import (
    FLOAT32,
    LANES,
    counted_loop,
    load_vector,
    make_tile,
    multiply_add,
    prefetch,
    vector_of,
)
from backend.decode.products import multiply_float
from backend.decode.vector_math import softmax_weights

NEXT_UNIT = 2  # the cache level that a unit's keys and values are prefetched to while the one before runs
WIDE = 4  # vectors of the head dimension summed at once, enough to hide the latency of an addition


def _make_weighted_sum(vectors: int) -> Any:
    """out[h] += sum over s of weights[s] * rows[s, h] for `vectors` vectors of h; at least one row.

    What lies `distance` bytes after each row is prefetched.
    """

    @intrinsic
    def weighted_sum(context, weights, rows, stride, count, out, distance):  # type: ignore[no-untyped-def]
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            weights, rows, stride, count, out, distance = arguments
            i64 = ir.IntType(64)
            steps = [ir.Constant(i64, 4 * LANES * part) for part in range(vectors)]

            def body(offset: Any, sums: list[Any]) -> list[Any]:
                row = builder.add(rows, builder.mul(offset, stride))
                place = builder.add(weights, builder.mul(offset, ir.Constant(i64, 4)))
                weight = builder.load(pointer(builder, place), typ=ir.FloatType())
                spread = vector_of(builder, weight)
                for step in steps:
                    prefetch(builder, builder.add(builder.add(row, distance), step), NEXT_UNIT)
                values = [load_vector(builder, builder.add(row, step)) for step in steps]
                return [
                    multiply_add(builder, spread, value, total)
                    for value, total in zip(values, sums, strict=True)
                ]

            before = [load_vector(builder, builder.add(out, step)) for step in steps]
            for step, total in zip(steps, counted_loop(builder, count, 1, before, body), strict=True):
                builder.store(total, pointer(builder, builder.add(out, step))).align = 4
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6), emit

    return weighted_sum


_wide_sum, _vector_sum = _make_weighted_sum(WIDE), _make_weighted_sum(1)
_many_scores = make_tile(FLOAT32, LANES, 1, LANES, NEXT_UNIT)


@njit  # type: ignore[untyped-decorator]
def _add_weighted(weights, rows, stride, count, out, size, distance):  # type: ignore[no-untyped-def]
    """out[h] += weights @ rows, over `size` of h."""
    h = 0
    while size - h >= WIDE * LANES:
        _wide_sum(weights, rows + 4 * h, stride, count, out + 4 * h, distance)
        h += WIDE * LANES
    while size - h >= LANES:
        _vector_sum(weights, rows + 4 * h, stride, count, out + 4 * h, distance)
        h += LANES
    for rest in range(h, size):
        total = load_float(out + 4 * rest)
        for s in range(count):
            total += load_float(weights + 4 * s) * load_float(rows + s * stride + 4 * rest)
        store_float(out + 4 * rest, total)


@njit  # type: ignore[untyped-decorator]
def _add_scores(query, head_dim, keys, count, scores, distance):  # type: ignore[no-untyped-def]
    """scores[s] += query . keys[s]"""
    stride, done = 4 * head_dim, 0
    if head_dim % LANES == 0:
        while count - done >= LANES:
            at = keys + done * stride
            _many_scores(query, stride, at, stride, head_dim, scores + 4 * done, 0, at + distance)
            done += LANES
    if count > done:
        left = count - done
        multiply_float(query, stride, 1, keys + done * stride, head_dim, left, scores + 4 * done, 0)


@njit(error_model="numpy")  # type: ignore[untyped-decorator]
def attend(query, head_dim, conditioning, own, ahead, scores, out):  # type: ignore[no-untyped-def]
    """out (H,) = softmax(query . keys / sqrt(H)) @ values over the conditioning's positions and the row's own.

    conditioning, own: positions, address of the keys, address of the values. ahead: how far from its own the keys
    and values lie that will be wanted next. scores: scratch for all positions. All by address.
    """
    known, keys, values = conditioning
    count, own_keys, own_values = own
    stride, own_scores = 4 * head_dim, scores + 4 * known
    every, result = floats(scores, known + count), floats(out, head_dim)
    every[:] = np.float32(0)
    result[:] = np.float32(0)
    if known > 0:
        _add_scores(query, head_dim, keys, known, scores, known * stride)
    _add_scores(query, head_dim, own_keys, count, own_scores, ahead)
    total = softmax_weights(every, np.float32(1) / np.sqrt(np.float32(head_dim)))
    if known > 0:
        _add_weighted(scores, values, stride, known, out, head_dim, known * stride)
    _add_weighted(own_scores, own_values, stride, count, out, head_dim, ahead)
    for h in range(head_dim):
        result[h] /= total
