"""Packing: what a new asset costs, edit pairs, and tokens of files that are no more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from training.data.shards.dataset import Dataset
from training.data.shards.pack import ShardSettings, bucket_of, pack, rows_of, split_of
from training.data.steps import Journal, Pool, Result

PAIR = {"kind": "remove", "instructions": ["remove the hat"], "geometry_changes": True}


@pytest.fixture
def data(packed: Path, tmp_path: Path) -> Path:
    shutil.copytree(packed, tmp_path / "data", ignore=shutil.ignore_patterns("shards"))
    return tmp_path / "data"


def results_of(data: Path) -> tuple[dict[str, list[Result]], dict[str, str]]:
    steps = ("ingest", "geometry", "views", "captions")
    found = {step: list(Journal(data / step / "journal.jsonl").results()) for step in steps}
    entries = [(result, entry) for result in found["ingest"] for entry in result.facts["assets"]]
    return found, {entry["key"]: f"{result.product}/{entry['file']}" for result, entry in entries}


def packs(
    data: Path, results: dict[str, list[Result]], assets: dict[str, str], pool: Pool
) -> dict[str, list[Result]]:
    settings = ShardSettings(per_shard=2)
    return pack(data, rows_of(results, assets), settings, pool, lambda name, total: lambda result: None)


def test_a_new_asset_makes_one_file_anew(data: Path, here: Pool) -> None:
    results, assets = results_of(data)
    shapes = {"geometry": results["geometry"]}
    new = max(assets, key=lambda key: bucket_of(key, 2))
    packs(data, shapes, {key: asset for key, asset in assets.items() if key != new}, here)
    before = Dataset(data).buckets("shapes")
    made = packs(data, shapes, assets, here)["shapes"]
    assert [result.cached for result in made].count(False) == 1
    after = Dataset(data).buckets("shapes")
    assert [bucket for bucket in after if after[bucket] != before.get(bucket)] == [bucket_of(new, 2)]
    files = {path.relative_to(data / "shards").as_posix() for path in (data / "shards").glob("shapes/??/*")}
    assert files == set(after.values())


def test_edit_pairs_lie_with_both_sides(data: Path, here: Pool) -> None:
    results, assets = results_of(data)
    key = results["geometry"][0].key
    sides = [
        Result(key=f"{key}/0-{side}", hash=side, product=results["geometry"][0].product)
        for side in ("source", "target")
    ]
    edits = [Result(key=key, hash="edits", facts={"pairs": [PAIR, PAIR]})]  # the second was not sampled
    packs(data, {"edits": edits, "edit_geometry": sides}, assets, here)
    dataset = Dataset(data)
    (pairs,), (shapes,) = dataset.shards("edits"), dataset.shards("edit_shapes")
    assert [pairs.row(0)[name] for name in ("kind", "instructions")] == ["remove", ["remove the hat"]]
    assert len(pairs) == 1
    assert shapes.texts("key") == [pairs.row(0)["source_key"], pairs.row(0)["target_key"]]
    assert dataset.tasks == ("edit_shape",)


def test_tokens_of_files_packed_anew_are_dropped(data: Path, here: Pool) -> None:
    results, assets = results_of(data)
    packs(data, {"geometry": results["geometry"]}, assets, here)
    path = data / "shards" / "dataset.json"
    description: dict[str, Any] = json.loads(path.read_text())
    (first, *_) = description["modalities"]["shapes"]["files"]
    entry = {**first, "file": "shape_tokens/ab/ab.arrow", "of": "shapes/of/before.arrow"}
    description["modalities"]["shape_tokens"] = {"rows": first["rows"], "files": [entry]}
    path.write_text(json.dumps(description))
    packs(data, {"geometry": results["geometry"]}, assets, here)
    assert Dataset(data).modalities == ("shapes",)


def test_a_named_split_holds_and_copies_share_one() -> None:
    named = {"provenance": {"split": "test"}, "key": "a-b"}
    assert split_of(named, 2) == "test"
    keys = [f"{number:024x}" for number in range(200)]
    splits = [split_of({"provenance": {}, "key": f"{key}-x"}, 4) for key in keys]
    assert splits == [split_of({"provenance": {}, "key": f"{key}-y"}, 4) for key in keys]
    assert 30 < splits.count("val") < 70
