"""What memory alone would answer: the training pair nearest to an edit, the training shape of a picture.

A pair is near when its source is, by surface, and among those when it was asked for in similar words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from backend.geometry.canonical import LONGEST_SIDE
from backend.model.text import TextEncoder
from training.data.edits.frame import SCALE
from training.data.shards.dataset import Dataset
from training.data.shards.shard import Shard
from training.evaluation.edited_shapes import edit_rows

MOST_PAIRS = 20_000  # training pairs looked at; drawn where there are more
SHORTLIST, SIMILAR = 64, 16  # sources compared by their surfaces, and of those by their words
_COARSE = 512  # points of a source that are compared
_GRID = 12  # cells along each side of the histogram that draws up the shortlist
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class TrainingPair:
    """Where the points of a training pair are."""

    instruction: str
    source: tuple[Shard, int]
    target: tuple[Shard, int]


class TrainingEdits:
    """The edit pairs of a data folder's training split, to be looked up."""

    def __init__(self, data: Path, text: TextEncoder, *, most: int = MOST_PAIRS, seed: int = 0) -> None:
        self.text = text
        self.pairs = _pairs(Dataset(data), most, seed)
        sources = [_points(*pair.source, count=_COARSE) for pair in self.pairs]
        self._histograms = np.stack([_histogram(points) for points in sources])
        self._sources = torch.from_numpy(np.stack(sources))
        self._words: dict[str, NDArray[np.float32]] = {}

    def target(self, source_points: Floats, instruction: str) -> tuple[str, Floats]:
        """Instruction and target (n, 3) of the nearest pair, laid where the source, canonical, stands."""
        likeness = self._histograms @ _histogram(source_points[:_COARSE])
        shortlist = np.argsort(-likeness)[:SHORTLIST]
        own = torch.from_numpy(source_points[:_COARSE]).expand(len(shortlist), -1, -1)
        between = torch.cdist(own, self._sources[shortlist])
        chamfer = (between.amin(dim=1).mean(dim=1) + between.amin(dim=2).mean(dim=1)).numpy()
        near = shortlist[np.argsort(chamfer)[:SIMILAR]]
        asked = self._embedded([instruction, *(self.pairs[number].instruction for number in near)])
        pair = self.pairs[near[int(np.argmax(asked[1:] @ asked[0]))]]
        return pair.instruction, _points(*pair.target)

    def _embedded(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, width) unit vectors, each text encoded once."""
        if new := [text for text in dict.fromkeys(texts) if text not in self._words]:
            self._words |= dict(zip(new, unit_embeddings(self.text, new), strict=True))
        return np.stack([self._words[text] for text in texts])


def unit_embeddings(encoder: TextEncoder, texts: Sequence[str]) -> NDArray[np.float32]:
    """(n, width) unit vectors: the mean of each text's embeddings."""
    encoded = encoder.encode(list(texts))
    part, mask = encoded.parts[0].float(), encoded.masks[0][..., None]
    mean = (part * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
    unit: NDArray[np.float32] = torch.nn.functional.normalize(mean, dim=1).cpu().numpy()
    return unit


def _pairs(dataset: Dataset, most: int, seed: int) -> list[TrainingPair]:
    rows = edit_rows(dataset, "train")
    if not rows:
        raise ValueError(f"{dataset.folder} holds no edits of the training split to be near to")
    drawn = sorted(np.random.default_rng(seed).permutation(len(rows))[:most])
    files = dataset.buckets("edit_shapes")
    places = {
        bucket: {key: row for row, key in enumerate(dataset.open(file).texts("key"))}
        for bucket, file in files.items()
    }
    pairs = []
    for row in (rows[number] for number in drawn):
        shard, place = dataset.open(files[row["bucket"]]), places[row["bucket"]]
        sides = [(shard, place[f"{row['key']}-{side}"]) for side in ("source", "target")]
        pairs.append(TrainingPair(instruction=row["instructions"][0], source=sides[0], target=sides[1]))
    return pairs


def _points(shard: Shard, row: int, *, count: int | None = None) -> Floats:
    """(n, 3) of a side, in the source's canonical frame."""
    points: Floats = shard.arrays("points")[row, :count].astype(np.float32) / np.float32(SCALE)
    return points


def _histogram(points: Floats) -> NDArray[np.float32]:
    """Unit vector of the square roots of how many points each cell holds."""
    cells = ((points / LONGEST_SIDE + 0.5) * _GRID).astype(np.int64).clip(0, _GRID - 1)
    counts = np.bincount(np.ravel_multi_index(tuple(cells.T), (_GRID,) * 3), minlength=_GRID**3)
    root = np.sqrt(counts.astype(np.float32))
    unit: NDArray[np.float32] = root / max(float(np.linalg.norm(root)), 1e-6)
    return unit
