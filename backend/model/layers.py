"""The two kinds of layer (Omni123 section 4.1, Cube3D's dual stream), named as in the published checkpoints.

B batch, C conditioning tokens, L generation tokens, D model width, N heads, H head dimension.
Conditioning tokens all sit at position 0, where RoPE is the identity, so only generation tokens are rotated.
The conditioning stream never sees the generation, so each layer runs it first: `condition`, then `generate`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.model.config import TransformerConfig
from backend.model.rope import rotate

Rotary = tuple[Tensor, Tensor]  # cosines and signed sines, each (L, H)
KeysValues = tuple[
    Tensor, Tensor
]  # of one layer, keys rotated where they have a position, each (..., N, S, H)
QK_EPS = 1e-5  # of the query and key norms in every published checkpoint, whatever the config's eps


def layer_norm(x: Tensor, eps: float) -> Tensor:
    """LayerNorm without affine over the last dimension, in float32 whatever x is."""
    return F.layer_norm(x.float(), x.shape[-1:], eps=eps).to(x.dtype)


class RMSNorm(nn.Module):
    """x / rms(x) * weight over the head dimension, in float32."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        full = x.float()
        scale = torch.rsqrt(full.square().mean(-1, keepdim=True) + QK_EPS)
        return (full * scale * self.weight).to(x.dtype)


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x))."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        hidden = config.mlp_ratio * config.width
        self.gate_proj = nn.Linear(config.width, hidden, bias=config.bias)
        self.up_proj = nn.Linear(config.width, hidden, bias=config.bias)
        self.down_proj = nn.Linear(hidden, config.width, bias=config.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
        return out


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """(B, L, N*H) -> (B, N, L, H)"""
    return x.view(*x.shape[:-1], n_heads, x.shape[-1] // n_heads).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, N, L, H) -> (B, L, N*H)"""
    return x.transpose(1, 2).flatten(2)


class Projection(nn.Module):
    """Queries, keys and values of one stream: joint query-key projection, per-head RMSNorm before RoPE."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.c_qk = nn.Linear(config.width, 2 * config.width, bias=False)
        self.c_v = nn.Linear(config.width, config.width, bias=config.bias)
        self.q_norm = RMSNorm(config.head_dim)
        self.k_norm = RMSNorm(config.head_dim)

    def forward(self, x: Tensor, rotary: Rotary | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised x (B, L, D) -> queries, keys, values, each (B, N, L, H)."""
        q, k = self.c_qk(x).chunk(2, dim=-1)
        q, k = self.q_norm(split_heads(q, self.n_heads)), self.k_norm(split_heads(k, self.n_heads))
        if rotary is not None:
            q, k = rotate(q, *rotary), rotate(k, *rotary)
        return q, k, split_heads(self.c_v(x), self.n_heads)


class KeyValueProjection(nn.Module):
    """The last dual layer's conditioning: keys and values only, nobody reads its queries."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.c_k = nn.Linear(config.width, config.width, bias=config.bias)
        self.c_v = nn.Linear(config.width, config.width, bias=config.bias)
        self.k_norm = RMSNorm(config.head_dim)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised x (B, C, D) -> keys, values, each (B, N, C, H)."""
        keys = self.k_norm(split_heads(self.c_k(x), self.n_heads))
        return keys, split_heads(self.c_v(x), self.n_heads)


class PostAttention(nn.Module):
    """After attention, in one stream of a dual layer: output projection and feed-forward, both residual."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.eps = config.eps
        self.c_proj = nn.Linear(config.width, config.width, bias=config.bias)
        self.mlp = SwiGLU(config)

    def forward(self, x: Tensor, attended: Tensor) -> Tensor:
        x = x + self.c_proj(merge_heads(attended))
        out: Tensor = x + self.mlp(layer_norm(x, self.eps))
        return out


class JointProjection(nn.Module):
    """The projections of both streams of a dual layer."""

    def __init__(self, config: TransformerConfig, *, last: bool) -> None:
        super().__init__()
        self.pre_x = Projection(config)
        self.pre_c = KeyValueProjection(config) if last else Projection(config)


class DualBlock(nn.Module):
    """A dual-stream layer: own projections and feed-forward per stream, one joint attention."""

    def __init__(self, config: TransformerConfig, *, last: bool) -> None:
        super().__init__()
        self.eps = config.eps
        self.attn = JointProjection(config, last=last)
        self.post_1 = PostAttention(config)
        self.post_2 = None if last else PostAttention(config)

    def condition(self, c: Tensor, mask: Tensor) -> tuple[Tensor, KeysValues]:
        """c (B, C, D), mask broadcastable to (B, N, C, C) -> the next c, and keys and values (B, N, C, H).

        The last layer hands c back as it came: nothing reads it.
        """
        normed = layer_norm(c, self.eps)
        if self.post_2 is None:
            return c, self.attn.pre_c(normed)
        q, keys, values = self.attn.pre_c(normed)
        attended = F.scaled_dot_product_attention(q, keys, values, attn_mask=mask)
        return self.post_2(c, attended), (keys, values)

    def generate(
        self, x: Tensor, rotary: Rotary, conditioning: KeysValues, mask: Tensor | None
    ) -> tuple[Tensor, KeysValues]:
        """x (B, L, D) over the conditioning and itself -> next x, and its own keys and values.

        mask is broadcastable to (B, N, L, C + L); None: everyone sees everyone.
        """
        q, k, v = self.attn.pre_x(layer_norm(x, self.eps), rotary)
        keys, values = (torch.cat(pair, dim=2) for pair in zip(conditioning, (k, v), strict=True))
        attended = F.scaled_dot_product_attention(q, keys, values, attn_mask=mask)
        return self.post_1(x, attended), (k, v)


class SelfAttention(Projection):
    """A single-stream layer's projections with their output projection, flat as the published names are."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        self.c_proj = nn.Linear(config.width, config.width, bias=config.bias)


class SingleBlock(nn.Module):
    """A single-stream layer, on generation tokens alone."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.eps = config.eps
        self.attn = SelfAttention(config)
        self.mlp = SwiGLU(config)

    def forward(
        self, x: Tensor, rotary: Rotary, mask: Tensor | None, *, causal: bool = False
    ) -> tuple[Tensor, KeysValues]:
        """x (B, L, D) -> next x, and its own keys and values.

        mask is broadcastable to (B, N, L, L); None: everyone sees everyone, or the earlier ones if `causal`.
        """
        q, k, v = self.attn(layer_norm(x, self.eps), rotary)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal)
        x = x + self.attn.c_proj(merge_heads(attended))
        return x + self.mlp(layer_norm(x, self.eps)), (k, v)
