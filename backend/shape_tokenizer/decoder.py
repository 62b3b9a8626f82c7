"""Perceiver decoder: code embeddings to latents, and latents to an occupancy field.

B batch, N latents, Q field queries, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from backend.shape_tokenizer.attention import CrossAttentionBlock, SelfAttentionBlock
from backend.shape_tokenizer.fourier import PhaseModulatedFourier, PointEmbedding


class LatentDecoder(nn.Module):
    """Self-attention over code embeddings at learned positions; no norm at the end."""

    def __init__(self, *, n_latents: int, width: int, n_heads: int, n_layers: int, eps: float) -> None:
        super().__init__()
        self.positional_encodings = nn.Parameter(torch.randn(n_latents, width) * 0.02)
        self.blocks = nn.ModuleList(SelfAttentionBlock(width, n_heads, eps) for _ in range(n_layers))

    def forward(self, embedding: Tensor) -> Tensor:
        """The first k <= N embeddings (B, k, D) to latents (B, k, D); what is missing is not attended to."""
        x = embedding + self.positional_encodings[: embedding.shape[1]]
        for block in self.blocks:
            x = block(x)
        return x


class OccupancyDecoder(nn.Module):
    """Each query reads all latents once; the logit is positive inside."""

    def __init__(self, *, embedder: PhaseModulatedFourier, width: int, n_heads: int, eps: float) -> None:
        super().__init__()
        self.embedder = embedder
        self.query_in = PointEmbedding(embedder.width, width)
        self.attn_out = CrossAttentionBlock(width, n_heads, eps)
        self.ln_f = nn.LayerNorm(width, eps=eps)
        self.c_head = nn.Linear(width, 1)

    def forward(self, queries: Tensor, latents: Tensor) -> Tensor:
        """Queries (B, Q, 3) and latents (B, N, D) to logits (B, Q)."""
        x = self.attn_out(self.query_in(self.embedder(queries)), latents)
        logits: Tensor = self.c_head(self.ln_f(x)).squeeze(-1).float()
        return logits
