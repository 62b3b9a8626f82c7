"""Memory by address inside compiled code: int64 words, float32 numbers, and arrays of them without an owner."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.extending import intrinsic


def pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, ir.PointerType())


@intrinsic
def word(context, address, index):  # type: ignore[no-untyped-def]
    """The int64 at `index` of those from an address on."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        i64 = ir.IntType(64)
        place = builder.gep(pointer(builder, arguments[0]), [arguments[1]], source_etype=i64)
        return builder.load(place, typ=i64)

    return types.int64(types.int64, types.int64), emit


@intrinsic
def load_float(context, address):  # type: ignore[no-untyped-def]
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(pointer(builder, arguments[0]), typ=ir.FloatType())

    return types.float32(types.int64), emit


@intrinsic
def store_float(context, address, value):  # type: ignore[no-untyped-def]
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[1], pointer(builder, arguments[0]))
        return context.get_dummy_value()

    return types.void(types.int64, types.float32), emit


@intrinsic
def _float_pointer(context, address):  # type: ignore[no-untyped-def]
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.float32)(types.int64), emit


@njit  # type: ignore[untyped-decorator]
def floats(address, count):  # type: ignore[no-untyped-def]
    """float32 (count,) from an address on."""
    return carray(_float_pointer(address), (count,), np.float32)
