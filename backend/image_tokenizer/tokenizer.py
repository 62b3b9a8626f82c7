"""Stage II: the frozen VAE with a 1D Q-Former between its halves (Omni123 section 4.3, Figure 4).

B batch, N tokens, T = h * w grid positions, C latent dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from backend.image_tokenizer.qformer import GridDecoder, QueryEncoder
from backend.image_tokenizer.vae import ImageVAE, ImageVAEConfig
from backend.shape_tokenizer.quantizer import SphericalVectorQuantizer


@dataclass(frozen=True, kw_only=True)
class QFormerTokenizerConfig:
    """Sizes of the 1D tokenizer; the paper's where it prints them: queries, codes and their dimension.

    At 256 pixels an image has 256 tokens (derived from Table 6's tokens seen), at 512 it has 1,024.
    """

    vae: ImageVAEConfig = field(default_factory=ImageVAEConfig)
    n_tokens: int = 1024  # queries
    n_codes: int = 65_536  # the paper's 64K
    code_dim: int = 64
    width: int = 1024  # of the Q-Former; this and the next three are ours
    n_heads: int = 16
    n_encoder_layers: int = 8  # pairs of cross- and self-attention
    n_decoder_layers: int = 24  # GigaTok: the decoder profits most from size
    align_layer: int = (
        3  # decoder layer whose features are aligned with the representation encoder's (GigaTok)
    )

    def __post_init__(self) -> None:
        if min(self.n_tokens, self.n_codes, self.code_dim, self.n_encoder_layers) < 1:
            raise ValueError(f"sizes must be positive: {self}")
        if not 1 <= self.align_layer <= self.n_decoder_layers:
            raise ValueError(f"decoder layer {self.align_layer} is none of {self.n_decoder_layers}")

    @property
    def size(self) -> int:
        return self.vae.size


class QFormerTokenizer(nn.Module):
    """Pixels -> latent grid -> 1D codes -> latent grid -> pixels; an `ImageTokenizer`."""

    latent_mean: Tensor
    latent_scale: Tensor

    def __init__(self, config: QFormerTokenizerConfig) -> None:
        super().__init__()
        self.config = config
        self.vae = ImageVAE(config.vae).requires_grad_(False)
        C = config.vae.latent_dim
        sizes = {
            "latent_dim": C,
            "grid": config.vae.grid,
            "n_tokens": config.n_tokens,
            "width": config.width,
            "n_heads": config.n_heads,
        }
        self.encoder = QueryEncoder(**sizes, n_layers=config.n_encoder_layers)
        self.quantizer = SphericalVectorQuantizer(
            width=config.width, n_codes=config.n_codes, code_dim=config.code_dim
        )
        self.decoder = GridDecoder(**sizes, n_layers=config.n_decoder_layers)
        self.register_buffer("latent_mean", torch.zeros(C))
        self.register_buffer("latent_scale", torch.ones(()))

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, 3, size, size) in [-1, 1] to ids (B, N) int64."""
        return self.quantizer.encode_ids(self.encoder(self.standardised(self.vae.encode(images))))

    def decode(self, ids: Tensor) -> Tensor:
        """Ids (B, N) to images (B, 3, size, size) in [-1, 1]."""
        return self.decode_prefix(ids, self.config.n_tokens)

    def decode_prefix(self, ids: Tensor, count: int) -> Tensor:
        """Images of the first `count` of ids (B, N); wholes, since training dropped tails."""
        if not 0 <= count <= self.config.n_tokens:
            raise ValueError(f"a prefix has 0 to {self.config.n_tokens} tokens, not {count}")
        return self.vae.decode(self._latents(ids[:, :count])).clamp(-1.0, 1.0)

    def features(self, ids: Tensor) -> Tensor:
        """Ids (B, N) to the reconstructed continuous latent grid (B, C, h, w) of Figure 4."""
        side = self.config.vae.grid
        return self._latents(ids).transpose(1, 2).reshape(len(ids), -1, side, side)

    def codebook(self) -> Tensor:
        """Codes (n_codes, code_dim), each of length sqrt(code_dim)."""
        return self.quantizer.codebook_table()

    def standardised(self, latents: Tensor) -> Tensor:
        """The VAE's latents (B, T, C), centred and scaled to unit variance over all dimensions together.

        One scale for all keeps the weight that the VAE gave each dimension.
        """
        return (latents - self.latent_mean) / self.latent_scale

    def _latents(self, ids: Tensor) -> Tensor:
        """The VAE's latents (B, T, C) of the first k ids (B, k)."""
        standard: Tensor = self.decoder(self.quantizer.embed(ids))[0]
        return standard * self.latent_scale + self.latent_mean
