"""What threads in compiled code share work by, which numba has not got: atomic words, pausing, yielding."""

from __future__ import annotations

import ctypes
import platform
import sys
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types

from backend.decode.compiled import call, emitted

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


@emitted(int, types.int64(types.int64))
def load_acquire(builder: Any, address: Any) -> Any:
    return builder.load_atomic(_word(builder, address), "acquire", 8)


@emitted(object, types.void(types.int64, types.int64))
def store_release(builder: Any, address: Any, value: Any) -> None:
    builder.store_atomic(value, _word(builder, address), "release", 8)


@emitted(int, types.int64(types.int64, types.int64))
def subtract(builder: Any, address: Any, amount: Any) -> Any:
    """The word's value before."""
    return builder.atomic_rmw("sub", _word(builder, address), amount, "acq_rel")


@emitted(bool, types.boolean(types.int64, types.int64, types.int64))
def exchange_if(builder: Any, address: Any, expected: Any, new: Any) -> Any:
    """Write `new` if the word is `expected`; whether it was."""
    pair = builder.cmpxchg(_word(builder, address), expected, new, "acq_rel", "acquire")
    return builder.extract_value(pair, 1)


@emitted(object, types.void())
def pause(builder: Any) -> None:
    """A moment's rest for the core's other thread and the memory bus."""
    machine = platform.machine().lower()
    if machine in ("x86_64", "amd64"):
        call(builder, "llvm.x86.sse2.pause", ir.VoidType())
    elif machine in ("aarch64", "arm64"):
        call(builder, "llvm.aarch64.hint", ir.VoidType(), ir.Constant(_INT32, 1))


@emitted(object, types.void())
def yield_thread(builder: Any) -> None:
    """Let whoever waits for this core run first."""
    call(builder, _YIELD, _INT32)
