"""One job's autoregressive sequence while it is decoded (Omni123 sections 4.4 and 5).

Target segments follow one another: a start token, then its codes, fed back one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from backend.model.transformer import DualStreamTransformer
from backend.sampling import SamplingSettings, choose
from backend.sequence import Layout, Modality


class Chain:
    """One sequence in flight; read it between two steps of its engine."""

    def __init__(self, model: DualStreamTransformer, layout: Layout, settings: SamplingSettings) -> None:
        self.layout, self.settings = layout, settings
        self.segment = 0  # index into layout.targets
        self.index = 0  # codes of that segment so far
        lengths = model.config.lengths
        self.codes = [  # of each target segment, within its modality: filled so far, the rest is zero
            torch.zeros(lengths[segment.modality], dtype=torch.long) for segment in layout.targets
        ]
        self.finished = False
        self.rows: list[int] = []  # the full one; then those guidance moves away from, each holding less
        self.scales: list[float] = []  # of guidance, between each row and the next
        self.head: Modality | None  # whose logits the next step asks for
        self.fed: int  # the id it feeds
        self._starts = [model.vocabulary.start(segment) for segment in layout.targets]
        self._firsts = [model.vocabulary.codes(segment.modality).start for segment in layout.targets]
        self._generator = np.random.default_rng(settings.seed)
        self._open(0)

    @property
    def length(self) -> int:
        """Positions of all target segments; the very last code is not fed."""
        return sum(1 + len(codes) for codes in self.codes) - 1

    def _open(self, segment: int) -> None:
        self.segment, self.index = segment, 0
        self.filled = self.codes[segment].numpy()  # the same memory
        self.fed, self.head = self._starts[segment], self.layout.targets[segment].modality

    def take(self, logits: Sequence[Tensor | None]) -> None:
        """Choose the next code from the logits of this chain's rows.

        Between two segments there are none: the last code was fed as context, and the next segment begins.
        """
        if self.head is None:
            self._open(self.segment + 1)
            return
        share = self.settings.schedule(self.index, len(self.filled))
        rows = [row.numpy() for row in logits if row is not None]
        code = choose(rows, [share * scale for scale in self.scales], self.settings, self._generator)
        self.filled[self.index] = code
        self.index += 1
        self.fed = self._firsts[self.segment] + code
        if self.index == len(self.filled):
            self.head = None
            self.finished = self.segment + 1 == len(self.codes)
