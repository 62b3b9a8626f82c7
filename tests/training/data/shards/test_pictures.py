"""Folders of pictures with captions as the pool of text_to_image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from training.data.shards.dataset import Dataset
from training.data.shards.join import joined_rows
from training.data.shards.pack import ShardSettings, pack, rows_of
from training.data.shards.pictures import PICTURES, PictureSettings, picture_items
from training.data.steps import Pool, Result, run


def packed_pictures(folder: Path, data: Path, pool: Pool) -> list[Result]:
    made = run(PICTURES, PictureSettings(), picture_items(folder), data, pool)
    pack(
        data, rows_of({"pictures": made}, {}), ShardSettings(), pool, lambda name, total: lambda result: None
    )
    return made


def picture(path: Path, size: tuple[int, int], shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), shade, np.uint8)).save(path)


def test_captioned_pictures_train_text_to_image(tmp_path: Path, here: Pool) -> None:
    folder = tmp_path / "pictures"
    picture(folder / "a.png", (700, 600), 10)
    (folder / "a.txt").write_text("a dark square\nnight\n")
    picture(folder / "sub/b.png", (80, 64), 200)
    row = {"file_name": "b.png", "text": "pale", "licence": "CC-BY-4.0"}
    (folder / "sub/metadata.jsonl").write_text(json.dumps(row) + "\n")
    picture(folder / "mute.png", (80, 80), 3)
    picture(folder / "tiny.png", (8, 8), 4)
    (folder / "tiny.txt").write_text("tiny")
    (folder / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "torn.txt").write_text("torn")
    made = packed_pictures(folder, tmp_path / "data", here)
    reasons = {result.key: result.rejected and result.rejected.reason for result in made}
    assert reasons == {
        "a.png": None,
        "sub/b.png": None,
        "mute.png": "no_caption",
        "tiny.png": "too_small",
        "torn.png": "unreadable",
    }
    dataset = Dataset(tmp_path / "data")
    assert dataset.licences == {"unknown": 1, "CC-BY-4.0": 1}
    assert dataset.tasks == ("text_to_image",)
    rows = [dataset.shards("pictures")[0].row(number) for number in range(2)]
    assert rows[0]["captions"] == ["a dark square", "night"]
    assert (rows[0]["width"], rows[0]["height"]) == (597, 512)
    assert joined_rows(dataset, ("pictures",), rows[0]["split"])
