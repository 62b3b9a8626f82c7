"""One token of each row through the generation half of a dual or single layer, with the layer's cache.

A step is bound by reading weights, so projections that read the same input are stored as one matrix.
R rows, S cached positions, D model width, N heads, H head dimension.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.decode.interface import LayerKeysValues
from backend.model.layers import QK_EPS, DualBlock, Projection, Rotary, SingleBlock, SwiGLU, layer_norm
from backend.model.quantized import QuantizedLinear
from backend.model.rope import rotate

Linear = nn.Linear | QuantizedLinear


@torch.no_grad()
def packed(*layers: Linear) -> Linear:
    """Linear layers of one input as one, their outputs in turn, in the type they are stored in.

    The layers' own tensors become views of the packed ones: nothing is held twice, and both stay one model.
    """
    sizes = [layer.out_features for layer in layers]
    with torch.device("meta"):
        whole = type(layers[0])(layers[0].in_features, sum(sizes), any(x.bias is not None for x in layers))
    for name, _ in (*whole.named_parameters(), *whole.named_buffers()):
        parts = [getattr(layer, name) for layer in layers]
        like = next(part for part in parts if part is not None)
        # Biases that some lack are zero.
        joint = torch.cat(
            [like.new_zeros(n) if part is None else part for part, n in zip(parts, sizes, strict=True)]
        )
        setattr(whole, name, nn.Parameter(joint, False) if isinstance(like, nn.Parameter) else joint)
        for part, own in zip(parts, torch.split(joint, sizes), strict=True):
            if part is not None:
                part.data = own
    return whole


class CachedLayer:
    """A layer's generation stream, and the keys and values (R, N, S, H) of every row."""

    def __init__(self, layer: DualBlock | SingleBlock) -> None:
        projection: Projection
        mlp: SwiGLU
        if isinstance(layer, DualBlock):
            projection, c_proj, mlp = layer.attn.pre_x, layer.post_1.c_proj, layer.post_1.mlp
        else:
            projection, c_proj, mlp = layer.attn, layer.attn.c_proj, layer.mlp
        self.eps, self.n_heads = layer.eps, projection.n_heads
        self.qkv = packed(projection.c_qk, projection.c_v)
        self.gate_up = packed(mlp.gate_proj, mlp.up_proj)
        self.out, self.down = c_proj, mlp.down_proj
        # (2, 1, H), of queries and keys
        self.norm = torch.stack((projection.q_norm.weight, projection.k_norm.weight)).detach()[:, None]
        self.keys = self.values = self.norm.new_zeros(0, self.n_heads, 0, self.norm.shape[-1])

    def allocate(self, rows: int, size: int, used: int) -> None:
        """Another size; the first `used` rows keep what they hold."""
        shape = (rows, self.n_heads, size, self.norm.shape[-1])
        keys, values = self.norm.new_zeros(shape), self.norm.new_zeros(shape)
        if used:
            keys[:used, :, : self.keys.shape[2]] = self.keys[:used]
            values[:used, :, : self.values.shape[2]] = self.values[:used]
        self.keys, self.values = keys, values

    def fill(self, row: int, parts: Sequence[LayerKeysValues]) -> None:
        """The beginning of a row: conditioning, prefix, each (N, s, H)."""
        start = 0
        for keys, values in parts:
            stop = start + keys.shape[1]
            self.keys[row, :, start:stop], self.values[row, :, start:stop] = keys, values
            start = stop

    def move(self, source: int, target: int) -> None:
        """One row over another."""
        self.keys[target], self.values[target] = self.keys[source], self.values[source]

    def step(self, x: Tensor, rotary: Rotary, slots: tuple[Tensor, Tensor], seen: Tensor) -> Tensor:
        """x (R, D) -> (R, D); each row's keys and values go to its slot, it sees (R, 1, 1, S) bool.

        slots: 0 .. R-1, and of each the position to write, both (R,);
        rotary: cosines and sines (R, 1, 1, H) of each row's position.
        """
        rows, read = x.shape[0], seen.shape[-1]
        qkv = self.qkv(layer_norm(x, self.eps)).view(rows, 3, self.n_heads, -1)
        qk = F.rms_norm(qkv[:, :2].float(), qkv.shape[-1:], eps=QK_EPS) * self.norm  # (R, 2, N, H)
        qk = rotate(qk, *rotary).to(x.dtype)
        places, positions = slots
        self.keys[places, :, positions], self.values[places, :, positions] = qk[:, 1], qkv[:, 2]
        attended = F.scaled_dot_product_attention(
            qk[:, 0, :, None], self.keys[:rows, :, :read], self.values[:rows, :, :read], attn_mask=seen
        )
        x = x + self.out(attended.reshape(rows, -1))
        gate, up = self.gate_up(layer_norm(x, self.eps)).chunk(2, dim=-1)
        out: Tensor = x + self.down(F.silu(gate) * up)
        return out
