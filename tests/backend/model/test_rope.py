"""Rotary positions equal their definition on complex numbers."""

from __future__ import annotations

import torch

from backend.model.rope import rotary_table, rotate

CPU = torch.device("cpu")


def test_equals_the_interleaved_complex_product() -> None:
    x = torch.randn(2, 3, 40, 16)
    frequency = 1000.0 ** (-torch.arange(0, 16, 2) / 16)
    turn = torch.polar(torch.ones(40, 8), torch.outer(torch.arange(40.0), frequency))
    wanted = torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (8, 2))) * turn).flatten(-2)
    torch.testing.assert_close(rotate(x, *rotary_table(40, 16, 1000.0, CPU)), wanted, atol=1e-6, rtol=0)


def test_position_zero_is_the_identity_and_scores_depend_on_distance_alone() -> None:
    cos, sin = rotary_table(9, 8, 100.0, CPU)
    q, k = torch.randn(8), torch.randn(8)
    assert torch.equal(rotate(q, cos[0], sin[0]), q)
    near = rotate(q, cos[5], sin[5]) @ rotate(k, cos[2], sin[2])
    far = rotate(q, cos[8], sin[8]) @ rotate(k, cos[5], sin[5])
    torch.testing.assert_close(near, far)
