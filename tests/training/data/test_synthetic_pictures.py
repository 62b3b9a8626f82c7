"""Pictures without shapes: drawn once, with captions, ready for the pictures step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data.shards.pictures import picture_items
from training.data.synthetic import generate
from training.data.synthetic_pictures import draw_pictures


@pytest.mark.usefixtures("graphics")
def test_each_seed_gives_one_captioned_picture_that_a_second_run_leaves_alone(tmp_path: Path) -> None:
    draw_pictures([7, 8], tmp_path, 64)
    items = picture_items(tmp_path)
    assert [tuple(item.inputs["captions"]) for item in items] == [generate(7).captions, generate(8).captions]
    with Image.open(tmp_path / "7.png") as image:
        pixels = np.asarray(image)
    assert pixels.shape == (64, 64, 3)
    assert (pixels[0] == 255).all()
    assert 0.1 < (pixels < 250).any(axis=-1).mean() < 0.9
    before = (tmp_path / "7.png").stat().st_mtime_ns
    draw_pictures([7, 8], tmp_path, 64)
    assert (tmp_path / "7.png").stat().st_mtime_ns == before
