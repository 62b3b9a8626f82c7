"""The first steps of the pipeline, from sources to checked assets: ingest, filter, duplicates.

items = ingest_items(["models", "procedural:1000"], data, IngestSettings())
ingested = run(INGEST, IngestSettings(), items, data, pool)
filtered = run(FILTER, FilterSettings(), asset_items(ingested), data, pool)
(found,) = run(DUPLICATES, DuplicateSettings(), [comparison(ingested, filtered)], data, pool)
kept = [result for result in compared(found, filtered, data) if result.rejected is None]
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.geometry.sampling import face_normals
from training.data.assets import packed
from training.data.assets.asset import SUFFIX, Asset, Rejected, read_asset, write_asset
from training.data.assets.contents import Contents
from training.data.assets.duplicates import (
    DuplicateSettings,
    Signature,
    find_duplicates,
    integrals,
)
from training.data.assets.ingest import Ingested, IngestSettings, ingest
from training.data.assets.procedural import PREFIX, name_of, procedural_asset, seeds_of
from training.data.assets.sources import Source, find_sources
from training.data.filtering import FilterSettings, require
from training.data.steps import DataError, Item, Result, Step

_DIGITS = 6  # of what signatures are made of


def ingest_items(sources: Sequence[str], data: Path, settings: IngestSettings) -> list[Item]:
    """One item per file, row of a packed corpus, or seed of `procedural:FIRST-LAST`, in their order.

    Raises DataError for a source that is not there, names no seeds, or repeats another's names.
    """
    items: dict[str, Item] = {}
    with Contents(data / INGEST.name / "files.jsonl") as contents:
        for source in sources:
            try:
                found = list(_items(source, data, settings, contents))
            except ValueError as error:
                raise DataError(f"{error}.") from error
            for item in found:
                if item.key in items:
                    raise DataError(f"Two sources hold {item.key}; give the folder that holds both instead.")
                items[item.key] = item
    return list(items.values())


def _items(source: str, data: Path, settings: IngestSettings, contents: Contents) -> Iterator[Item]:
    if source.startswith(PREFIX):
        for seed in seeds_of(source):
            yield Item(key=name_of(seed), inputs={"kind": "procedural", "seed": seed})
    elif packed.is_packed(root := Path(source)):
        for row in packed.read_rows(root):
            pack = contents.sha256(packed.pack_path(root, row))
            inputs = {"kind": "packed", "row": dict(row), "sha256": pack}
            yield Item(key=str(row["id"]), inputs=inputs, where={"root": str(root.absolute())})
    else:
        for file in find_sources(root, data / "unpacked", zip_bytes=settings.zip_bytes):
            inputs = {"kind": "file", "metadata": dict(file.metadata), **_held(file, settings, contents)}
            yield Item(key=file.name, inputs=inputs, where={"path": str(file.path.absolute())})


def _held(file: Source, settings: IngestSettings, contents: Contents) -> dict[str, Any]:
    """What tells two states of a file apart; of one that is not read its size is enough."""
    if file.problem is not None:
        return {"problem": list(file.problem)}
    size = file.path.stat().st_size
    if size > settings.max_bytes:
        return {"size": size}
    return {"sha256": contents.sha256(file.path), "beside": contents.beside(file.path)}


def _ingest(item: Item, settings: IngestSettings, data: Path, product: Path) -> dict[str, Any]:
    """A folder of assets; the facts list them, and what of the source gave none."""
    found = _read(item, settings)
    product.mkdir()
    for asset in found.assets:
        write_asset(product / f"{asset.key}{SUFFIX}", asset)
    return {
        "assets": [entry_of(asset) for asset in found.assets],
        "rejected": [asdict(rejection) for rejection in found.rejected],
    }


def _read(item: Item, settings: IngestSettings) -> Ingested:
    known = item.inputs
    if known["kind"] == "procedural":
        return Ingested(assets=(procedural_asset(known["seed"], settings),))
    if known["kind"] == "packed":
        return Ingested(assets=(packed.ingest_row(Path(item.where["root"]), known["row"], settings),))
    problem = known.get("problem")
    source = Source(
        path=Path(item.where["path"]),
        name=item.key,
        metadata=known["metadata"],
        problem=None if problem is None else (problem[0], problem[1]),
    )
    return ingest(source, settings, item.where.get("blender"))


def entry_of(asset: Asset) -> dict[str, Any]:
    words = ("key", "name", "category", "source", "licence", "author", "notes")
    shape = signature(asset)
    return {
        **{name: getattr(asset, name) for name in words},
        "file": f"{asset.key}{SUFFIX}",
        "faces": len(asset.faces),
        "integrals": np.round(shape.integrals, _DIGITS).tolist(),
        "color": shape.color,
    }


def entries(ingested: Sequence[Result]) -> Iterator[tuple[Result, Mapping[str, Any]]]:
    """Every asset that ingest made: the result of its source, and what it says of the asset."""
    for result in ingested:
        for entry in result.facts.get("assets", ()):
            yield result, entry


def asset_items(ingested: Sequence[Result]) -> list[Item]:
    """One item per asset, as every later step takes them."""
    return [
        Item(key=entry["key"], inputs={"asset": f"{result.product}/{entry['file']}"})
        for result, entry in entries(ingested)
    ]


def _filter(item: Item, settings: FilterSettings, data: Path, product: Path) -> dict[str, Any]:
    measures = require(read_asset(data / item.inputs["asset"]), settings).measures
    return {"measures": {name: round(float(value), 5) for name, value in measures.items()}}


def signature(asset: Asset) -> Signature:
    colors = asset.face_colors()
    color = None
    if colors is not None:
        _, areas = face_normals(asset.vertices.astype(np.float64)[asset.faces])
        mean = np.average(colors, axis=0, weights=areas)
        spread = np.sqrt(np.average((colors - mean) ** 2, axis=0, weights=areas))
        color = tuple(np.round(np.concatenate([mean, spread]), 2).tolist())
    return Signature(key=asset.key, integrals=integrals(asset.vertices, asset.faces), color=color)


def comparison(ingested: Sequence[Result], filtered: Sequence[Result]) -> Item:
    """The one item of the step that compares all assets which passed the filter, in the order of sources."""
    passed = {result.key for result in filtered if result.rejected is None}
    rows = [
        {
            "key": entry["key"],
            "source": entry["source"],
            "asset": f"{result.product}/{entry['file']}",
            "integrals": entry["integrals"],
            "color": entry["color"],
        }
        for result, entry in entries(ingested)
        if entry["key"] in passed
    ]
    return Item(key="all", inputs={"assets": rows})


def _compare(item: Item, settings: DuplicateSettings, data: Path, product: Path) -> dict[str, Any]:
    """A JSON file of matches; the facts count them by kind."""
    rows = item.inputs["assets"]
    place = {row["key"]: row["asset"] for row in rows}
    signatures = [
        Signature(
            key=row["key"],
            integrals=np.array(row["integrals"]),
            color=None if row["color"] is None else tuple(row["color"]),
        )
        for row in rows
    ]

    @lru_cache(maxsize=256)
    def mesh(key: str) -> tuple[NDArray[Any], NDArray[Any]]:
        asset = read_asset(data / place[key])
        return asset.vertices, asset.faces

    matches = find_duplicates(signatures, mesh, settings)
    source = {row["key"]: row["source"] for row in rows}
    found = [{**asdict(match), "of_source": source[match.of]} for match in matches]
    product.write_text(json.dumps(found), encoding="utf-8")
    kinds = sorted({match.kind for match in matches})
    return {"assets": len(rows), **{kind: sum(m.kind == kind for m in matches) for kind in kinds}}


def compared(found: Result, filtered: Sequence[Result], data: Path) -> list[Result]:
    """What the comparison says of each asset it saw: rejected as a duplicate, or kept, with its match if any.

    Raises DataError when the comparison itself failed.
    """
    if found.rejected is not None or found.product is None:
        raise DataError(f"Looking for duplicates failed: {found.rejected}")
    matches = {row["key"]: row for row in json.loads((data / found.product).read_text(encoding="utf-8"))}
    passed = [result for result in filtered if result.rejected is None]
    return [
        Result(
            key=result.key,
            hash=found.hash,
            facts=matches.get(result.key, {}),
            rejected=_rejection(matches.get(result.key)),
            seconds=found.seconds / len(passed),
            cpu_seconds=found.cpu_seconds / len(passed),
            cached=found.cached,
        )
        for result in passed
    ]


def _rejection(match: Mapping[str, Any] | None) -> Rejected | None:
    if match is None or match["kind"] != "duplicate":
        return None
    sentence = f"Its surface lies within {match['distance']:.2%} of {match['of_source']}."
    return Rejected("duplicate", sentence)


INGEST: Step[IngestSettings] = Step(name="ingest", version=1, make=_ingest, suffix="")
FILTER: Step[FilterSettings] = Step(name="filter", version=1, make=_filter)
DUPLICATES: Step[DuplicateSettings] = Step(name="duplicates", version=1, make=_compare, suffix=".json")
