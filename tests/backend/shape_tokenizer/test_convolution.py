"""The convolution equals torch's for one volume and for many, with gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from backend.shape_tokenizer.convolution import Conv3


def by_torch(conv: Conv3, x: Tensor) -> Tensor:
    return nn.Conv3d.forward(conv, x)


@pytest.mark.parametrize("size", [(24, 24, 24), (2, 3, 5), (1, 1, 1)])
@pytest.mark.parametrize("rows", [1, 2])
def test_it_is_torchs_convolution(size: tuple[int, int, int], rows: int) -> None:
    torch.manual_seed(0)
    conv, x = Conv3(3, 5), torch.randn(rows, 3, *size)
    with torch.inference_mode():
        torch.testing.assert_close(conv(x), by_torch(conv, x), rtol=0, atol=1e-5)


def test_gradients_are_torchs() -> None:
    torch.manual_seed(0)
    conv, x = Conv3(2, 4), torch.randn(1, 2, 5, 5, 5)
    found = torch.autograd.grad(conv(x).square().sum(), [conv.weight, conv.bias])
    expected = torch.autograd.grad(by_torch(conv, x).square().sum(), [conv.weight, conv.bias])
    torch.testing.assert_close(found, expected)


def test_a_volume_keeps_its_type() -> None:
    conv, x = Conv3(2, 4).to(torch.bfloat16), torch.randn(1, 2, 3, 3, 3, dtype=torch.bfloat16)
    with torch.no_grad():
        assert torch.equal(conv(x), by_torch(conv, x))
