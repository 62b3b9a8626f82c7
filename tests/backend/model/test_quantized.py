"""int8 linear layers: near the float ones, and exact where they can be."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from backend.model.quantized import QuantizedLinear, quantize_linears, quantized, restore_linears


def test_a_row_is_off_by_half_a_step_at_most() -> None:
    weight = torch.randn(6, 40) * torch.logspace(-3, 3, 6)[:, None]
    stored, scale = quantized(weight)
    assert stored.abs().amax(dim=1).tolist() == [127] * 6
    assert ((stored * scale[:, None] - weight).abs() <= 0.5001 * scale[:, None]).all()


def test_a_row_of_zeros_stays_zero() -> None:
    stored, scale = quantized(torch.zeros(2, 3))
    assert not stored.any()
    assert scale.isfinite().all()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_outputs_equal_those_of_the_weights_it_holds(bias: bool, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 8, bias=bias))
    x = torch.randn(3, 16).to(dtype)
    wanted = model(x.float())
    quantize_linears(model, ["0"])
    layer = model[0]
    assert isinstance(layer, QuantizedLinear)
    assert layer(x).dtype == dtype
    torch.testing.assert_close(layer(x).float(), wanted, atol=0.03, rtol=0)
    exact = x.float() @ (layer.weight * layer.scale[:, None]).T + (0 if layer.bias is None else layer.bias)
    torch.testing.assert_close(
        layer(x).float(), exact, atol=2e-2 if dtype == torch.bfloat16 else 1e-5, rtol=0
    )


def test_only_linear_layers_can_be_held_in_int8() -> None:
    with pytest.raises(ValueError, match="0 is a LayerNorm"):
        quantize_linears(nn.Sequential(nn.LayerNorm(4)), ["0"])


def test_layers_held_in_int8_come_back_as_what_can_be_trained() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3, bias=False))
    given = torch.randn(5, 6)
    quantize_linears(module, ["0", "1"])
    held = module(given)
    restore_linears(module)
    assert all(type(part) is nn.Linear and part.weight.requires_grad for part in module)
    torch.testing.assert_close(module(given), held, rtol=1e-5, atol=1e-5)
