"""Mixed batches of several pools."""

from __future__ import annotations

from typing import Any

import pytest

from training.data.mixture import MixedReader, Mixture
from training.data.shards.dataset import Dataset
from training.data.shards.reader import Reader

MIXTURE = Mixture(probabilities={"text-3D": 0.7, "image-3D": 0.3}, seed=2)


def mixed(dataset: Dataset) -> MixedReader:
    readers = {
        "text-3D": Reader(dataset, ("texts", "shapes"), seed=1),
        "image-3D": Reader(dataset, ("views", "shapes"), seed=1),
    }
    return MixedReader(MIXTURE, readers)


def drawn(reader: MixedReader, batches: int) -> list[Any]:
    rows = [row for _ in range(batches) for row in reader.batch(5)]
    return [(pool, sample["shapes"]["key"]) for pool, sample in rows]


def test_a_resumed_mixture_goes_on_with_the_same_samples(dataset: Dataset) -> None:
    whole = drawn(mixed(dataset), 6)
    first, second = mixed(dataset), mixed(dataset)
    drawn(first, 2)
    second.load_state_dict(first.state_dict())
    assert drawn(second, 4) == whole[10:]
    assert {pool for pool, _ in whole} == set(MIXTURE.probabilities)


def test_a_pool_without_a_reader_is_said(dataset: Dataset) -> None:
    with pytest.raises(ValueError, match="no reader: text-3D"):
        MixedReader(MIXTURE, {"image-3D": Reader(dataset, ("views",))})
