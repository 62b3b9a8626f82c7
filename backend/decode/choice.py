"""The next id from one chain's logits in one compiled call: guidance, temperature, top-k, nucleus, draw.

V codes. `backend.sampling` says what the numbers mean. No step sorts, and none depends on other chains.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backend.decode.compiled import compiled
from backend.decode.vector_math import exponential

Floats = NDArray[np.float32]
LEAST, SIGN, MAGNITUDE = np.int32(-(2**31)), np.int32(31), np.int32(2**31 - 1)
BLOCK = 256  # codes whose maximum or sum is taken together


@compiled(fastmath=True, error_model="numpy")
def _mixed(full: Floats, source: Floats, none: Floats, near: float, far: float, mixed: Floats) -> int:
    """full + near (full - source) + far (source - none), (V,); returns where the greatest is.

    Of equals, the first.
    """
    g, s = np.float32(near), np.float32(far)
    greatest, block = LEAST, 0
    for start in range(0, full.size, BLOCK):
        # Slices, since LLVM makes no vectors of indices that might be negative.
        a, b, c = full[start : start + BLOCK], source[start : start + BLOCK], none[start : start + BLOCK]
        out, highest = mixed[start : start + BLOCK], LEAST
        for i in range(out.size):
            out[i] = a[i] + g * (a[i] - b[i]) + s * (b[i] - c[i])
        bits = out.view(np.int32)
        for i in range(bits.size):
            # Integers in the order of the floats: of their maximum, LLVM makes vectors.
            highest = max(highest, bits[i] ^ ((bits[i] >> SIGN) & MAGNITUDE))
        if highest > greatest:
            greatest, block = highest, start
    best = block
    for i in range(block, min(block + BLOCK, full.size)):
        if mixed[i] > mixed[best]:
            best = i
    return best


@compiled(fastmath=True, error_model="numpy")
def _weighted(logits: Floats, greatest: np.float32, inverse: np.float32) -> float:
    """exp((logit - greatest) / temperature) in place; returns their sum."""
    total = np.float32(0)
    for i in range(logits.size):
        logits[i] = exponential((logits[i] - greatest) * inverse)
        total += logits[i]
    return float(total)


@compiled(error_model="numpy")
def _largest(weights: Floats, order: NDArray[np.int32], count: int, wanted: float, counted: bool) -> int:
    """Move the ids of the largest weights to the front of order[:count]; returns how many.

    They are those whose weights (or number, if `counted`) reach `wanted`; equals stay together.
    """
    low, high, held = 0, count, 0.0
    while low < high:
        pivot = weights[order[(low + high) // 2]]
        larger, place, smaller, above, equal = low, low, high, 0.0, 0.0
        while place < smaller:
            weight = weights[order[place]]
            mass = 1.0 if counted else float(weight)
            if weight > pivot:
                order[place], order[larger] = order[larger], order[place]
                larger, place, above = larger + 1, place + 1, above + mass
            elif weight < pivot:
                smaller -= 1
                order[place], order[smaller] = order[smaller], order[place]
            else:
                place, equal = place + 1, equal + mass
        if held + above >= wanted:
            high = larger
        elif held + above + equal >= wanted:
            return smaller
        else:
            low, held = smaller, held + above + equal
    return low


@compiled(error_model="numpy")
def _drawn(weights: Floats, order: NDArray[np.int32], count: int, uniform: float) -> int:
    """One of order[:count], with the probability of its share of their weights."""
    total = 0.0
    for i in range(count):
        total += float(weights[order[i]])
    left = uniform * total
    for i in range(count):
        left -= float(weights[order[i]])
        if left < 0:
            return int(order[i])
    return int(order[count - 1])


@compiled(nogil=True, cache=True, error_model="numpy")
def chosen(
    full: Floats,
    source: Floats,
    none: Floats,
    near: float,
    far: float,
    temperature: float,
    top_k: int,
    top_p: float,
    uniform: float,
) -> int:
    """The next id; uniform: a number of [0, 1), unused where temperature is 0."""
    weights = np.empty(full.size, dtype=np.float32)
    best = _mixed(full, source, none, near, far, weights)
    if temperature == 0:
        return best
    total = _weighted(weights, weights[best], np.float32(1 / temperature))
    # All ids below this share hold less than 1 - p together, so none of them is in the nucleus.
    least = np.float32(0 if top_k > 0 else total * (1 - top_p) / full.size)
    order = np.empty(full.size, dtype=np.int32)
    count = 0
    for i in range(full.size):
        order[count] = i
        count += weights[i] >= least
    if 0 < top_k < count:
        count, total = _largest(weights, order, count, float(top_k), True), 0.0
        for i in range(count):
            total += float(weights[order[i]])
    if top_p < 1:
        count = _largest(weights, order, count, top_p * total, False)
    return _drawn(weights, order, count, uniform)
