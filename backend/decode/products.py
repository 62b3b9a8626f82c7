"""Products of a few rows with a range of a weight matrix's outputs, from microkernel tiles.

Addresses are int64 and strides are in bytes: weights, caches and buffers of unlike types pass one signature.
"""

from __future__ import annotations

from typing import Any

from backend.decode.compiled import compiled
from backend.decode.memory import load_float, store_float
from backend.decode.microkernel import (
    BFLOAT16,
    BLOCK,
    FLOAT32,
    INT8,
    ITEM_BYTES,
    LANES,
    NARROW,
    OUTPUTS,
    ROWS,
    make_load,
    make_tile,
)

AHEAD = 18 << 10  # bytes between the weights in use and those prefetched, or a tile if that is more
SHARE = -(-OUTPUTS // 3)  # rows a tile prefetches where three or more tiles share the next weights


def _make_block(kind: int, outputs: int) -> Any:
    """All rows' products with `outputs` outputs over one block of inputs."""
    one, two, three, four = (make_tile(kind, outputs, rows, outputs) for rows in range(1, ROWS + 1))
    shared = make_tile(kind, outputs, ROWS, SHARE)

    @compiled()
    def block(
        x: int,
        x_stride: int,
        rows: int,
        w: int,
        w_stride: int,
        inputs: int,
        y: int,
        y_stride: int,
        ahead: int,
    ) -> None:
        row = 0
        while rows - row >= ROWS:
            if rows >= 3 * ROWS:
                part = ahead + row // ROWS % 3 * SHARE * w_stride
                shared(x, x_stride, w, w_stride, inputs, y, y_stride, part)
            else:
                four(x, x_stride, w, w_stride, inputs, y, y_stride, ahead)
            x += ROWS * x_stride
            y += ROWS * y_stride
            row += ROWS
        if rows - row == 3:
            three(x, x_stride, w, w_stride, inputs, y, y_stride, ahead)
        elif rows - row == 2:
            two(x, x_stride, w, w_stride, inputs, y, y_stride, ahead)
        elif rows - row == 1:
            one(x, x_stride, w, w_stride, inputs, y, y_stride, ahead)

    return block


def _make_remainder(kind: int) -> Any:
    """The inputs after the last whole vector."""
    item, load_weight = ITEM_BYTES[kind], make_load(kind)

    @compiled(inline="always")
    def remaining_inputs(
        x: int,
        x_stride: int,
        rows: int,
        w: int,
        w_stride: int,
        first: int,
        inputs: int,
        outputs: int,
        y: int,
        y_stride: int,
    ) -> None:
        for row in range(rows):
            for output in range(outputs):
                place = y + row * y_stride + 4 * output
                total = load_float(place)
                for k in range(first, inputs):
                    weight = load_weight(w + output * w_stride + item * k)
                    total += weight * load_float(x + row * x_stride + 4 * k)
                store_float(place, total)

    return remaining_inputs


def _make_multiply(kind: int) -> Any:
    wide, narrow, single = (_make_block(kind, outputs) for outputs in (OUTPUTS, NARROW, 1))
    item, remaining_inputs = ITEM_BYTES[kind], _make_remainder(kind)

    @compiled(inline="always")
    def strip(
        x: int,
        x_stride: int,
        rows: int,
        w: int,
        w_stride: int,
        inputs: int,
        outputs: int,
        y: int,
        y_stride: int,
    ) -> None:
        """Every output over one block of inputs."""
        done, tile = 0, OUTPUTS * w_stride
        distance = max(1, AHEAD // tile) * tile
        while outputs - done >= OUTPUTS:
            wide(x, x_stride, rows, w, w_stride, inputs, y, y_stride, w + distance)
            w, y, done = w + tile, y + 4 * OUTPUTS, done + OUTPUTS
        while outputs - done >= NARROW:
            narrow(x, x_stride, rows, w, w_stride, inputs, y, y_stride, w)
            w, y, done = w + NARROW * w_stride, y + 4 * NARROW, done + NARROW
        if outputs > done:
            single(x, x_stride, rows, w, w_stride, inputs, y, y_stride, w)

    @compiled()
    def multiply(
        x: int, x_stride: int, rows: int, w: int, inputs: int, outputs: int, y: int, y_stride: int
    ) -> None:
        w_stride = item * inputs
        vectors = inputs // LANES * LANES
        # Few rows read the weights in the order of memory; many keep their block of inputs in the cache.
        outputs_at_once = OUTPUTS if rows <= ROWS else outputs
        for first in range(0, outputs, outputs_at_once):
            some = min(outputs_at_once, outputs - first)
            w_first, y_first = w + first * w_stride, y + 4 * first
            for k in range(0, vectors, BLOCK):
                width = min(BLOCK, vectors - k)
                strip(x + 4 * k, x_stride, rows, w_first + item * k, w_stride, width, some, y_first, y_stride)
        if vectors < inputs:
            remaining_inputs(x, x_stride, rows, w, w_stride, vectors, inputs, outputs, y, y_stride)

    return multiply


multiply_float = _make_multiply(FLOAT32)
multiply_bfloat = _make_multiply(BFLOAT16)
multiply_int8 = _make_multiply(INT8)


@compiled(inline="always")
def multiply(
    kind: int, x: int, x_stride: int, rows: int, w: int, inputs: int, outputs: int, y: int, y_stride: int
) -> None:
    """y[r, o] += dot(x[r], w[o]) for `outputs` consecutive rows of weights from the address w on.

    The order of each sum depends on `inputs` alone.
    """
    if kind == FLOAT32:
        multiply_float(x, x_stride, rows, w, inputs, outputs, y, y_stride)
    elif kind == BFLOAT16:
        multiply_bfloat(x, x_stride, rows, w, inputs, outputs, y, y_stride)
    else:
        multiply_int8(x, x_stride, rows, w, inputs, outputs, y, y_stride)
