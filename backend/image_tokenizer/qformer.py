"""Stage II's Q-Former: a grid of latents to an ordered row of 1D tokens and back (Figure 4, after GigaTok).

B batch, T grid positions, N tokens, C latent dimensions, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from backend.image_tokenizer.residual import start_still
from backend.shape_tokenizer.attention import CrossAttentionBlock, SelfAttentionBlock

_EPS = 1e-6


class QueryEncoder(nn.Module):
    """Learned queries read the latent grid, then each other, layer by layer."""

    def __init__(self, *, latent_dim: int, grid: int, n_tokens: int, width: int, n_heads: int, n_layers: int):
        super().__init__()
        self.latent_in = nn.Linear(latent_dim, width)
        self.positions = nn.Parameter(torch.randn(grid**2, width) * 0.02)
        self.queries = nn.Parameter(torch.randn(n_tokens, width) * 0.02)
        self.reads = nn.ModuleList(CrossAttentionBlock(width, n_heads, _EPS) for _ in range(n_layers))
        self.mixes = nn.ModuleList(SelfAttentionBlock(width, n_heads, _EPS) for _ in range(n_layers))
        self.norm = nn.LayerNorm(width)
        start_still(self.reads, self.mixes)

    def forward(self, latents: Tensor) -> Tensor:
        """Standardised latents (B, T, C) to (B, N, D)."""
        context = self.latent_in(latents) + self.positions
        x = self.queries.expand(len(latents), -1, -1).to(context.dtype)
        for read, mix in zip(self.reads, self.mixes, strict=True):
            x = mix(read(x, context))
        out: Tensor = self.norm(x)
        return out


class GridDecoder(nn.Module):
    """Learned grid positions and the tokens at hand attend to each other; fewer tokens are a shorter row."""

    def __init__(self, *, latent_dim: int, grid: int, n_tokens: int, width: int, n_heads: int, n_layers: int):
        super().__init__()
        self.grid = nn.Parameter(torch.randn(grid**2, width) * 0.02)
        self.positions = nn.Parameter(torch.randn(n_tokens, width) * 0.02)
        self.blocks = nn.ModuleList(SelfAttentionBlock(width, n_heads, _EPS) for _ in range(n_layers))
        self.norm = nn.LayerNorm(width)
        self.latent_out = nn.Linear(width, latent_dim)
        start_still(self.blocks)

    def forward(self, tokens: Tensor, tap: int | None = None) -> tuple[Tensor, Tensor]:
        """The first k tokens (B, k, D) to standardised latents (B, T, C), and the grid's features (B, T, D).

        The features are those after `tap` layers, or the last ones: what semantic regularisation aligns.
        """
        grid = self.grid.expand(len(tokens), -1, -1).to(tokens.dtype)
        x = torch.cat([grid, tokens + self.positions[: tokens.shape[1]]], dim=1)
        tapped = x
        for layer, block in enumerate(self.blocks, start=1):
            x = block(x)
            if layer == (tap or len(self.blocks)):
                tapped = x
        T = len(self.grid)
        return self.latent_out(self.norm(x[:, :T])), tapped[:, :T]
