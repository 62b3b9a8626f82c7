"""What the pipeline, the engine and training ask of any shape tokenizer."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from backend.geometry.canonical import UpAxis


class ShapeTokenizerConfig(Protocol):
    """The fields every tokenizer's frozen configuration shares."""

    @property
    def n_tokens(self) -> int: ...  # tokens per shape
    @property
    def n_codes(self) -> int: ...  # rows of the codebook
    @property
    def code_dim(self) -> int: ...  # columns of the codebook
    @property
    def n_points(self) -> int: ...  # surface samples of one shape that the encoder was trained on
    @property
    def up_axis(self) -> UpAxis: ...  # of the canonical frame the weights were trained in


class ShapeTokenizer(Protocol):
    """An nn.Module between canonical surface samples, token ids and an occupancy field."""

    @property
    def config(self) -> ShapeTokenizerConfig: ...

    def encode(self, points: Tensor, normals: Tensor) -> Tensor:
        """Canonical surface samples (B, P, 3) and unit normals (B, P, 3) to ids (B, n_tokens) int64."""
        ...

    def decode(self, ids: Tensor) -> Tensor:
        """Token ids (B, n_tokens) to latents (B, ...), computed once per shape and queried many times."""
        ...

    def field(self, latents: Tensor, queries: Tensor) -> Tensor:
        """Occupancy logits (B, Q) at canonical points (B, Q, 3): positive inside, zero on the surface."""
        ...

    def codebook(self) -> Tensor:
        """Code vectors (n_codes, code_dim) as the transformer's shape embedding projects them."""
        ...


@runtime_checkable
class PrefixDecoder(Protocol):
    """A tokenizer whose first tokens already mean a coarse or partial shape."""

    @property
    def preview_stride(self) -> int: ...  # tokens between two previews worth showing

    def decode_prefix(self, ids: Tensor, count: int) -> Tensor:
        """Latents of the first `count` of ids (B, n_tokens)."""
        ...
