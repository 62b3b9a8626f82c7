"""Linear layers whose weights are held in int8, one scale for each output row: a quarter of fp32's bytes.

O outputs, K inputs.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class QuantizedLinear(nn.Module):
    """y = (x weight^T) scale + bias; products in the type of x, scale and bias in float32."""

    weight: Tensor  # (O, K) int8
    scale: Tensor  # (O,) float32
    bias: Tensor | None  # (O,) float32

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.register_buffer("weight", torch.zeros(out_features, in_features, dtype=torch.int8))
        self.register_buffer("scale", torch.ones(out_features))
        self.register_buffer("bias", torch.zeros(out_features) if bias else None)

    def forward(self, x: Tensor) -> Tensor:
        y = F.linear(x, self.weight.to(x.dtype)).float() * self.scale
        return (y if self.bias is None else y + self.bias).to(x.dtype)


def quantized(weight: Tensor) -> tuple[Tensor, Tensor]:
    """weight (O, K) -> int8 (O, K) and scale (O,) float32; symmetric, off by at most half a scale."""
    wide = weight.detach().float()
    scale = wide.abs().amax(dim=1) / 127
    scale = torch.where(scale > 0, scale, 1.0)  # a row of zeros
    return (wide / scale[:, None]).round().clamp(-127, 127).to(torch.int8), scale


def replace_linears(module: nn.Module, names: Collection[str]) -> None:
    """Puts an empty QuantizedLinear, on the device of the old one, where each named nn.Linear stands."""
    for name in names:
        linear = module.get_submodule(name)
        if not isinstance(linear, nn.Linear):
            raise ValueError(f"{name} is a {type(linear).__name__} and cannot be held in int8")
        with linear.weight.device:
            fresh = QuantizedLinear(linear.in_features, linear.out_features, linear.bias is not None)
        module.set_submodule(name, fresh)


@torch.no_grad()
def quantize_linears(module: nn.Module, names: Collection[str]) -> None:
    """Holds the named nn.Linear modules in int8 from now on. Raises ValueError for any other module."""
    linears = {name: module.get_submodule(name) for name in names}
    replace_linears(module, names)
    for name, linear in linears.items():
        fresh = module.get_submodule(name)
        assert isinstance(linear, nn.Linear)
        assert isinstance(fresh, QuantizedLinear)
        fresh.weight, fresh.scale = quantized(linear.weight)
        if linear.bias is not None:
            fresh.bias = linear.bias.detach().float()


@torch.no_grad()
def restore_linears(module: nn.Module) -> None:
    """Turns every QuantizedLinear back into an nn.Linear in float32: what can be trained on."""
    held = [name for name, part in module.named_modules() if isinstance(part, QuantizedLinear)]
    for name in held:
        part = module.get_submodule(name)
        assert isinstance(part, QuantizedLinear)
        linear = nn.Linear(part.in_features, part.out_features, part.bias is not None)
        linear.weight.copy_(part.weight.float() * part.scale[:, None])
        if part.bias is not None:
            linear.bias.copy_(part.bias)
        module.set_submodule(name, linear)


def block_linears(transformer: nn.Module) -> list[str]:
    """The linear layers of a transformer's blocks and its output heads: all that a decoded token reads."""
    return [
        name
        for name, module in transformer.named_modules()
        if isinstance(module, nn.Linear) and (name.startswith("transformer.") or name.endswith("head"))
    ]
