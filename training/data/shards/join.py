"""Rows of several modalities that belong to the same assets: shards are aligned by key, bucket by bucket."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.data.shards.dataset import Dataset


def joined_rows(
    dataset: Dataset, modalities: Sequence[str], split: str, optional: Sequence[str] = ()
) -> list[tuple[tuple[str, ...], NDArray[np.int64]]]:
    """Files of each bucket, and the rows (n, modalities) of the keys that all of them have in this split.

    Optional modalities follow as further columns, with row -1 and no file where they lack a key.
    """
    files = [dataset.buckets(modality) for modality in modalities]
    more = [dataset.buckets(modality) for modality in optional]
    found = []
    for bucket in sorted(set(files[0]).intersection(*files[1:])):
        names = tuple(of[bucket] for of in files) + tuple(of.get(bucket, "") for of in more)
        places = [_places(dataset, name, split) if name else {} for name in names]
        needed, further = places[: len(files)], places[len(files) :]
        keys = [key for key in needed[0] if all(key in others for others in needed[1:])]
        rows = [[p[key] for p in needed] + [p.get(key, -1) for p in further] for key in keys]
        if keys:
            found.append((names, np.array(rows, np.int64)))
    return found


def _places(dataset: Dataset, name: str, split: str) -> dict[str, int]:
    shard = dataset.open(name)
    pairs = zip(shard.texts("key"), shard.texts("split"), strict=True)
    return {key: row for row, (key, own) in enumerate(pairs) if own == split}
