"""The one way the geometry kernels are compiled: ahead of their second use, cached beside the module."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(kernel: Callable[P, R]) -> Callable[P, R]:
    """Numba's version of a function of arrays and numbers; it lets other threads run meanwhile."""
    return cast(Callable[P, R], numba.njit(cache=True, nogil=True)(kernel))
