"""Products of rows and weights against numpy, for each way of storing weights and every shape of tile."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from backend.decode.microkernel import BFLOAT16, FLOAT32, INT8
from backend.decode.products import multiply_bfloat, multiply_float, multiply_int8
from backend.decode.vector_math import gated, softmax_weights

MULTIPLY = {FLOAT32: multiply_float, BFLOAT16: multiply_bfloat, INT8: multiply_int8}


def weights(kind: int, outputs: int, inputs: int) -> torch.Tensor:
    wide = torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(0))
    if kind == INT8:
        return (30 * wide).to(torch.int8)
    return wide.bfloat16() if kind == BFLOAT16 else wide


def product(kind: int, x: NDArray[np.float32], w: torch.Tensor) -> NDArray[np.float32]:
    y = np.zeros((len(x), len(w)), np.float32)
    MULTIPLY[kind](
        x.ctypes.data, x.strides[0], len(x), w.data_ptr(), w.shape[1], len(w), y.ctypes.data, y.strides[0]
    )
    return y


@pytest.mark.parametrize("kind", MULTIPLY)
@pytest.mark.parametrize(("outputs", "inputs"), [(768, 256), (25, 48), (5, 37), (1, 7), (40, 1100)])
def test_every_number_of_rows_gives_the_same_bits(kind: int, outputs: int, inputs: int) -> None:
    x = np.random.default_rng(0).standard_normal((17, inputs), dtype=np.float32)
    w = weights(kind, outputs, inputs)
    whole = product(kind, x, w)
    expected = x.astype(np.float64) @ w.double().numpy().T
    np.testing.assert_allclose(whole, expected, atol=3e-6 * np.abs(expected).max())
    for rows in range(1, 17):
        np.testing.assert_array_equal(product(kind, x[:rows], w), whole[:rows], err_msg=f"{rows} rows")


def test_softmax_weights_over_the_whole_range() -> None:
    scores = np.linspace(-80, 0, 1001, dtype=np.float32)
    expected = np.exp(scores.astype(np.float64))
    total = softmax_weights(scores, np.float32(1))
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    np.testing.assert_allclose(total, expected.sum(), rtol=1e-6)


def test_gated_equals_torch() -> None:
    gate, up = np.linspace(-100, 100, 999, dtype=np.float32), np.ones(999, np.float32)
    expected = torch.nn.functional.silu(torch.from_numpy(gate)).numpy()
    gated(gate, up)
    np.testing.assert_allclose(gate, expected, rtol=2e-6, atol=1e-30)
