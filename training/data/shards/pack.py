"""The shards step: finished products packed into one file per modality and bucket of keys.

An asset's bucket follows from its key, in every modality alike, so a new asset makes one file of each anew
(and all, each time the number of buckets doubles). A file is named by the hash of the products in it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from training.data.geometry.step import read_geometry
from training.data.rendering.product import read_views
from training.data.shards.dataset import FOLDER, describe
from training.data.shards.shard import BYTES, COUNT, FILES, NUMBER, SPLITS, TEXT, TEXTS, write_shard
from training.data.steps import DataError, Item, Pool, Result, Step, run

HELD_OUT = 50  # one of so many is for validation, where its source says nothing of splits
LEVELS = ("short", "medium", "long")
_OF_CAPTIONS = (*LEVELS, "by", "score")
Row = Mapping[str, Any]
Counts = dict[str, Counter[str]]
Watch = Callable[[str, int], Callable[[Result], None]]


@dataclass(frozen=True, kw_only=True)
class ShardSettings:
    """How products are packed."""

    per_shard: int = 128  # assets of one file, at most about twice as many
    held_out: int = HELD_OUT  # one of so many shapes is for validation, where its source names no split

    def __post_init__(self) -> None:
        if self.per_shard < 1:
            raise ValueError(f"a shard holds one asset or more, not {self.per_shard}")
        if self.held_out < 2:
            raise ValueError(f"one of 2 shapes or of more can be held out, not of {self.held_out}")


@dataclass(frozen=True, kw_only=True)
class Modality:
    """Which columns a row has, and what it counts for the pools of Table 1."""

    columns: Callable[[Row, Path], dict[str, Any]]  # of one row: its input, and the data folder
    types: Mapping[str, Any]  # of columns that are not tensors
    counts: Callable[[Mapping[str, Any]], dict[str, int]] = lambda columns: {}


def split_of(words: Mapping[str, Any], held_out: int) -> str:
    """What the source says, or one of so many by the hash of the geometry: copies of a shape share a side."""
    named = words["provenance"].get("split")
    if named in SPLITS:
        return str(named)
    shape = hashlib.sha256(words["key"].partition("-")[0].encode()).digest()
    return "val" if int.from_bytes(shape[:4], "little") % held_out == 0 else "train"


def asset_words(path: Path) -> dict[str, Any]:
    """What an asset's file says of it, without its arrays."""
    with safe_open(path, framework="numpy") as file:
        words: dict[str, Any] = json.loads((file.metadata() or {})["asset"])
    return words


_COMMON = {"key": TEXT, "split": TEXT, "category": TEXT, "licence": TEXT, "author": TEXT, "source": TEXT}


def _common(row: Row, data: Path) -> dict[str, Any]:
    words = asset_words(data / row["asset"])
    plain = {name: words[name] for name in ("category", "licence", "author", "source")}
    return {"key": row["key"], "split": split_of(words, row["held_out"]), **plain}


def _texts(row: Row, data: Path) -> dict[str, Any]:
    facts: Mapping[str, Any] = row["facts"]
    texts = {level: list(facts[level]) for level in LEVELS}
    return _common(row, data) | texts | {"by": facts["by"], "score": facts["score"]}


def _shapes(row: Row, data: Path) -> dict[str, Any]:
    geometry = read_geometry(data / row["product"])
    arrays = {name: array for name, array in vars(geometry).items() if name != "near"}
    return _common(row, data) | arrays | {"near": geometry.near.astype(np.uint8)}


def _views(row: Row, data: Path) -> dict[str, Any]:
    views = read_views(data / row["product"])
    return _common(row, data) | {
        "names": list(views.names),
        "cameras": json.dumps([view.described() for view in views.views]),
        "engine": views.engine,
        **{name: views.files(name) for name in ("color", "depth", "normals")},
    }


def _counted_views(columns: Mapping[str, Any]) -> dict[str, int]:
    lit = sum(name.startswith("lit") for name in columns["names"])
    return {"lit_views": lit, "assets_with_lit_views": int(lit > 0), "assets_with_six_views": 1}


def _counted_texts(columns: Mapping[str, Any]) -> dict[str, int]:
    return {"captions": sum(len(columns[level]) for level in LEVELS)}


def _edits(row: Row, data: Path) -> dict[str, Any]:
    pair, key = row["pair"], row["key"]
    return _common(row, data) | {
        "kind": pair["kind"],
        "instructions": list(pair["instructions"]),
        "source_key": f"{key}-source",
        "target_key": f"{key}-target",
        "facts": json.dumps(pair),
    }


def _pictures(row: Row, data: Path) -> dict[str, Any]:
    facts = row["facts"]
    return {
        **{name: facts[name] for name in ("split", "licence", "author", "source", "captions")},
        "key": row["key"],
        "category": None,
        "image": (data / row["product"]).read_bytes(),
        "width": facts["width"],
        "height": facts["height"],
    }


MODALITIES: Mapping[str, Modality] = {
    "texts": Modality(
        columns=_texts,
        types={**_COMMON, **dict.fromkeys(LEVELS, TEXTS), "by": TEXT, "score": NUMBER},
        counts=_counted_texts,
    ),
    "shapes": Modality(columns=_shapes, types=_COMMON),
    "views": Modality(
        columns=_views,
        types={
            **_COMMON,
            "names": TEXTS,
            "cameras": TEXT,
            "engine": TEXT,
            **dict.fromkeys(("color", "depth", "normals"), FILES),
        },
        counts=_counted_views,
    ),
    "edits": Modality(
        columns=_edits,
        types={
            **_COMMON,
            "kind": TEXT,
            "instructions": TEXTS,
            "source_key": TEXT,
            "target_key": TEXT,
            "facts": TEXT,
        },
        counts=lambda columns: {"edit_pairs": 1},
    ),
    "edit_shapes": Modality(columns=_shapes, types=_COMMON),
    "pictures": Modality(
        columns=_pictures,
        types={**_COMMON, "captions": TEXTS, "image": BYTES, "width": COUNT, "height": COUNT},
        counts=lambda columns: {"captions_of_pictures": len(columns["captions"])},
    ),
}


def _make(item: Item, settings: ShardSettings, data: Path, product: Path, *, name: str) -> dict[str, Any]:
    """A file of the rows that the item lists; the facts are what `dataset.json` says of it."""
    modality = MODALITIES[name]
    held_out = {"held_out": settings.held_out}
    rows = [modality.columns({**row, **held_out}, data) for row in item.inputs["rows"]]
    columns = {column: [row[column] for row in rows] for column in rows[0]}
    tensors = {column: np.stack(columns[column]) for column in columns if column not in modality.types}
    metadata = {"modality": name, "bucket": item.inputs["bucket"]}
    write_shard(product, columns | tensors, modality.types, metadata)
    samples: Counts = {}
    for row in rows:
        for kind, count in modality.counts(row).items():
            samples.setdefault(kind, Counter())[row["split"]] += count
    return {
        "bucket": item.inputs["bucket"],
        "rows": dict(Counter(columns["split"])),
        "licences": dict(Counter(columns["licence"])),
        "samples": {kind: dict(counts) for kind, counts in samples.items()},
    }


def shard_step(modality: str) -> Step[ShardSettings]:
    """The step that packs one modality, `shards/<modality>`."""
    make = partial(_make, name=modality)
    return Step(name=f"{FOLDER}/{modality}", version=1, make=make, suffix=".arrow")


def bucket_of(key: str, buckets: int) -> int:
    """The same in every modality."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little") % buckets


def pack(
    data: Path, rows: Mapping[str, Sequence[Row]], settings: ShardSettings, pool: Pool, watch: Watch
) -> dict[str, list[Result]]:
    """Packs rows of each modality: key, owner (the asset whose bucket it shares), asset, product or facts.

    Writes `dataset.json`. Raises DataError when a file could not be made.
    """
    owners = {row["owner"] for found in rows.values() for row in found}
    count = max(1, len(owners) // settings.per_shard)
    buckets = 1 << (count.bit_length() - 1)
    results = {}
    for modality, found in rows.items():
        items = _items(found, buckets)
        made = run(shard_step(modality), settings, items, data, pool, watch(modality, len(items)))
        results[modality] = made
        if lost := [result.rejected for result in made if result.rejected is not None]:
            raise DataError(f"Shards of {modality} could not be made: {lost[0].detail}")
    files = {modality: [file_entry(result, data) for result in made] for modality, made in results.items()}
    describe(data / FOLDER, files)
    return results


def file_entry(result: Result, data: Path) -> dict[str, Any]:
    """A line of `dataset.json`."""
    assert result.product is not None
    place = Path(result.product).relative_to(FOLDER).as_posix()
    return {"file": place, "bytes": result.bytes, **result.facts}


def _items(rows: Sequence[Row], buckets: int) -> list[Item]:
    filled: dict[int, list[Row]] = {}
    for row in sorted(rows, key=lambda row: str(row["key"])):
        filled.setdefault(bucket_of(row["owner"], buckets), []).append(row)
    return [
        Item(key=f"{bucket} of {buckets}", inputs={"bucket": bucket, "rows": list(found)})
        for bucket, found in sorted(filled.items())
    ]


def rows_of(results: Mapping[str, Sequence[Result]], assets: Mapping[str, str]) -> dict[str, list[Row]]:
    """Rows for `pack` of the results of steps; assets: the file of each key, for those that were kept.

    Modalities whose step is not among the results are left out, so that `pack` leaves their shards alone.
    """
    rows: dict[str, list[Row]] = {}
    for modality, step in (("shapes", "geometry"), ("views", "views")):
        if step in results:
            made = [result for result in _good(results, step) if result.key in assets]
            rows[modality] = [{**_named(result.key, assets), "product": result.product} for result in made]
    if "captions" in results:
        rows["texts"] = [
            {**_named(result.key, assets), "facts": {name: result.facts[name] for name in _OF_CAPTIONS}}
            for result in _good(results, "captions")
            if result.key in assets
        ]
    if "edit_geometry" in results:
        rows["edits"], rows["edit_shapes"] = _edit_rows(results, assets)
    if "pictures" in results:
        rows["pictures"] = [
            {"key": result.key, "owner": result.key, "product": result.product, "facts": result.facts}
            for result in _good(results, "pictures")
        ]
    return rows


def _edit_rows(
    results: Mapping[str, Sequence[Result]], assets: Mapping[str, str]
) -> tuple[list[Row], list[Row]]:
    """Pairs both of whose sides were sampled, and the sides."""
    shaped = {result.key: result.product for result in _good(results, "edit_geometry")}
    pairs: list[Row] = []
    shapes: list[Row] = []
    for result in _good(results, "edits"):
        for number, pair in enumerate(result.facts["pairs"]):
            key = f"{result.key}/{number}"
            sides = [f"{key}-{side}" for side in ("source", "target")]
            if result.key in assets and all(side in shaped for side in sides):
                common = _named(result.key, assets)
                pairs.append({**common, "key": key, "pair": pair})
                shapes += [{**common, "key": side, "product": shaped[side]} for side in sides]
    return pairs, shapes


def _named(key: str, assets: Mapping[str, str]) -> dict[str, Any]:
    return {"key": key, "owner": key, "asset": assets[key]}


def _good(results: Mapping[str, Sequence[Result]], step: str) -> list[Result]:
    return [result for result in results.get(step, ()) if result.rejected is None]
