"""Matrix products of a few rows as explicit vector code, given as LLVM instructions.

Weights stay where the model has them, (outputs, inputs) row-major, and are read once per step. A tile is
outputs x rows dot products with one vector accumulator each. Every tile shape adds up in the same order, so a
row's results do not depend on how many rows share the product.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types

from backend.decode.compiled import call, emitted
from backend.decode.memory import pointer

FLOAT32, BFLOAT16, INT8 = range(3)  # how a weight is stored


def _vector_lanes() -> int:
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx2") and features.get("fma") else 4


LANES = _vector_lanes()
# A tile's accumulators, a weight vector and the rows' vectors must fit the registers: 32, or 16 before
# AVX-512.
OUTPUTS = 3 if platform.machine().lower() in ("x86_64", "amd64") and LANES < 16 else 6
NARROW = 2  # outputs of the tiles that fill up what OUTPUTS does not divide
ROWS = 4  # rows of the largest tile
# Inputs per pass: the rows' part and a tile's weights stay in the first-level cache.
BLOCK = 512

_FLOAT, _INT32, _INT64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_STORED = {FLOAT32: (_FLOAT, 4), BFLOAT16: (ir.IntType(16), 2), INT8: (ir.IntType(8), 1)}
ITEM_BYTES = {kind: size for kind, (_, size) in _STORED.items()}


def load_vector(builder: Any, address: Any, kind: int = FLOAT32, lanes: int = LANES) -> Any:
    """Weights at an address, widened to float32."""
    stored, size = _STORED[kind]
    raw = builder.load(pointer(builder, address), typ=ir.VectorType(stored, lanes))
    raw.align = size
    wide, floats = ir.VectorType(_INT32, lanes), ir.VectorType(_FLOAT, lanes)
    if kind == BFLOAT16:  # the upper half of a float32
        half = ir.Constant(wide, [16] * lanes)
        return builder.bitcast(builder.shl(builder.zext(raw, wide), half), floats)
    return builder.sitofp(builder.sext(raw, wide), floats) if kind == INT8 else raw


def multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    return call(builder, f"llvm.fma.v{LANES}f32", _VECTOR, a, b, c)


def vector_of(builder: Any, value: Any) -> Any:
    """The number in every lane."""
    first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(_INT32, 0))
    return _shuffle(builder, first, first, [0] * LANES)


def prefetch(builder: Any, address: Any, locality: int = 3) -> None:
    """Locality 3 asks for the first-level cache, 2 for the second."""
    read, keep, data = (ir.Constant(_INT32, value) for value in (0, locality, 1))
    call(builder, "llvm.prefetch.p0", ir.VoidType(), pointer(builder, address), read, keep, data)


def _shuffle(builder: Any, a: Any, b: Any, lanes: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INT32, len(lanes)), lanes))


def horizontal_sums(builder: Any, accumulators: list[Any]) -> Any:
    """Lane i of the result is the sum over accumulator i; at most LANES of them.

    Halves are added until one lane is left: pairs of vectors share an addition, as in a transposition.
    """
    vectors, width = list(accumulators), LANES
    while width > 1:
        half, groups = width // 2, range(LANES // width)
        if len(vectors) % 2:
            vectors.append(ir.Constant(_VECTOR, None))
        starts = [LANES * which + width * group for which in (0, 1) for group in groups]
        low = [start + lane for start in starts for lane in range(half)]
        high = [start + half + lane for start in starts for lane in range(half)]
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [
            builder.fadd(_shuffle(builder, a, b, low), _shuffle(builder, a, b, high)) for a, b in pairs
        ]
        width = half
    return vectors[0]


def counted_loop(
    builder: Any, stop: Any, stride: int, carried: list[Any], body: Callable[[Any, list[Any]], list[Any]]
) -> list[Any]:
    """`for offset in range(0, stop, stride): carried = body(offset, carried)`, at least once."""
    before = builder.block
    loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
    builder.branch(loop)
    builder.position_at_end(loop)
    offset = builder.phi(_INT64)
    offset.add_incoming(ir.Constant(_INT64, 0), before)
    values = [builder.phi(value.type) for value in carried]
    for value, first in zip(values, carried, strict=True):
        value.add_incoming(first, before)
    following = body(offset, values)
    advanced = builder.add(offset, ir.Constant(_INT64, stride))
    offset.add_incoming(advanced, builder.block)
    for value, new in zip(values, following, strict=True):
        value.add_incoming(new, builder.block)
    builder.cbranch(builder.icmp_signed("<", advanced, stop), loop, after)
    builder.position_at_end(after)
    return following


def offset_by(builder: Any, address: Any, stride: Any, count: int) -> Any:
    return builder.add(address, builder.mul(stride, ir.Constant(_INT64, count)))


def make_tile(kind: int, outputs: int, rows: int, fetched: int, locality: int = 3) -> Any:
    """y[r, o] += dot(x[r], w[o]) over `inputs`, a positive multiple of LANES.

    Meanwhile `fetched` rows like those of w are prefetched from `ahead` on. x, w, y, ahead are addresses and
    the strides are in bytes.
    """

    @emitted(object, types.void(*[types.int64] * 8))
    def tile(
        builder: Any,
        x: Any,
        x_stride: Any,
        w: Any,
        w_stride: Any,
        inputs: Any,
        y: Any,
        y_stride: Any,
        ahead: Any,
    ) -> None:
        xs = [offset_by(builder, x, x_stride, row) for row in range(rows)]
        ws = [offset_by(builder, w, w_stride, output) for output in range(outputs)]
        fetches = [offset_by(builder, ahead, w_stride, output) for output in range(fetched)]
        x_bytes = builder.mul(inputs, ir.Constant(_INT64, 4))
        shrink = ir.Constant(_INT64, 4 // ITEM_BYTES[kind])

        def body(offset: Any, sums: list[Any]) -> list[Any]:
            at = builder.udiv(offset, shrink)
            vectors = [load_vector(builder, builder.add(row, offset)) for row in xs]
            new = []
            for output, row_sums in zip(ws, _rows(sums, rows), strict=True):
                weights = load_vector(builder, builder.add(output, at), kind)
                new += [multiply_add(builder, weights, *pair) for pair in zip(vectors, row_sums, strict=True)]
            for line in fetches:
                prefetch(builder, builder.add(line, at), locality)
            return new

        zeros = [ir.Constant(_VECTOR, None)] * (outputs * rows)
        sums = counted_loop(builder, x_bytes, 4 * LANES, zeros, body)
        for row in range(rows):
            _accumulate(builder, offset_by(builder, y, y_stride, row), sums[row::rows])

    return tile


def _rows(sums: list[Any], rows: int) -> list[list[Any]]:
    return [sums[start : start + rows] for start in range(0, len(sums), rows)]


def _accumulate(builder: Any, address: Any, accumulators: list[Any]) -> None:
    """Add each accumulator's sum to consecutive floats."""
    for start in range(0, len(accumulators), LANES):
        part = accumulators[start : start + LANES]
        total = horizontal_sums(builder, part)
        kept = _shuffle(builder, total, total, list(range(len(part))))
        at = builder.add(address, ir.Constant(_INT64, 4 * start))
        place = pointer(builder, at)
        old = builder.load(place, typ=kept.type)
        old.align = 4
        builder.store(builder.fadd(old, kept), place).align = 4


def make_load(kind: int) -> Any:
    """One weight at an address, as float32."""

    @emitted(np.float32, types.float32(types.int64))
    def load(builder: Any, address: Any) -> Any:
        vector = load_vector(builder, address, kind, lanes=1)
        return builder.extract_element(vector, ir.Constant(_INT32, 0))

    return load
