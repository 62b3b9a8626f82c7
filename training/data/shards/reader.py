"""Samples of several modalities in order: a new shuffle each epoch, a part per rank, continued to the sample.

reader = Reader(dataset, ("texts", "shapes"), split="train", seed=0, rank=rank, world=world)
for sample in reader: sample["texts"]["short"], sample["shapes"]["points"]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.shards.dataset import Dataset

Sample = dict[str, dict[str, Any]]


class Reader:
    """Endless, over all assets of a split that every modality has; without a seed in the order of the files.

    The order is one for all ranks and rank r of w takes each w-th sample from its r-th, across epochs, so a
    position means the same whatever the number of ranks. Files are shuffled, then the rows of each: a disk
    is read file by file. Keys are hashed to files, so that the mixing is thorough all the same.
    """

    def __init__(
        self,
        dataset: Dataset,
        modalities: Sequence[str],
        *,
        split: str = "train",
        seed: int | None = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} is none of {world}")
        self.dataset, self.modalities, self.split, self.seed = dataset, tuple(modalities), split, seed
        self.rank, self.world = rank, world
        self._made_of = dataset.fingerprint(self.modalities)
        self._buckets = joined_rows(dataset, self.modalities, split)
        self._ends = np.cumsum([len(rows) for _, rows in self._buckets])
        if len(self) == 0:
            raise ValueError(f"{dataset.folder} has no {split} samples of {', '.join(self.modalities)}")
        self._rounds = 0  # how many samples each rank has had
        self._epoch = lru_cache(maxsize=2)(self._shuffled_buckets)
        self._rows = lru_cache(maxsize=2)(self._shuffled_rows)

    def __len__(self) -> int:
        """Samples of one epoch, of all ranks."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def __iter__(self) -> Iterator[Sample]:
        while True:
            yield next(self)

    def __next__(self) -> Sample:
        position = self._rounds * self.world + self.rank
        self._rounds += 1
        return self.sample(position)

    def sample(self, position: int) -> Sample:
        """The sample at a place of the endless order, of all ranks."""
        epoch, place = divmod(position, len(self))
        order, ends = self._epoch(epoch)
        slot = int(np.searchsorted(ends, place, side="right"))
        bucket = int(order[slot])
        start = int(ends[slot - 1]) if slot else 0
        files, rows = self._buckets[bucket]
        row = rows[self._rows(epoch, bucket)[place - start]]
        return {
            modality: self.dataset.open(file).row(int(number))
            for modality, file, number in zip(self.modalities, files, row, strict=True)
        }

    def state_dict(self) -> dict[str, Any]:
        """Where all ranks stand once each has had as many samples as this one."""
        return {"position": self._rounds * self.world, "seed": self.seed, "dataset": self._made_of}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises ValueError for a state of other data, another seed, or within a round of these ranks."""
        if state["dataset"] != self._made_of:
            raise ValueError(f"{self.dataset.folder} has changed since this state; begin a new run")
        if state["seed"] != self.seed:
            raise ValueError(f"this state is of seed {state['seed']}, not of {self.seed}")
        if state["position"] % self.world:
            raise ValueError(
                f"position {state['position']} is no end of a round of {self.world} ranks; "
                "continue with a number of ranks that divides it"
            )
        self._rounds = state["position"] // self.world

    def _shuffled_buckets(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Buckets in this epoch's order, and where each ends."""
        order = np.arange(len(self._buckets))
        if self.seed is not None:
            order = np.random.default_rng((self.seed, epoch)).permutation(order)
        return order, np.cumsum([len(self._buckets[bucket][1]) for bucket in order])

    def _shuffled_rows(self, epoch: int, bucket: int) -> NDArray[np.int64]:
        rows = np.arange(len(self._buckets[bucket][1]))
        if self.seed is None:
            return rows
        return np.random.default_rng((self.seed, epoch, bucket)).permutation(rows)


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
