"""Rendered views of many objects, read from shards: what the image tokenizer learns from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.shape_samples import category_shares, rows_of_split
from training.data.shards.dataset import Dataset
from training.data.shards.tokens import pixels_of

Images = NDArray[np.uint8]


class Views:
    """Objects of many shards, opened once and read picture by picture from the page cache."""

    def __init__(self, data: Path, split: str, size: int) -> None:
        """Pictures are scaled to `size` pixels. Raises ValueError when there are none."""
        shards = Dataset(data).shards("views")
        self.size, self._rows = size, rows_of_split(shards, split)
        if not self._rows:
            raise ValueError(f"{data} holds no views of the split {split}; run `omni123-train data run`")
        names = [shard.texts("names") for shard in shards]
        categories = [shard.texts("category") for shard in shards]
        counts = {len(names[file][row]) for file, row in self._rows}
        if len(counts) != 1:
            raise ValueError(f"objects must all have as many views, not {sorted(counts)}")
        self.n_views = counts.pop()
        self.sources = [categories[file][row] or "" for file, row in self._rows]
        self._shards = shards

    def __len__(self) -> int:
        return len(self._rows)

    def image(self, index: int, view: int) -> Images:
        """(size, size, 3) of an object, on white; views 0..5 are front, back, left, right, top, bottom."""
        file, row = self._rows[index]
        return pixels_of(self._shards[file].item("color", row, view), self.size)

    def probabilities(self) -> NDArray[np.float64]:
        """How often each object is drawn, by its category."""
        return category_shares(self.sources)
