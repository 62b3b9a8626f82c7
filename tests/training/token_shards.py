"""A small folder of token shards with something for every pool, and the small tokenizers that it is of.

Codes follow from captions, so that a model can learn what words mean: a thing of a colour has that shade.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from backend.sequence import VIEWS
from tests.backend.small_model import CODES, CONFIG, IMAGE_TOKENS, SHAPE_TOKENS, Balls, Letters, Shades
from training.data.shards.dataset import FOLDER, describe
from training.data.shards.pools import pool_of
from training.data.shards.shard import TEXT, TEXTS, write_shard
from training.loop import LoopSettings
from training.recipes.stages import Stage, StageRecipe
from training.stages import StageTask
from training.tokenizers import Tokenizers

THINGS, COLORS = ("chair", "table", "lamp", "crate"), ("red", "blue", "green")
_ROW = ("key", "split", "category", "licence", "author", "source")
_LISTS = ("names", "short", "medium", "long", "captions", "instructions")
Row = dict[str, Any]


class BallTokenizer(Balls, nn.Module):
    """`Balls` with weights that name it."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.register_buffer("named", torch.tensor(float(seed)))


class ShadeTokenizer(Shades, nn.Module):
    """`Shades` with weights that name it."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.register_buffer("named", torch.tensor(float(seed)))


def tokenizers(seed: int = 0) -> Tokenizers:
    return Tokenizers(shape=BallTokenizer(seed), image=ShadeTokenizer(seed))


def write_token_shards(data: Path, *, leave_out: Sequence[str] = ()) -> Path:
    """Twelve assets in two files, two of them held out, as many edits, and two pictures."""
    rows: dict[str, dict[int, list[Row]]] = {}
    for number in range(12):
        for modality, row in _asset(number):
            rows.setdefault(modality, {}).setdefault(number % 2, []).append(row)
    made: dict[str, list[Mapping[str, Any]]] = {}
    for modality, buckets in rows.items():
        if modality not in leave_out:
            made[modality] = [
                _file(data, modality, bucket, sorted(own, key=lambda row: str(row["key"])))
                for bucket, own in buckets.items()
            ]
    describe(data / FOLDER, made)
    return data


def _asset(number: int) -> list[tuple[str, Row]]:
    """What there is of an asset, by modality."""
    thing, color = THINGS[number % 4], COLORS[number // 4]
    key = f"asset {number:02d}"
    common = {name: "none" for name in _ROW} | {
        "key": key,
        "category": thing,
        "split": "val" if number in (4, 9) else "train",
    }
    shape = (np.arange(SHAPE_TOKENS) + 7 * (number % 4)) % CODES
    image = (np.arange(IMAGE_TOKENS) + 5 * (number // 4)) % CODES
    names = [*VIEWS, "lit 0", "lit 1"]
    views = np.stack([(image + place) % CODES for place in range(len(names))])
    edit, sides = f"{key}/0", {"source_key": f"{key}/0-source", "target_key": f"{key}/0-target"}
    words = {"short": [thing, f"{color} {thing}"], "medium": [f"A {color} {thing}, plain"], "long": []}
    made = [
        ("texts", common | words),
        ("shape_tokens", common | {"ids": shape}),
        ("view_tokens", common | {"ids": views, "names": names}),
        ("edits", common | {"key": edit, "kind": "resize", "instructions": ["make it larger"], **sides}),
        ("edit_shape_tokens", common | {"key": sides["source_key"], "ids": shape}),
        ("edit_shape_tokens", common | {"key": sides["target_key"], "ids": (shape + 1) % CODES}),
    ]
    if number in (0, 1, 4):
        made += [
            ("picture_tokens", common | {"ids": image}),
            ("pictures", common | {"captions": [f"{color} paint"]}),
        ]
    return made


def _file(data: Path, modality: str, bucket: int, rows: list[Row]) -> Mapping[str, Any]:
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != "ids"}
    if "ids" in rows[0]:
        columns["ids"] = np.stack([row["ids"] for row in rows]).astype(np.uint16)
    types = {name: TEXTS if name in _LISTS else TEXT for name in columns if name != "ids"}
    place = f"{modality}/00/{bucket}.arrow"
    (data / FOLDER / modality / "00").mkdir(parents=True, exist_ok=True)
    made_by = {"shape": tokenizers().hashes["shape"], "image": tokenizers().hashes["image"]}
    kind = "image" if modality in ("view_tokens", "picture_tokens") else "shape"
    metadata = {"bucket": bucket} | ({"tokenizer": made_by[kind]} if "ids" in columns else {})
    write_shard(data / FOLDER / place, columns, types, metadata)
    splits = dict(Counter(columns["split"]))
    return {"file": place, "bytes": 0, "bucket": bucket, "rows": splits, "licences": {}, "samples": {}}


LOOP = LoopSettings(steps=40, batch=8, peak_lr=0.01, warmup=2, save_every=1000, log_every=1)


def stage_recipe(*tasks: str, name: Stage = "ct", **fields: Any) -> StageRecipe:
    """A small stage of these tasks, their pools equally often."""
    pools = dict.fromkeys(pool_of(task).name for task in tasks)
    settings: dict[str, Any] = {
        "preset": "tiny",
        "config": replace(CONFIG, use_bbox=False, token_dropout=0.1),
        "text_encoder": "letters",
        "loop": LOOP,
        "pools": {pool: 1 / len(pools) for pool in pools},
        "image_pixels": 8,
        "devices": 1,
    }
    return StageRecipe(name=name, tasks=tasks, **(settings | fields))


def stage(data: Path, recipe: StageRecipe, **options: Any) -> StageTask:
    return StageTask(recipe, data, tokenizers(), text=Letters(), **options)
