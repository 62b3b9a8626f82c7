"""What the engine asks of a decoder of rows; `KernelRows` for CPUs and `TorchRows` for GPUs answer.

N heads, S positions, H head dimension, V_m codes of one modality.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from backend.sequence import Modality

LayerKeysValues = tuple[Tensor, Tensor]  # keys already rotated and values, each (N, S, H)


class RowDecoder(Protocol):
    """Rows of one batch through the generation half of a model, one token of each active row per step."""

    def reserve(self, rows: int, conditioning: int, length: int) -> None:
        """Grow-only static caches; rows in flight survive."""
        ...

    def join(
        self, row: int, conditioning: Sequence[LayerKeysValues], prefix: Sequence[LayerKeysValues] = ()
    ) -> None:
        """A row enters; its next position is the prefix's length.

        conditioning: of each dual layer; prefix: of each layer, dual then single, or none.
        """
        ...

    def leave(self, row: int) -> None:
        """A row is free for another."""
        ...

    def step(
        self, rows: Sequence[int], ids: Sequence[int], heads: Sequence[Modality | None]
    ) -> list[Tensor | None]:
        """Feed one global id per row at its own next position.

        Returns float32 logits over the codes (V_m,) of the head asked for, None where none is asked.
        """
        ...
