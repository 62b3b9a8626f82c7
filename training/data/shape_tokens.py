"""Token ids of captioned shapes, read from shards: what the transformer is trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from training.data.shape_samples import category_shares
from training.data.shards.dataset import Dataset
from training.data.shards.pack import LEVELS
from training.data.shards.reader import joined_rows
from training.data.shards.tokens import require_tokenizer


@dataclass(frozen=True, kw_only=True)
class ShapeTokens:
    """Captioned token sequences."""

    ids: NDArray[np.uint16] | NDArray[np.uint32]  # (S, n_tokens)
    names: list[str]  # the assets' keys
    sources: list[str]  # categories
    captions: list[tuple[str, ...]]  # from the shortest level to the longest

    def __len__(self) -> int:
        return len(self.names)

    def probabilities(self) -> NDArray[np.float64]:
        """How often each row is drawn, by its category."""
        return category_shares(self.sources)


def load_tokens(
    data: Path, split: str, tokenizer: nn.Module, keep: Callable[[str], bool] = lambda source: True
) -> ShapeTokens | None:
    """Token sequences of a split whose sources are to be kept; None where there are none.

    Raises ValueError when they are missing or were made by another tokenizer.
    """
    dataset = Dataset(data)
    found: dict[str, list[object]] = {"ids": [], "names": [], "sources": [], "captions": []}
    for (tokens, texts), rows in joined_rows(dataset, ("shape_tokens", "texts"), split):
        codes, words = dataset.open(tokens), dataset.open(texts)
        require_tokenizer(codes, tokenizer)
        ids, sources = codes.arrays("ids"), codes.texts("source")
        levels = [words.texts(level) for level in LEVELS]
        keys, categories = codes.texts("key"), codes.texts("category")
        for row, text in rows:
            if keep(sources[row]):
                found["ids"].append(ids[row])
                found["names"].append(keys[row])
                found["sources"].append(categories[row] or "")
                found["captions"].append(tuple(caption for level in levels for caption in level[text]))
    if not found["ids"]:
        return None
    return ShapeTokens(ids=np.stack(found.pop("ids")), **found)  # type: ignore[arg-type]
