"""Embeddings of captions, each computed once while memory lasts: captions recur, and encoding costs time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import torch
from torch import Tensor

from backend.model.text import TextEmbeddings, TextEncoder

MEMORY = 1 << 29  # bytes of half-precision embeddings that are kept


class CaptionEmbeddings:
    """A text encoder's embeddings of captions, rounded to half precision, those used least recently let go.

    A caption is encoded alone, so that its embedding is the same to the bit whatever else is in the batch and
    whether or not it was still remembered: a resumed run repeats its losses. Where no memory is given, as on
    a GPU that encodes faster than this remembers, a batch is encoded as a whole, which repeats too.
    """

    def __init__(self, encoder: TextEncoder, memory: int = MEMORY) -> None:
        self.encoder, self.memory = encoder, memory
        self._kept: OrderedDict[str, tuple[Tensor, ...]] = OrderedDict()  # real tokens of each part (t, W)
        self._bytes = 0
        self._lock = Lock()  # the loop reads ahead in a thread while held-out losses are computed

    def rows(self, captions: Sequence[str | None]) -> TextEmbeddings:
        """float32; None gives a row without a single token, for dropped text."""
        if not self.memory:
            return self._blanked(self.encoder.encode([caption or "" for caption in captions]), captions)
        parts = [
            torch.zeros(len(captions), tokens, width)
            for tokens, width in zip(self.encoder.tokens, self.encoder.widths, strict=True)
        ]
        masks = [torch.zeros(part.shape[:2], dtype=torch.bool) for part in parts]
        with self._lock:
            for row, caption in enumerate(captions):
                if caption is not None:
                    for part, mask, own in zip(parts, masks, self._of(caption), strict=True):
                        part[row, : len(own)], mask[row, : len(own)] = own.float(), True
            self._forget()
        return TextEmbeddings(tuple(parts), tuple(masks))

    def _of(self, caption: str) -> tuple[Tensor, ...]:
        if caption not in self._kept:
            with torch.no_grad():
                made = self.encoder.encode([caption])
            # Real tokens come first in every encoder's part.
            real = zip(made.parts, made.masks, strict=True)
            own = tuple(part[0, : int(mask.sum())].to("cpu", torch.float16) for part, mask in real)
            self._kept[caption] = own
            self._bytes += _size(own)
        self._kept.move_to_end(caption)
        return self._kept[caption]

    def _forget(self) -> None:
        while self._bytes > self.memory:
            _, own = self._kept.popitem(last=False)
            self._bytes -= _size(own)

    @staticmethod
    def _blanked(made: TextEmbeddings, captions: Sequence[str | None]) -> TextEmbeddings:
        there = torch.tensor([caption is not None for caption in captions], device=made.masks[0].device)
        return TextEmbeddings(made.parts, tuple(mask & there[:, None] for mask in made.masks))


def _size(own: tuple[Tensor, ...]) -> int:
    return sum(part.numel() * part.element_size() for part in own)
