"""Stage I: a continuous VAE on a representation encoder (Omni123 section 4.3 and Figure 4, after DINO-Tok).

Texture from shallow features and semantics from deep ones are projected into one latent per patch, and a
decoder turns the grid of latents into pixels. B batch, T patches in reading order, h x w grid of patches, C
latent dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from backend.image_tokenizer.encoder import PATCH, EncoderConfig, representation_encoder
from backend.image_tokenizer.residual import start_still
from backend.shape_tokenizer.attention import SelfAttentionBlock

_FINE = 4  # pixels along each side of a cell of the decoder's convolutions
_LOG_VARIANCE = (-12.0, 4.0)


@dataclass(frozen=True, kw_only=True)
class ImageVAEConfig:
    """Sizes of the VAE. The paper gives the encoder and the 832 dimensions; the decoder's are ours."""

    size: int = 512  # pixels along each side: 256 in stage 1 of pre-training, 512 afterwards
    latent_dim: int = 832
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    texture_dim: int = 512  # of the texture path, before the projection to the latent
    semantic_dim: int = 1024  # of the semantic path
    width: int = 1024  # of the decoder's transformer
    n_layers: int = 12
    n_heads: int = 16
    fine_width: int = 256  # channels of the decoder's convolutions, at a quarter of the pixels' resolution
    n_fine: int = 4  # residual convolution blocks

    def __post_init__(self) -> None:
        if self.size < PATCH or self.size % PATCH:
            raise ValueError(f"images must be a multiple of {PATCH} pixels, not {self.size}")
        if self.width % self.n_heads:
            raise ValueError(f"width {self.width} does not divide into {self.n_heads} heads")
        if min(self.latent_dim, self.texture_dim, self.semantic_dim, self.fine_width) < 1:
            raise ValueError(f"sizes must be positive: {self}")

    @property
    def grid(self) -> int:
        """Latents along each side."""
        return self.size // PATCH


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """What the encoder knows of each latent, a diagonal normal distribution, and the deep features."""

    mean: Tensor  # (B, T, C)
    log_variance: Tensor  # (B, T, C)
    semantics: Tensor  # (B, T, W) deep features of the representation encoder

    def sample(self) -> Tensor:
        return self.mean + torch.exp(0.5 * self.log_variance) * torch.randn_like(self.mean)

    def divergence(self) -> Tensor:
        """Kullback-Leibler divergence from the standard normal, nats per latent dimension."""
        m, v = self.mean.float(), self.log_variance.float()
        return 0.5 * (m.square() + v.exp() - 1 - v).mean()


class ImageVAE(nn.Module):
    """Images to latents and back; `encode` is deterministic, `posterior` is for training."""

    def __init__(self, config: ImageVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = representation_encoder(config.encoder, config.size)
        width, shallow = config.encoder.width, len(config.encoder.shallow)
        self.texture = nn.Sequential(
            nn.LayerNorm(width * shallow), nn.Linear(width * shallow, config.texture_dim)
        )
        self.semantic = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, config.semantic_dim))
        self.projection = nn.Linear(config.texture_dim + config.semantic_dim, 2 * config.latent_dim)
        # Little noise at first: at unit variance the decoder sees nothing and learns to ignore the latents.
        nn.init.constant_(self.projection.bias[config.latent_dim :], -4.0)
        self.decoder = PixelDecoder(config)

    def posterior(self, images: Tensor) -> Posterior:
        """Images (B, 3, size, size) in [-1, 1]. Raises ValueError for another size."""
        side = self.config.size
        if images.shape[1:] != (3, side, side):
            raise ValueError(f"images must be (B, 3, {side}, {side}), not {tuple(images.shape)}")
        texture, semantics = self.encoder(images)
        joined = torch.cat([self.texture(texture), self.semantic(semantics)], dim=-1)
        mean, log_variance = self.projection(joined).chunk(2, dim=-1)
        return Posterior(mean=mean, log_variance=log_variance.clamp(*_LOG_VARIANCE), semantics=semantics)

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, 3, size, size) to the posterior's mean (B, T, C)."""
        return self.posterior(images).mean

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B, T, C) to images (B, 3, size, size), which may leave [-1, 1] a little."""
        images: Tensor = self.decoder(latents)
        return images


class PixelDecoder(nn.Module):
    """Attention over patches, then convolutions at a quarter of the resolution, which hide seams."""

    def __init__(self, config: ImageVAEConfig) -> None:
        super().__init__()
        self.grid = config.grid
        self.latent_in = nn.Linear(config.latent_dim, config.width)
        self.positions = nn.Parameter(torch.randn(config.grid**2, config.width) * 0.02)
        self.blocks = nn.ModuleList(
            SelfAttentionBlock(config.width, config.n_heads, 1e-6) for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.width)
        self.spread = nn.Linear(config.width, config.fine_width * (PATCH // _FINE) ** 2)
        self.fine = nn.ModuleList(FineBlock(config.fine_width) for _ in range(config.n_fine))
        self.pixels = nn.Conv2d(config.fine_width, 3 * _FINE**2, 3, padding=1)
        start_still(self.blocks)

    def forward(self, latents: Tensor) -> Tensor:
        """(B, T, C) to (B, 3, size, size)."""
        x = self.latent_in(latents) + self.positions
        for block in self.blocks:
            x = block(x)
        x = self.spread(self.norm(x)).transpose(1, 2).unflatten(2, (self.grid, self.grid))
        x = F.pixel_shuffle(x, PATCH // _FINE)  # (B, fine_width, size / 4, size / 4)
        for block in self.fine:
            x = block(x)
        return F.pixel_shuffle(self.pixels(x), _FINE)

    @torch.no_grad()
    def start_at(self, color: Tensor) -> None:
        """Makes a colour (3,) in [-1, 1] what an untrained decoder paints: the data's mean."""
        assert self.pixels.bias is not None
        self.pixels.bias.copy_(color.repeat_interleave(_FINE**2))


class FineBlock(nn.Module):
    """Residual pair of 3 x 3 convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.conv_in = nn.Conv2d(width, width, 3, padding=1)
        self.conv_out = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv_out(F.gelu(self.conv_in(self.norm(x))))
        return out
