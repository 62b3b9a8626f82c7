"""What the pipeline, the engine and training ask of any image tokenizer."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class ImageTokenizerConfig(Protocol):
    """The fields every tokenizer's frozen configuration shares."""

    @property
    def n_tokens(self) -> int: ...  # tokens per image
    @property
    def n_codes(self) -> int: ...  # rows of the codebook
    @property
    def code_dim(self) -> int: ...  # columns of the codebook
    @property
    def size(self) -> int: ...  # pixels along each side of an image


class ImageTokenizer(Protocol):
    """An nn.Module between square images and token ids whose first ids already mean a blurred image."""

    @property
    def config(self) -> ImageTokenizerConfig: ...

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, 3, size, size) in [-1, 1], sRGB, to ids (B, n_tokens) int64."""
        ...

    def decode(self, ids: Tensor) -> Tensor:
        """Token ids (B, n_tokens) to images (B, 3, size, size) in [-1, 1]."""
        ...

    def decode_prefix(self, ids: Tensor, count: int) -> Tensor:
        """Images of the first `count` of ids (B, n_tokens); what follows them is not looked at."""
        ...

    def features(self, ids: Tensor) -> Tensor:
        """The reconstructed continuous latent grid (B, latent_dim, h, w) that the VAE's decoder is given."""
        ...

    def codebook(self) -> Tensor:
        """Code vectors (n_codes, code_dim) as the transformer's image embedding projects them."""
        ...
