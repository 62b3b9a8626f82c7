"""Labelled shapes as their shards hold them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.data.geometry.settings import TRUNCATION
from training.data.shape_samples import category_shares, is_procedural, load_samples
from training.data.shards.dataset import Dataset
from training.data.steps import DataError


def test_splits_are_disjoint_and_hold_every_shape(packed: Path) -> None:
    parts = [samples for split in ("train", "val") if (samples := load_samples(packed, split)) is not None]
    ids = [name for samples in parts for name in samples.ids]
    assert sorted(ids) == [f"procedural/{seed}" for seed in range(6)]
    assert len(parts) == 2


def test_rows_are_gathered_from_every_file(packed: Path) -> None:
    samples = load_samples(packed, "train")
    assert samples is not None
    rows = np.arange(len(samples))[::-1]
    points, distances = samples.points[rows], samples.distances[rows]
    assert points.shape == (len(samples), 64, 3)
    assert np.abs(distances).max() <= TRUNCATION
    stored = {
        source: array
        for shard in Dataset(packed).shards("shapes")
        for source, array in zip(shard.texts("source"), shard.arrays("points"), strict=True)
    }
    for row, array in zip(rows, points, strict=True):
        assert np.array_equal(stored[samples.ids[row]], array)


def test_near_queries_come_first(packed: Path) -> None:
    samples = load_samples(packed, "train")
    assert samples is not None
    distances = np.abs(samples.distances[np.arange(len(samples))].astype(np.float32))
    assert samples.n_near == 48
    assert np.median(distances[:, :48]) < np.median(distances[:, 48:])


def test_sources_can_be_chosen(packed: Path) -> None:
    assert load_samples(packed, "train", lambda source: not is_procedural(source)) is None


def test_a_folder_without_shards_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no dataset\.json; make shards"):
        load_samples(tmp_path, "train")


def test_walls_are_drawn_less_often_than_objects() -> None:
    chair, wall, unknown = category_shares(["chair", "building_part", ""])
    assert chair == unknown == 4 * wall
