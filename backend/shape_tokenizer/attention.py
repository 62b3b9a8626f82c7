"""Pre-norm attention blocks of the Perceiver tokenizer, with the published tensor names.

B batch, N queries or latents, M keys, D width, heads of H = D / n_heads.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from backend.shape_tokenizer.quantizer import RMSNorm


class MLP(nn.Module):
    """GELU (exact) feed-forward of four times the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up_proj = nn.Linear(width, 4 * width)
        self.down_proj = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down_proj(F.gelu(self.up_proj(x)))
        return out


class SelfAttention(nn.Module):
    """All latents see all latents; queries and keys are normalised per head."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.c_qk = nn.Linear(width, 2 * width)
        self.c_v = nn.Linear(width, width)
        self.c_proj = nn.Linear(width, width)
        self.q_norm = RMSNorm(width // n_heads)
        self.k_norm = RMSNorm(width // n_heads)

    def forward(self, x: Tensor) -> Tensor:
        q, k = self.c_qk(x).chunk(2, dim=-1)
        heads = F.scaled_dot_product_attention(
            self.q_norm(_split(q, self.n_heads)),
            self.k_norm(_split(k, self.n_heads)),
            _split(self.c_v(x), self.n_heads),
        )
        out: Tensor = self.c_proj(_join(heads))
        return out


class CrossAttention(nn.Module):
    """Queries read from a context; no per-head norm, as published."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.c_q = nn.Linear(width, width)
        self.c_k = nn.Linear(width, width)
        self.c_v = nn.Linear(width, width)
        self.c_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        heads = F.scaled_dot_product_attention(
            _split(self.c_q(x), self.n_heads),
            _split(self.c_k(context), self.n_heads),
            _split(self.c_v(context), self.n_heads),
        )
        out: Tensor = self.c_proj(_join(heads))
        return out


class SelfAttentionBlock(nn.Module):
    """x + attention, x + MLP; norms without weights."""

    def __init__(self, width: int, n_heads: int, eps: float) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=eps, elementwise_affine=False)
        self.attn = SelfAttention(width, n_heads)
        self.ln_2 = nn.LayerNorm(width, eps=eps, elementwise_affine=False)
        self.mlp = MLP(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        x = x + self.mlp(self.ln_2(x))
        return x


class CrossAttentionBlock(nn.Module):
    """Like SelfAttentionBlock, but reading from a context that is normalised here."""

    def __init__(self, width: int, n_heads: int, eps: float) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=eps, elementwise_affine=False)
        self.ln_2 = nn.LayerNorm(width, eps=eps, elementwise_affine=False)
        self.attn = CrossAttention(width, n_heads)
        self.ln_3 = nn.LayerNorm(width, eps=eps, elementwise_affine=False)
        self.mlp = MLP(width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x), self.ln_2(context))
        x = x + self.mlp(self.ln_3(x))
        return x


def _split(x: Tensor, n_heads: int) -> Tensor:
    """(B, N, D) to (B, heads, N, H)."""
    return x.view(*x.shape[:-1], n_heads, x.shape[-1] // n_heads).transpose(1, 2)


def _join(heads: Tensor) -> Tensor:
    """(B, heads, N, H) to (B, N, D)."""
    return heads.transpose(1, 2).flatten(2)
