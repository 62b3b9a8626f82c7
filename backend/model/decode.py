"""One token through the generation half of a layer, which dual and single-stream layers share.

A step on a few rows is bound by reading weights, so projections that read the same input are stored as one
matrix. R rows, D model width, N heads, H head dimension, S cached positions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.model.kv_cache import LayerCache
from backend.model.layers import QK_EPS, DualBlock, Projection, Rotary, SingleBlock, SwiGLU, layer_norm
from backend.model.rope import rotate


class PackedLinear:
    """Linear layers of one input as one product.

    The layers' parameters become views of the packed tensors: nothing is held twice, and both stay one model.
    """

    @torch.no_grad()
    def __init__(self, *layers: nn.Linear) -> None:
        rows = torch.cat([layer.weight for layer in layers])  # (outputs, inputs)
        # With input-major storage, a product of one to four rows takes 0.6 of the time on CPU.
        self.weight = rows.t().contiguous() if rows.device.type == "cpu" else rows.t()
        self.bias: Tensor | None = None
        if any(layer.bias is not None for layer in layers):
            self.bias = torch.cat([_bias(layer) for layer in layers])
        start = 0
        for layer in layers:
            stop = start + layer.out_features
            layer.weight.data = self.weight[:, start:stop].t()
            if self.bias is not None and layer.bias is not None:
                layer.bias.data = self.bias[start:stop]
            start = stop

    def __call__(self, x: Tensor) -> Tensor:
        """(R, inputs) -> (R, outputs of every layer in turn)"""
        return x @ self.weight if self.bias is None else torch.addmm(self.bias, x, self.weight)


def _bias(layer: nn.Linear) -> Tensor:
    return layer.weight.new_zeros(layer.out_features) if layer.bias is None else layer.bias


class DecodeLayer:
    """A layer's generation stream, fed one token of each row at a time."""

    def __init__(self, layer: DualBlock | SingleBlock) -> None:
        projection: Projection
        mlp: SwiGLU
        if isinstance(layer, DualBlock):
            projection, c_proj, mlp = layer.attn.pre_x, layer.post_1.c_proj, layer.post_1.mlp
        else:
            projection, c_proj, mlp = layer.attn, layer.attn.c_proj, layer.mlp
        self.eps, self.n_heads = layer.eps, projection.n_heads
        self.qkv = PackedLinear(projection.c_qk, projection.c_v)
        self.gate_up = PackedLinear(mlp.gate_proj, mlp.up_proj)
        self.out, self.down = PackedLinear(c_proj), PackedLinear(mlp.down_proj)
        self.norm = torch.stack((projection.q_norm.weight, projection.k_norm.weight)).detach()[:, None]

    def step(
        self, x: Tensor, rotary: Rotary, cache: LayerCache, position: int, mask: Tensor | None
    ) -> Tensor:
        """x (R, D) at cache position `position` -> (R, D); mask broadcasts to (R, N, 1, position + 1)."""
        rows = x.shape[0]
        qkv = self.qkv(layer_norm(x, self.eps)).view(rows, 3, self.n_heads, -1)
        qk = qkv[:, :2].float()  # (R, 2, N, H)
        qk = F.rms_norm(qk, qk.shape[-1:], eps=QK_EPS) * self.norm
        qk = rotate(qk, *rotary).to(x.dtype)
        keys, values = cache.append(position, qk[:, 1], qkv[:, 2])
        attended = F.scaled_dot_product_attention(qk[:, 0, :, None], keys, values, attn_mask=mask)
        x = x + self.out(attended.reshape(rows, -1))
        gate, up = self.gate_up(layer_norm(x, self.eps)).chunk(2, dim=-1)
        return x + self.down(F.silu(gate) * up)
