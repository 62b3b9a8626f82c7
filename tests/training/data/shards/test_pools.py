"""What pools count and which tasks they may train."""

from __future__ import annotations

import pytest

from backend.tasks import TASKS
from training.data.shards.dataset import Dataset
from training.data.shards.pools import POOLS, Lengths, allow, pool_of, table


def test_the_paper_s_table_1_follows_from_its_counts() -> None:
    sizes = (63_700_000, 120_000_000, 9_000_000, 2_000_000, 20_000_000, 0)
    counts = {pool.name: {"train": size} for pool, size in zip(POOLS, sizes, strict=True)}
    lines = {line[13:39].strip(): line.split() for line in table(counts, Lengths()).splitlines()}
    assert lines["image-3D"][-4:] == ["120,000,000", "2,048", "245,760,000,000", "51.7%"]
    assert lines["text, 6 posed images, 3D"][-3] == "7,245"
    assert lines["text, 1 image, 3D"][-3] == "2,125"
    assert lines["total"][-3] == "214,700,000"


def test_every_task_has_one_pool() -> None:
    assert sorted(task for pool in POOLS for task in pool.tasks) == sorted(TASKS)


def test_a_render_never_reaches_text_to_image(dataset: Dataset) -> None:
    assert "text_to_image" not in dataset.tasks
    assert all("views" not in pool.modalities for pool in POOLS if "text_to_image" in pool.tasks)
    with pytest.raises(ValueError, match="'text-image' alone, not on 'image-3D'"):
        allow("text_to_image", "image-3D")
    allow("image_to_shape", pool_of("image_to_shape").name)


def test_a_dataset_says_what_it_holds(dataset: Dataset) -> None:
    assert dataset.licences == {"CC0-1.0": 6}
    assert {"text_to_shape", "image_to_shape", "text_to_shape_view"} <= set(dataset.tasks)
    assert "edit_shape" not in dataset.tasks
    splits = [dataset.rows("shapes", split) for split in ("train", "val", "test")]
    assert sum(splits) == 6
