"""Memory by address inside compiled code: int64 words, float32 numbers, and arrays that nobody owns."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba import types
from numba.np.numpy_support import carray
from numpy.typing import NDArray

from backend.decode.compiled import compiled, emitted

_CPointer: Any = types.CPointer
_POINTER = _CPointer(types.float32)
_carray: Any = carray
Floats: TypeAlias = NDArray[np.float32]


def pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, ir.PointerType())


@emitted(int, types.int64(types.int64, types.int64))
def word(builder: Any, address: Any, index: Any) -> Any:
    """The int64 at `index` of those from an address on."""
    kind = ir.IntType(64)
    return builder.load(builder.gep(pointer(builder, address), [index], source_etype=kind), typ=kind)


@emitted(np.float32, types.float32(types.int64))
def load_float(builder: Any, address: Any) -> Any:
    return builder.load(pointer(builder, address), typ=ir.FloatType())


@emitted(object, types.void(types.int64, types.float32))
def store_float(builder: Any, address: Any, value: Any) -> None:
    builder.store(value, pointer(builder, address))


@emitted(object, _POINTER(types.int64))
def _float_pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, ir.FloatType().as_pointer())


@compiled()
def floats(address: int, count: int) -> Floats:
    """float32 (count,) from an address on."""
    view: Floats = _carray(_float_pointer(address), (count,), np.float32)
    return view


@compiled()
def clear(array: Floats) -> None:
    for i in range(array.size):
        array[i] = np.float32(0)
