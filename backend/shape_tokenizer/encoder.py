"""Perceiver encoder: learned queries read a surface point cloud. B batch, P points, N latents, D width."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

from backend.shape_tokenizer.attention import CrossAttentionBlock, SelfAttentionBlock
from backend.shape_tokenizer.fourier import PhaseModulatedFourier, PointEmbedding


class PerceiverEncoder(nn.Module):
    """Cross-attention to the points at some levels, self-attention at the others.

    Query 0 is a class query, which published weights carry; its output is dropped.
    """

    def __init__(
        self,
        *,
        embedder: PhaseModulatedFourier,
        n_latents: int,
        point_feats: int,
        width: int,
        n_heads: int,
        n_layers: int,
        cross_attention_levels: Collection[int],
        eps: float,
    ) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(1 + n_latents, width) * 0.02)
        self.embedder = embedder
        self.feat_in = PointEmbedding(embedder.width + point_feats, width)
        self.blocks = nn.ModuleList(
            CrossAttentionBlock(width, n_heads, eps)
            if level in cross_attention_levels
            else SelfAttentionBlock(width, n_heads, eps)
            for level in range(n_layers)
        )
        self.ln_f = nn.LayerNorm(width, eps=eps)

    def forward(self, points: Tensor, features: Tensor) -> Tensor:
        """Points (B, P, 3) and their features (B, P, point_feats) to latents (B, N, D)."""
        context = self.feat_in(torch.cat([self.embedder(points), features.float()], dim=-1))
        x = self.query.expand(len(points), -1, -1).to(context.dtype)
        for block in self.blocks:
            x = block(x, context) if isinstance(block, CrossAttentionBlock) else block(x)
        latents: Tensor = self.ln_f(x[:, 1:])
        return latents
