"""Joining shards: rows of one asset side by side, what is missing or broken said."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.data.shards.dataset import Dataset
from training.data.shards.join import joined_rows
from training.data.steps import DataError


def test_rows_side_by_side_are_of_one_asset(dataset: Dataset) -> None:
    seen = []
    for files, rows in joined_rows(dataset, ("views", "texts", "shapes"), "train"):
        keys = [dataset.open(file).texts("key") for file in files]
        for row in rows:
            (key,) = {own[place] for own, place in zip(keys, row, strict=True)}
            seen.append(key)
    assert len(seen) == len(set(seen)) > 1


def test_a_split_without_samples_has_no_rows(dataset: Dataset) -> None:
    assert joined_rows(dataset, ("shapes",), "test") == []


def test_a_modality_that_is_not_there_is_said(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="holds no edits, but"):
        joined_rows(dataset, ("edits",), "train")


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
        joined_rows(Dataset(copy), ("shapes",), "train")
