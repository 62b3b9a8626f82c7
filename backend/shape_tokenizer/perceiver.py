"""The Perceiver shape tokenizer in the published Cube3D format: its checkpoints load as they are.

B batch, P surface points, N tokens, Q field queries, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from backend.geometry.canonical import UpAxis
from backend.shape_tokenizer.decoder import LatentDecoder, OccupancyDecoder
from backend.shape_tokenizer.encoder import PerceiverEncoder
from backend.shape_tokenizer.fourier import PhaseModulatedFourier
from backend.shape_tokenizer.quantizer import Quantized, SphericalVectorQuantizer

# 16,384 queries of width 768 keep the widest activation at 0.2 GB.
_QUERIES_AT_ONCE = 16_384
_PREVIEWS = 8  # of one shape


@dataclass(frozen=True, kw_only=True)
class PerceiverShapeTokenizerConfig:
    """Sizes of the Perceiver tokenizer; the defaults are those of published Cube3D v0.5."""

    n_latents: int = 1024  # tokens per shape
    n_codes: int = 16_384  # codebook entries
    code_dim: int = 32  # dimension of one code (Omni123's table: 16)
    width: int = 768  # of latents
    n_heads: int = 12
    n_freqs: int = 128  # Fourier frequencies per coordinate
    n_encoder_layers: int = 13
    cross_attention_levels: tuple[int, ...] = (0, 2, 4, 8)  # encoder layers that read the points
    n_decoder_layers: int = 24
    point_feats: int = 3  # features per point beside its position: the normal
    eps: float = 1e-6  # of layer norms
    shortcut: float = 0.0  # share of training samples that bypass quantisation
    tail_dropout: float = 0.0  # share that lost its last tokens in training; without it, prefixes mean little
    up_axis: UpAxis = "y"  # axis of the canonical frame that points up

    def __post_init__(self) -> None:
        object.__setattr__(self, "cross_attention_levels", tuple(self.cross_attention_levels))
        if min(self.n_latents, self.n_codes, self.code_dim, self.n_freqs, self.width, self.n_heads) < 1:
            raise ValueError(f"sizes must be positive: {self}")
        if self.width % self.n_heads:
            raise ValueError(f"width {self.width} does not divide into {self.n_heads} heads")
        if not set(self.cross_attention_levels) <= set(range(self.n_encoder_layers)):
            raise ValueError(f"cross-attention levels {self.cross_attention_levels} are not encoder layers")
        if 0 not in self.cross_attention_levels:
            raise ValueError("the first encoder layer must read the points")
        if not 0.0 <= self.tail_dropout <= 1.0:
            raise ValueError(f"tail_dropout must be a share of samples, not {self.tail_dropout}")

    @property
    def n_points(self) -> int:
        """Surface samples of one shape, as published."""
        return 8192

    @property
    def n_tokens(self) -> int:
        return self.n_latents


class PerceiverShapeTokenizer(nn.Module):
    """Points -> learned queries -> codes -> latents -> occupancy logits; a `ShapeTokenizer`."""

    def __init__(self, config: PerceiverShapeTokenizerConfig) -> None:
        super().__init__()
        self.config = config
        # One tensor under three names, in the module tree as in published files.
        self.embedder = PhaseModulatedFourier(config.n_freqs)
        self.encoder = PerceiverEncoder(
            embedder=self.embedder,
            n_latents=config.n_latents,
            point_feats=config.point_feats,
            width=config.width,
            n_heads=config.n_heads,
            n_layers=config.n_encoder_layers,
            cross_attention_levels=config.cross_attention_levels,
            eps=config.eps,
        )
        self.bottleneck = nn.ModuleDict(
            {
                "block": SphericalVectorQuantizer(
                    width=config.width,
                    n_codes=config.n_codes,
                    code_dim=config.code_dim,
                    shortcut=config.shortcut,
                )
            }
        )
        self.decoder = LatentDecoder(
            n_latents=config.n_latents,
            width=config.width,
            n_heads=config.n_heads,
            n_layers=config.n_decoder_layers,
            eps=config.eps,
        )
        self.occupancy_decoder = OccupancyDecoder(
            embedder=self.embedder, width=config.width, n_heads=config.n_heads, eps=config.eps
        )

    @property
    def quantizer(self) -> SphericalVectorQuantizer:
        block = self.bottleneck["block"]
        assert isinstance(block, SphericalVectorQuantizer)
        return block

    def encode(self, points: Tensor, normals: Tensor) -> Tensor:
        """Surface points and unit normals (B, P, 3), canonical frame -> ids (B, n_tokens) int64."""
        return self.quantizer.encode_ids(self.encoder(points, normals))

    def decode(self, ids: Tensor) -> Tensor:
        """ids (B, k) of the first k tokens -> latents (B, k, D)."""
        return self.latents(self.quantizer.embed(ids))

    @property
    def preview_stride(self) -> int:
        """Tokens between previews; all of them where training dropped no tails, as in published weights."""
        return (
            max(1, self.config.n_latents // _PREVIEWS) if self.config.tail_dropout else self.config.n_latents
        )

    def decode_prefix(self, ids: Tensor, count: int) -> Tensor:
        """Latents (B, count, D) of the first `count` ids: a coarse whole where training dropped tails."""
        if not 1 <= count <= self.config.n_latents:
            raise ValueError(f"a prefix has 1 to {self.config.n_latents} tokens, not {count}")
        return self.decode(ids[:, :count])

    def latents(self, embedding: Tensor) -> Tensor:
        """Embeddings of the first k tokens (B, k, D) to as many latents, as training decodes them."""
        latents: Tensor = self.decoder(embedding)
        return latents

    def field(self, latents: Tensor, queries: Tensor) -> Tensor:
        """Latents and queries (B, Q, 3) -> logits (B, Q), positive inside."""
        parts = torch.split(queries, _QUERIES_AT_ONCE, dim=1)
        return torch.cat([self.occupancy_decoder(part, latents) for part in parts], dim=1)

    def codebook(self) -> Tensor:
        """Normalised codes (n_codes, code_dim)."""
        return self.quantizer.codebook_table()

    def forward(self, points: Tensor, normals: Tensor, queries: Tensor) -> tuple[Tensor, Quantized]:
        """For training: logits (B, Q) at queries (B, Q, 3), and the quantisation with its losses."""
        quantized: Quantized = self.quantizer(self.encoder(points, normals))
        return self.field(self.latents(quantized.embedding), queries), quantized


def paper() -> PerceiverShapeTokenizerConfig:
    """Omni123: 1,024 tokens and codes of 16 dimensions (Table 3); the rest, the paper leaves to Cube3D."""
    return PerceiverShapeTokenizerConfig(code_dim=16)


def published_v05() -> PerceiverShapeTokenizerConfig:
    """Cube3D v0.5: 273,772,705 parameters."""
    return PerceiverShapeTokenizerConfig()


def published_v01() -> PerceiverShapeTokenizerConfig:
    """Cube3D v0.1: 512 tokens, 272,986,273 parameters."""
    return PerceiverShapeTokenizerConfig(n_latents=512)


def published_config(shape_model: Mapping[str, Any]) -> PerceiverShapeTokenizerConfig:
    """Configuration from the `shape_model` section of a published Cube3D configuration.

    Raises ValueError for a variant this tokenizer does not implement.
    """
    fixed = {"encoder_with_cls_token": True, "out_dim": 1, "embed_point_feats": False}
    for name, value in fixed.items():
        if shape_model.get(name, value) != value:
            raise ValueError(f"published tokenizers with {name} = {shape_model[name]!r} are not supported")
    return PerceiverShapeTokenizerConfig(
        n_latents=shape_model["num_encoder_latents"],
        n_codes=shape_model["num_codes"],
        code_dim=shape_model["embed_dim"],
        width=shape_model["width"],
        n_heads=shape_model["num_heads"],
        n_freqs=shape_model["num_freqs"],
        n_encoder_layers=shape_model["num_encoder_layers"],
        cross_attention_levels=tuple(shape_model["encoder_cross_attention_levels"]),
        n_decoder_layers=shape_model["num_decoder_layers"],
        point_feats=shape_model["point_feats"],
        eps=shape_model["eps"],
    )
