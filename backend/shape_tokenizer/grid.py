"""The grid shape tokenizer of `mini`: surface points -> 6x6x6 spatial codes -> trilinear feature field.

A convolutional occupancy network (Peng et al. 2020, section 3) around the spherical quantiser of the
published tokenizer. Convolutions learn local shape from few samples, which is what two CPU cores can pay for;
the interface (points in, a 1D code sequence, field out) is that of the Perceiver tokenizer beside it. Codes
are in reading order with z slowest, so that a prefix of the sequence is the object up to some height.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.geometry.canonical import BOUNDS
from backend.shape_tokenizer.compiled_field import CompiledField
from backend.shape_tokenizer.convolution import Conv3
from backend.shape_tokenizer.quantizer import SphericalVectorQuantizer

# B batch, P surface points, Q field queries, C channels, N tokens, G cells along one axis.
SPLAT_CHANNELS = 7
# Logits per canonical unit of signed distance near the surface; only the sign matters to extraction.
LOGITS_PER_UNIT = 10.0
_GROUPS = 8  # of channels that are normalised together


@dataclass(frozen=True, kw_only=True)
class GridShapeTokenizerConfig:
    """Sizes of the grid tokenizer."""

    token_grid: int = 6  # tokens along one axis; the sequence has its cube
    n_codes: int = 4096  # codebook entries
    code_dim: int = 16  # dimension of one code (paper: 16)
    width: int = 192  # channels at the token grid
    mid_width: int = 96  # channels at twice the token grid
    field_width: int = 32  # channels of the feature field, at four times the token grid
    n_blocks: int = 2  # residual blocks at the token grid, on each side
    n_attention: int = 2  # attention layers over all tokens in the decoder
    n_heads: int = 6  # heads of those layers
    up_axis: Literal["y", "z"] = "z"  # axis of the canonical frame that points up

    def __post_init__(self) -> None:
        if self.width % self.n_heads:
            raise ValueError(f"width {self.width} does not divide into {self.n_heads} heads")
        if min(self.token_grid, self.n_codes, self.code_dim, self.field_width) < 1:
            raise ValueError(f"sizes must be positive: {self}")
        for name in ("width", "mid_width", "field_width"):
            if getattr(self, name) % _GROUPS:
                raise ValueError(f"{name} must be a multiple of {_GROUPS}, not {getattr(self, name)}")

    @property
    def n_points(self) -> int:
        """Surface samples of one shape while training."""
        return 4096

    @property
    def n_tokens(self) -> int:
        return self.token_grid**3

    @property
    def field_grid(self) -> int:
        return 4 * self.token_grid


class ConvBlock(nn.Module):
    """Pre-activation residual block of two 3x3x3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm_1 = nn.GroupNorm(_GROUPS, channels)
        self.conv_1 = Conv3(channels, channels)
        self.norm_2 = nn.GroupNorm(_GROUPS, channels)
        self.conv_2 = Conv3(channels, channels)
        nn.init.zeros_(self.conv_2.weight)

    def forward(self, x: Tensor) -> Tensor:
        h: Tensor = self.conv_1(F.silu(self.norm_1(x)))
        h = self.conv_2(F.silu(self.norm_2(h)))
        return x + h


class AttentionBlock(nn.Module):
    """Pre-norm self-attention and MLP over the token grid, so that distant parts agree."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.norm_1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm_2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, N, C) -> (B, N, C)."""
        q, k, v = self.qkv(self.norm_1(x)).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        h: Tensor = self.down(F.gelu(self.up(self.norm_2(x))))
        return x + h


class GridEncoder(nn.Module):
    """Oriented surface points -> one vector per token cell."""

    def __init__(self, config: GridShapeTokenizerConfig) -> None:
        super().__init__()
        self.grid = config.field_grid
        self.stem = Conv3(SPLAT_CHANNELS, config.field_width)
        self.down_1 = nn.Conv3d(config.field_width, config.mid_width, 4, stride=2, padding=1)
        self.mid = ConvBlock(config.mid_width)
        self.down_2 = nn.Conv3d(config.mid_width, config.width, 4, stride=2, padding=1)
        self.blocks = nn.Sequential(*(ConvBlock(config.width) for _ in range(config.n_blocks)))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, points: Tensor, normals: Tensor) -> Tensor:
        """(B, P, 3), (B, P, 3) -> (B, N, width), tokens in reading order, z slowest."""
        x = F.silu(self.stem(splat(points, normals, self.grid)))
        x = self.mid(self.down_1(x))
        x = self.blocks(self.down_2(x))
        tokens: Tensor = self.norm(x.flatten(2).transpose(1, 2))
        return tokens


class GridDecoder(nn.Module):
    """One vector per token cell -> feature volume, and the field read from it."""

    def __init__(self, config: GridShapeTokenizerConfig) -> None:
        super().__init__()
        g, width = config.token_grid, config.width
        self.token_grid, self.field_grid = g, config.field_grid
        self.positions = nn.Parameter(torch.randn(g**3, width) * 0.02)
        self.attention = nn.ModuleList(
            AttentionBlock(width, config.n_heads) for _ in range(config.n_attention)
        )
        self.blocks = nn.Sequential(*(ConvBlock(width) for _ in range(config.n_blocks)))
        self.up_1 = nn.ConvTranspose3d(width, config.mid_width, 4, stride=2, padding=1)
        self.mid = ConvBlock(config.mid_width)
        self.up_2 = nn.ConvTranspose3d(config.mid_width, config.field_width, 4, stride=2, padding=1)
        self.out = ConvBlock(config.field_width)
        hidden = 2 * config.field_width
        self.field_in = nn.Linear(config.field_width + 6, hidden)
        self.field_mid = nn.Linear(hidden, hidden)
        self.field_out = nn.Linear(hidden, 1)

    def volume(self, tokens: Tensor) -> Tensor:
        """(B, N, width) -> features (B, C, G, G, G), axes z, y, x."""
        x = tokens + self.positions
        for block in self.attention:
            x = block(x)
        g = self.token_grid
        x = x.transpose(1, 2).reshape(len(x), -1, g, g, g)
        x = self.mid(self.up_1(self.blocks(x)))
        features: Tensor = self.out(self.up_2(x))
        return features

    def field(self, volume: Tensor, queries: Tensor) -> Tensor:
        """Features (B, C, G, G, G) and queries (B, Q, 3) in canonical units -> logits (B, Q)."""
        unit = (queries / BOUNDS).clamp(-1, 1)
        sampled = F.grid_sample(
            volume.float(), unit[:, None, None], mode="bilinear", padding_mode="border", align_corners=False
        )
        # Trilinear features bend only at cell centres; the phase within a cell lets the MLP bend anywhere.
        phase = unit * (math.pi * self.field_grid)
        x = torch.cat([sampled[:, :, 0, 0].transpose(1, 2), phase.sin(), phase.cos()], dim=-1)
        x = F.silu(self.field_in(x))
        x = F.silu(self.field_mid(x))
        logits: Tensor = LOGITS_PER_UNIT * self.field_out(x)[..., 0].float()
        return logits

    def compiled(self, volume: Tensor) -> CompiledField:
        """The fast twin of `field` for one volume (1, C, G, G, G) on a CPU, without gradients."""
        return CompiledField(volume[0], (self.field_in, self.field_mid, self.field_out), LOGITS_PER_UNIT)


class GridShapeTokenizer(nn.Module):
    """Points -> `token_grid`^3 codes -> occupancy logits; a `ShapeTokenizer`."""

    def __init__(self, config: GridShapeTokenizerConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = GridEncoder(config)
        self.quantizer = SphericalVectorQuantizer(
            width=config.width, n_codes=config.n_codes, code_dim=config.code_dim
        )
        self.decoder = GridDecoder(config)
        self._empty: Tensor | None = None
        self._compiled: tuple[Tensor, CompiledField] | None = None  # of the volume asked for last

    def encode(self, points: Tensor, normals: Tensor) -> Tensor:
        """Surface points and unit normals (B, P, 3), canonical frame -> ids (B, n_tokens) int64."""
        return self.quantizer.encode_ids(self.encoder(points, normals))

    def decode(self, ids: Tensor) -> Tensor:
        """ids (B, n_tokens) -> feature volume (B, C, G, G, G)."""
        return self.latents(self.quantizer.embed(ids))

    def latents(self, embedding: Tensor) -> Tensor:
        """Embeddings of all tokens (B, n_tokens, width) to the feature volume, as training decodes them."""
        return self.decoder.volume(embedding)

    @property
    def preview_stride(self) -> int:
        """Tokens of one horizontal layer; `decode_prefix` shows a whole number of them best."""
        return self.config.token_grid**2

    def decode_prefix(self, ids: Tensor, count: int) -> Tensor:
        """Feature volume of the first `count` ids: the object up to that height, and nothing above."""
        shown = torch.arange(ids.shape[1], device=ids.device) < count
        return self.decode(torch.where(shown, ids, self._empty_code(ids.device)))

    def _empty_code(self, device: torch.device) -> Tensor:
        """The code of a cell far from any surface, read off a speck at the other end of the box.

        Kept until the weights may change: every preview of every shape asks for it.
        """
        if self._empty is None or self.training:
            speck = torch.full((1, 8, 3), -BOUNDS, device=device)
            self._empty = self.encode(speck, F.normalize(speck, dim=-1))[0, -1]
        return self._empty

    def train(self, mode: bool = True) -> GridShapeTokenizer:
        self._empty = self._compiled = None
        return super().train(mode)

    def field(self, latents: Tensor, queries: Tensor) -> Tensor:
        """Feature volume and queries (B, Q, 3) -> logits (B, Q), positive inside."""
        compiled = len(latents) == 1 and latents.device.type == "cpu" and not torch.is_grad_enabled()
        if not compiled or self.training:
            return self.decoder.field(latents, queries)
        if self._compiled is None or self._compiled[0] is not latents:
            self._compiled = latents, self.decoder.compiled(latents)
        return self._compiled[1](queries[0])[None]

    def codebook(self) -> Tensor:
        """Normalised codes (n_codes, code_dim)."""
        return self.quantizer.codebook_table()


def splat(points: Tensor, normals: Tensor, grid: int) -> Tensor:
    """Mean offset, mean normal and log count of the points in each cell.

    points, normals: (B, P, 3) -> (B, 7, grid, grid, grid), axes z, y, x. Points outside the box count to the
    nearest cell.
    """
    B, P, _ = points.shape
    cell = ((points / BOUNDS + 1) * (grid / 2)).clamp(0, grid - 1e-3)
    index = cell.long()
    flat = (index[..., 2] * grid + index[..., 1]) * grid + index[..., 0]
    flat = flat + torch.arange(B, device=points.device)[:, None] * grid**3
    ones = torch.ones(B, P, 1, device=points.device, dtype=points.dtype)
    values = torch.cat([cell - index - 0.5, normals, ones], dim=-1)
    sums = torch.zeros(B * grid**3, SPLAT_CHANNELS, device=points.device, dtype=points.dtype)
    sums.index_add_(0, flat.flatten(), values.flatten(0, 1))
    count = sums[:, 6:]
    features = torch.cat([sums[:, :6] / count.clamp(min=1), count.log1p()], dim=-1)
    return features.view(B, grid, grid, grid, SPLAT_CHANNELS).permute(0, 4, 1, 2, 3)
