"""numba's decorators with types, and `emitted`: compiled functions that are given as LLVM instructions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from llvmlite import ir
from numba import njit
from numba.core import cgutils
from numba.extending import intrinsic

P = ParamSpec("P")
R = TypeVar("R")


def compiled(**options: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    return cast("Callable[[Callable[P, R]], Callable[P, R]]", njit(**options))


def emitted(result: type[R], signature: Any) -> Callable[[Callable[..., Any]], Callable[..., R]]:
    """From a function of an LLVM builder and values. `result` is what Python's types call the result."""

    def decorate(emit: Callable[..., Any]) -> Callable[..., R]:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            value = emit(builder, *arguments)
            return context.get_dummy_value() if value is None else value

        def typed(context: Any, *arguments: Any) -> Any:
            return signature, generate

        typed.__name__ = emit.__name__
        # numba counts the arguments by the signature; the builder stands where the context is.
        typed.__signature__ = inspect.signature(emit)  # type: ignore[attr-defined]
        return cast("Callable[..., R]", intrinsic(typed))

    return decorate


def call(builder: Any, name: str, returns: Any, *arguments: Any) -> Any:
    """Call a function of LLVM's or of the system's by name."""
    kind = ir.FunctionType(returns, [argument.type for argument in arguments])
    declare: Callable[..., Any] = cgutils.get_or_insert_function
    return builder.call(declare(builder.module, kind, name), arguments)
