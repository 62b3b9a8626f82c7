"""One head of one row: its new query over the keys and values it has, conditioning first, then its own.

S positions, H head dimension. Addresses are int64; keys and values are (S, H) float32, keys already rotated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from backend.decode.compiled import compiled, emitted
from backend.decode.memory import clear, floats, load_float, pointer, store_float
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

ONE_ROW = np.int64(1)  # of the type that other callers give, so that it is compiled once
NEXT_UNIT = 2  # the cache level that a unit's keys and values are prefetched to while the one before runs
WIDE = 4  # vectors of the head dimension summed at once, enough to hide the latency of an addition


def _make_weighted_sum(vectors: int) -> Any:
    """out[h] += sum over s of weights[s] * rows[s, h] for `vectors` vectors of h; at least one row.

    What lies `distance` bytes after each row is prefetched.
    """

    @emitted(object, types.void(*[types.int64] * 6))
    def weighted_sum(
        builder: Any, weights: Any, rows: Any, stride: Any, count: Any, out: Any, distance: Any
    ) -> None:
        i64 = ir.IntType(64)
        steps = [ir.Constant(i64, 4 * LANES * part) for part in range(vectors)]

        def body(offset: Any, sums: list[Any]) -> list[Any]:
            row = builder.add(rows, builder.mul(offset, stride))
            place = builder.add(weights, builder.mul(offset, ir.Constant(i64, 4)))
            spread = vector_of(builder, builder.load(pointer(builder, place), typ=ir.FloatType()))
            for step in steps:
                prefetch(builder, builder.add(builder.add(row, distance), step), NEXT_UNIT)
            values = [load_vector(builder, builder.add(row, step)) for step in steps]
            pairs = zip(values, sums, strict=True)
            return [multiply_add(builder, spread, value, total) for value, total in pairs]

        before = [load_vector(builder, builder.add(out, step)) for step in steps]
        for step, total in zip(steps, counted_loop(builder, count, 1, before, body), strict=True):
            builder.store(total, pointer(builder, builder.add(out, step))).align = 4

    return weighted_sum


_wide_sum, _vector_sum = _make_weighted_sum(WIDE), _make_weighted_sum(1)
_many_scores = make_tile(FLOAT32, LANES, 1, LANES, NEXT_UNIT)


@compiled()
def _add_weighted(
    weights: int, rows: int, stride: int, count: int, out: int, size: int, distance: int
) -> None:
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


@compiled()
def _add_scores(query: int, head_dim: int, keys: int, count: int, scores: int, distance: int) -> None:
    """scores[s] += query . keys[s]"""
    stride, done = 4 * head_dim, 0
    if head_dim % LANES == 0:
        while count - done >= LANES:
            at = keys + done * stride
            _many_scores(query, stride, at, stride, head_dim, scores + 4 * done, 0, at + distance)
            done += LANES
    if count > done:
        left = count - done
        multiply_float(query, stride, ONE_ROW, keys + done * stride, head_dim, left, scores + 4 * done, 0)


@compiled(error_model="numpy")
def attend(
    query: int,
    head_dim: int,
    conditioning: tuple[int, int, int],
    own: tuple[int, int, int],
    ahead: int,
    scores: int,
    out: int,
) -> None:
    """out (H,) = softmax(query . keys / sqrt(H)) @ values, over the conditioning and the row's own positions.

    conditioning, own: positions, address of the keys, address of the values. ahead: how far from its own the
    keys and values lie that will be wanted next. scores: scratch for all positions. All by address.
    """
    known, keys, values = conditioning
    count, own_keys, own_values = own
    stride, own_scores = 4 * head_dim, scores + 4 * known
    every, result = floats(scores, known + count), floats(out, head_dim)
    clear(every)
    clear(result)
    if known > 0:
        _add_scores(query, head_dim, keys, known, scores, known * stride)
    _add_scores(query, head_dim, own_keys, count, own_scores, ahead)
    total = softmax_weights(every, np.float32(1) / np.sqrt(np.float32(head_dim)))
    if known > 0:
        _add_weighted(scores, values, stride, known, out, head_dim, known * stride)
    _add_weighted(own_scores, own_values, stride, count, out, head_dim, ahead)
    for h in range(head_dim):
        result[h] /= total
