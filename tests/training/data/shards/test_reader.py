"""Reading shards in order: every sample once an epoch, a part per rank, continued to the sample."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from training.data.shards.dataset import Dataset
from training.data.shards.reader import Reader
from training.data.steps import DataError


def keys(reader: Reader, count: int) -> list[str]:
    return [sample["shapes"]["key"] for sample in islice(reader, count)]


def test_an_epoch_holds_every_asset_once_and_the_next_in_another_order(dataset: Dataset) -> None:
    reader = Reader(dataset, ("texts", "shapes"), seed=1)
    epochs = [keys(reader, len(reader)) for _ in range(4)]
    assert all(Counter(epoch) == Counter(set(epochs[0])) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_without_a_seed_the_order_is_that_of_the_files(dataset: Dataset) -> None:
    rows = [
        row
        for shard in dataset.shards("shapes")
        for row in zip(shard.texts("key"), shard.texts("split"), strict=True)
    ]
    stored = [key for key, split in rows if split == "train"]
    reader = Reader(dataset, ("shapes",), seed=None)
    assert keys(reader, 2 * len(stored)) == 2 * stored


def test_modalities_of_a_sample_are_of_one_asset(dataset: Dataset) -> None:
    for sample in islice(Reader(dataset, ("views", "texts", "shapes")), 6):
        assert len({row["key"] for row in sample.values()}) == 1


def test_ranks_share_the_order_of_one(dataset: Dataset) -> None:
    whole = keys(Reader(dataset, ("shapes",), seed=3), 12)
    parts = [keys(Reader(dataset, ("shapes",), seed=3, rank=rank, world=3), 4) for rank in range(3)]
    assert whole == [key for turn in zip(*parts, strict=True) for key in turn]


def test_a_reader_continues_to_the_sample_with_other_ranks(dataset: Dataset) -> None:
    first = Reader(dataset, ("shapes",), seed=5, rank=1, world=2)
    keys(first, 4)
    after = Reader(dataset, ("shapes",), seed=5)
    after.load_state_dict(first.state_dict())
    expected = keys(Reader(dataset, ("shapes",), seed=5), 11)[8:]
    assert keys(after, 3) == expected


def test_a_state_of_another_seed_is_refused(dataset: Dataset) -> None:
    state = Reader(dataset, ("shapes",), seed=5).state_dict()
    with pytest.raises(ValueError, match="of seed 5, not of 6"):
        Reader(dataset, ("shapes",), seed=6).load_state_dict(state)
    with pytest.raises(ValueError, match="has changed since"):
        Reader(dataset, ("texts",), seed=5).load_state_dict(state)


def test_a_split_without_samples_is_said(dataset: Dataset) -> None:
    with pytest.raises(ValueError, match="no test samples of shapes"):
        Reader(dataset, ("shapes",), split="test")


def test_a_modality_that_is_not_there_is_said(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="holds no edits, but"):
        Reader(dataset, ("edits",))


def test_a_file_cut_short_is_refused(packed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "shards"
    copy.mkdir()
    for source in (packed / "shards").rglob("*"):
        if source.is_file():
            target = copy / source.relative_to(packed / "shards")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    cut = sorted((copy / "shapes").glob("??/*.arrow"))[0]
    cut.write_bytes(cut.read_bytes()[:-100])
    with pytest.raises(ValueError, match="not a whole shard"):
        Reader(Dataset(copy), ("shapes",))
