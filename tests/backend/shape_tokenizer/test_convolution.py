"""The convolution by matrix products equals torch's, and follows its weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from backend.shape_tokenizer import convolution
from backend.shape_tokenizer.convolution import Conv3


@pytest.fixture(autouse=True)
def small_volumes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "_CELLS", 1)


def by_torch(conv: Conv3, x: Tensor) -> Tensor:
    return nn.Conv3d.forward(conv, x)


@pytest.mark.parametrize("size", [(4, 4, 4), (2, 3, 5), (1, 1, 1)])
def test_products_equal_torchs_convolution(size: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    conv, x = Conv3(3, 5), torch.randn(1, 3, *size)
    with torch.inference_mode():
        out = conv(x)
        assert out.is_contiguous()
        torch.testing.assert_close(out, by_torch(conv, x), rtol=0, atol=1e-5)


def test_new_weights_are_seen() -> None:
    conv, x = Conv3(2, 2), torch.randn(1, 2, 3, 3, 3)
    with torch.no_grad():
        conv(x)
        conv.weight.mul_(2)
        torch.testing.assert_close(conv(x), by_torch(conv, x), rtol=0, atol=1e-5)
        conv.load_state_dict(Conv3(2, 2).state_dict(), assign=True)
        torch.testing.assert_close(conv(x), by_torch(conv, x), rtol=0, atol=1e-5)


def test_gradients_and_batches_go_through_torch() -> None:
    conv, x = Conv3(2, 2), torch.randn(2, 2, 3, 3, 3)
    conv(x[:1]).sum().backward()
    assert conv.weight.grad is not None
    with torch.no_grad():
        assert torch.equal(conv(x), by_torch(conv, x))
