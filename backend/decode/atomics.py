"""What threads inside compiled code need to share work, which numba has not got: atomic words, pausing, yielding."""

from __future__ import annotations

import ctypes
import platform
import sys
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_INT32, _INT64 = ir.IntType(32), ir.IntType(64)
_YIELD = "omni123_yield_thread"


def _word(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _INT64.as_pointer())


def _register_yield() -> None:
    """Give compiled code, cached code too, the system's call by a name of ours."""
    if sys.platform == "win32":
        function = ctypes.windll.kernel32.SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    llvmlite.binding.add_symbol(_YIELD, address)


_register_yield()


@intrinsic
def load_acquire(context, address):  # type: ignore[no-untyped-def]
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_word(builder, arguments[0]), "acquire", 8)

    return types.int64(types.int64), emit


@intrinsic
def store_release(context, address, value):  # type: ignore[no-untyped-def]
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store_atomic(arguments[1], _word(builder, arguments[0]), "release", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit


@intrinsic
def subtract(context, address, amount):  # type: ignore[no-untyped-def]
    """The word's value before."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("sub", _word(builder, arguments[0]), arguments[1], "acq_rel")

    return types.int64(types.int64, types.int64), emit


@intrinsic
def exchange_if(context, address, expected, new):  # type: ignore[no-untyped-def]
    """Write `new` if the word is `expected`; whether it was."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _word(builder, arguments[0])
        pair = builder.cmpxchg(place, arguments[1], arguments[2], "acq_rel", "acquire")
        return builder.extract_value(pair, 1)

    return types.boolean(types.int64, types.int64, types.int64), emit


@intrinsic
def pause(context):  # type: ignore[no-untyped-def]
    """A moment's rest for the core's other thread and the memory bus."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        machine, nothing = platform.machine().lower(), ir.VoidType()
        if machine in ("x86_64", "amd64"):
            kind = ir.FunctionType(nothing, [])
            name: str = "llvm.x86.sse2.pause"
            builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [])
        elif machine in ("aarch64", "arm64"):
            kind = ir.FunctionType(nothing, [_INT32])
            hint = cgutils.get_or_insert_function(builder.module, kind, "llvm.aarch64.hint")
            builder.call(hint, [ir.Constant(_INT32, 1)])
        return context.get_dummy_value()

    return types.void(), emit


@intrinsic
def yield_thread(context):  # type: ignore[no-untyped-def]
    """Let whoever waits for this core run first."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_INT32, [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, _YIELD), [])
        return context.get_dummy_value()

    return types.void(), emit
