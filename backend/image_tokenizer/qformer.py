"""Stage II's Q-Former: a grid of latents to an ordered row of 1D tokens and back (Figure 4, after GigaTok).

B batch, T grid positions, N tokens, C latent dimensions, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from backend.image_tokenizer.residual import start_still
from backend.shape_tokenizer.attention import CrossAttentionBlock, SelfAttentionBlock

_EPS = 1e-6


def pyramid(n_tokens: int, grid: int) -> Tensor:
    """(N, T) means over cells of the grid: the whole, its quarters, and so on; single positions come last.

    GigaTok starts its queries from such multi-level averages (without them `mini` learned at a fifth of the
    speed, or not at all). Here they are learned from there, in both
    directions; the order from coarse to fine is what makes a prefix a blurred whole.
    """
    sides = [1]
    while sum(side**2 for side in sides) < n_tokens:
        sides.append(min(2 * sides[-1], grid))
    rows = torch.zeros(n_tokens, grid, grid)
    cells = [(side, cell) for side in sides for cell in _spread(side**2)]
    for row, (side, cell) in zip(rows, cells, strict=False):
        (top, bottom), (left, right) = (
            (at * grid // side, -(-(at + 1) * grid // side)) for at in divmod(cell, side)
        )
        row[top:bottom, left:right] = 1 / ((bottom - top) * (right - left))
    return rows.flatten(1)


def _spread(n: int) -> list[int]:
    """0..n-1 in golden-ratio order, any part of which lies evenly over the whole."""
    return sorted(range(n), key=lambda index: index * 0.6180339887 % 1)


class QueryEncoder(nn.Module):
    """Queries, each a learned average of the latent grid at first, read the grid, then each other."""

    def __init__(self, *, latent_dim: int, grid: int, n_tokens: int, width: int, n_heads: int, n_layers: int):
        super().__init__()
        self.latent_in = nn.Linear(latent_dim, width)
        self.positions = nn.Parameter(torch.randn(grid**2, width) * 0.02)
        self.queries = nn.Parameter(torch.randn(n_tokens, width) * 0.02)
        self.pool = nn.Parameter(pyramid(n_tokens, grid))
        self.reads = nn.ModuleList(CrossAttentionBlock(width, n_heads, _EPS) for _ in range(n_layers))
        self.mixes = nn.ModuleList(SelfAttentionBlock(width, n_heads, _EPS) for _ in range(n_layers))
        self.norm = nn.LayerNorm(width)
        start_still(self.reads, self.mixes)

    def forward(self, latents: Tensor) -> Tensor:
        """Standardised latents (B, T, C) to (B, N, D)."""
        context = self.latent_in(latents) + self.positions
        x = self.queries + self.pool @ context
        for read, mix in zip(self.reads, self.mixes, strict=True):
            x = mix(read(x, context))
        out: Tensor = self.norm(x)
        return out


class GridDecoder(nn.Module):
    """Grid positions, each a learned sum of tokens at first, and the tokens at hand attend to each other.

    Fewer tokens are a shorter row.
    """

    def __init__(self, *, latent_dim: int, grid: int, n_tokens: int, width: int, n_heads: int, n_layers: int):
        super().__init__()
        self.grid = nn.Parameter(torch.randn(grid**2, width) * 0.02)
        self.positions = nn.Parameter(torch.randn(n_tokens, width) * 0.02)
        covers = (pyramid(n_tokens, grid) > 0).float().T  # (T, N)
        self.unpool = nn.Parameter((covers / covers.sum(dim=1, keepdim=True)).contiguous())
        self.blocks = nn.ModuleList(SelfAttentionBlock(width, n_heads, _EPS) for _ in range(n_layers))
        self.norm = nn.LayerNorm(width)
        self.latent_out = nn.Linear(width, latent_dim)
        start_still(self.blocks)

    def forward(self, tokens: Tensor, tap: int | None = None) -> tuple[Tensor, Tensor]:
        """The first k tokens (B, k, D) to standardised latents (B, T, C), and the grid's features (B, T, D).

        The features are those after `tap` layers, or the last ones: what semantic regularisation aligns.
        """
        k = tokens.shape[1]
        grid = self.grid + self.unpool[:, :k] @ tokens
        x = torch.cat([grid, tokens + self.positions[:k]], dim=1)
        tapped = x
        for layer, block in enumerate(self.blocks, start=1):
            x = block(x)
            if layer == (tap or len(self.blocks)):
                tapped = x
        T = len(self.grid)
        return self.latent_out(self.norm(x[:, :T])), tapped[:, :T]
