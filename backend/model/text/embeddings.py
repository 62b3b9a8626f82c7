"""What text encoders give the conditioning stream, and what the pipeline and training ask of one.

B prompts, T text tokens, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class TextEmbeddings:
    """Embeddings of B prompts, one part per encoder; every part is padded to its encoder's full length."""

    parts: tuple[Tensor, ...]  # each (B, T_i, W_i)
    masks: tuple[Tensor, ...]  # each (B, T_i) bool, True where an embedding counts

    def __post_init__(self) -> None:
        shapes = [tuple(mask.shape) for mask in self.masks]
        if not shapes or shapes != [tuple(part.shape[:2]) for part in self.parts]:
            raise ValueError(f"text embeddings {[tuple(p.shape) for p in self.parts]} have masks {shapes}")
        if len({shape[0] for shape in shapes}) > 1:
            raise ValueError(f"the parts of text embeddings hold unlike numbers of prompts: {shapes}")

    def __len__(self) -> int:
        """B."""
        return int(self.parts[0].shape[0])

    def row(self, index: int) -> TextEmbeddings:
        """One prompt's, still with its batch dimension."""
        return TextEmbeddings(
            tuple(part[index][None] for part in self.parts), tuple(mask[index][None] for mask in self.masks)
        )

    def rows(self, chosen: Tensor) -> TextEmbeddings:
        """Some prompts', picked by index (n,) or mask (B,)."""
        return TextEmbeddings(
            tuple(part[chosen] for part in self.parts), tuple(mask[chosen] for mask in self.masks)
        )

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> TextEmbeddings:
        """On another device; `dtype` is that of the embeddings."""
        return TextEmbeddings(
            tuple(part.to(device, dtype or part.dtype) for part in self.parts),
            tuple(mask.to(device) for mask in self.masks),
        )


def stacked(rows: Sequence[TextEmbeddings]) -> TextEmbeddings:
    """Embeddings of several prompts as one batch."""
    return TextEmbeddings(
        tuple(torch.cat(parts) for parts in zip(*(row.parts for row in rows), strict=True)),
        tuple(torch.cat(masks) for masks in zip(*(row.masks for row in rows), strict=True)),
    )


class TextEncoder(Protocol):
    """Prompts to embeddings; frozen."""

    @property
    def name(self) -> str: ...
    @property
    def max_tokens(self) -> int: ...  # of one prompt, special tokens included
    @property
    def widths(self) -> tuple[int, ...]: ...  # W of each part
    @property
    def tokens(self) -> tuple[int, ...]: ...  # T of each part

    def count_tokens(self, prompt: str) -> int:
        """Tokens of a prompt before any cut; compare with `max_tokens`."""
        ...

    def encode(self, prompts: Sequence[str]) -> TextEmbeddings:
        """float32 embeddings of each prompt; one that is too long is cut."""
        ...
