"""Uni3D (Zhou et al. 2024): coloured points through an EVA transformer to EVA02-CLIP-E's space of 1,024.

Sizes and the kind of blocks (EVA giant, EVA-02 tiny to large) follow from the tensors; patches are 512 of 64
points, as published. The image transformer's rotary positions are not used on points. W width.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.evaluation.scorers.patches import PatchEncoder, group, place_embedding
from training.evaluation.scorers.ulip2 import filled

MARK = "point_encoder.encoder2trans.weight"  # a tensor that no other published encoder has
_EPS = 1e-6
_HEAD_OF = {1408: 88}  # width of a head by the model's, 64 elsewhere


class _Attention(nn.Module):
    """Fused projections with biases of q and v alone, or three projections of which k has none."""

    def __init__(self, width: int, *, fused: bool) -> None:
        super().__init__()
        self.head, self.fused = _HEAD_OF.get(width, 64), fused
        if fused:
            self.qkv = nn.Linear(width, 3 * width, bias=False)
            self.q_bias, self.v_bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))
        else:
            self.q_proj, self.v_proj = nn.Linear(width, width), nn.Linear(width, width)
            self.k_proj = nn.Linear(width, width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        if self.fused:
            bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
            parts = F.linear(x, self.qkv.weight, bias).chunk(3, dim=-1)
        else:
            parts = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        q, k, v = (part.view(*part.shape[:2], -1, self.head).transpose(1, 2) for part in parts)
        out: Tensor = self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return out


class _Plain(nn.Module):
    """GELU feed-forward, or SwiGLU whose two halves lie in one matrix."""

    def __init__(self, width: int, inner: int, outer: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(outer, width)
        self.gated = inner == 2 * outer

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x)
        if self.gated:
            gate, value = x.chunk(2, dim=-1)
            x = F.silu(gate) * value
        else:
            x = F.gelu(x)
        out: Tensor = self.fc2(x)
        return out


class _Gated(nn.Module):
    """SwiGLU of two matrices, normalised inside."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1_g, self.fc1_x = nn.Linear(width, inner), nn.Linear(width, inner)
        self.norm, self.fc2 = nn.LayerNorm(inner, eps=_EPS), nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(self.norm(F.silu(self.fc1_g(x)) * self.fc1_x(x)))
        return out


class _Block(nn.Module):
    def __init__(self, tensors: Mapping[str, Tensor], prefix: str) -> None:
        super().__init__()
        width = tensors[f"{prefix}norm1.weight"].shape[0]
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=_EPS) for _ in range(2))
        self.attn = _Attention(width, fused=f"{prefix}attn.qkv.weight" in tensors)
        self.mlp: nn.Module
        if f"{prefix}mlp.fc1_g.weight" in tensors:
            self.mlp = _Gated(width, tensors[f"{prefix}mlp.fc1_g.weight"].shape[0])
        else:
            inner, outer = (tensors[f"{prefix}mlp.{name}.weight"] for name in ("fc1", "fc2"))
            self.mlp = _Plain(width, inner.shape[0], outer.shape[1])

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class _PointEncoder(nn.Module):
    """Tokens of patches through the transformer, under the published names."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        bridge, out = tensors[MARK], tensors["point_encoder.trans2embed.weight"]
        width, blocks = bridge.shape[0], "point_encoder.visual.blocks."
        depth = len({name.removeprefix(blocks).split(".")[0] for name in tensors if name.startswith(blocks)})
        self.encoder = PatchEncoder(6, bridge.shape[1])
        self.encoder2trans = nn.Linear(bridge.shape[1], width)
        self.trans2embed = nn.Linear(width, out.shape[0])
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.cls_pos = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = place_embedding(width)
        self.visual = nn.ModuleDict(
            {
                "blocks": nn.ModuleList(_Block(tensors, f"{blocks}{layer}.") for layer in range(depth)),
                "fc_norm": nn.LayerNorm(width, eps=_EPS),
            }
        )

    def forward(self, centres: Tensor, patches: Tensor) -> Tensor:
        tokens = self.encoder2trans(self.encoder(patches)) + self.pos_embed(centres)
        x = torch.cat([(self.cls_token + self.cls_pos).expand(len(tokens), -1, -1), tokens], dim=1)
        blocks = self.visual["blocks"]
        assert isinstance(blocks, nn.ModuleList)
        for block in blocks:
            x = block(x)
        out: Tensor = self.trans2embed(self.visual["fc_norm"](x[:, 0]))
        return out


class Uni3D(nn.Module):
    """Point encoder and projection."""

    name = "Uni3D-T"
    patches, patch_size = 512, 64

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.point_encoder = _PointEncoder(tensors)

    def forward(self, points: Tensor, colors: Tensor) -> Tensor:
        """points (B, P, 3), Y up, normalised; colors (B, P, 3) from 0 to 1."""
        out: Tensor = self.point_encoder(*group(points, colors, self.patches, self.patch_size))
        return out


def from_tensors(tensors: Mapping[str, Tensor]) -> Uni3D:
    """The encoder of a published checkpoint. ValueError naming tensors that are missing."""
    model = Uni3D(tensors)
    filled(model, tensors, "Uni3D")
    return model
