"""From a folder of files, or a packed corpus, to checked assets: ingest, filter, duplicates, one record each.

    collect(Path("models"), Path("out"), CollectSettings())

Rejected assets stay in the folder, so that the report can show them; `records.jsonl` says which count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.geometry.sampling import face_normals
from training.data.assets import packed
from training.data.assets.asset import SUFFIX, Asset, Rejected, read_asset, write_asset
from training.data.assets.duplicates import DuplicateSettings, Signature, find_duplicates, integrals
from training.data.assets.ingest import IngestSettings, ingest
from training.data.assets.sources import Source, find_sources
from training.data.filtering import FilterSettings, judge
from training.data.pool import LocalPool, Outcome, PoolSettings
from training.data.records import Record, write_records

STEPS = ("ingest", "filter", "duplicates")


@dataclass(frozen=True, kw_only=True)
class CollectSettings:
    """Settings of all three steps."""

    ingest: IngestSettings = field(default_factory=IngestSettings)
    filter: FilterSettings = field(default_factory=FilterSettings)
    duplicates: DuplicateSettings = field(default_factory=DuplicateSettings)
    pool: PoolSettings = field(default_factory=PoolSettings)


def collect(
    root: Path,
    out: Path,
    settings: CollectSettings,
    progress: Callable[[int, int], None] | None = None,
) -> list[Record]:
    """Records in the order of the sources; `out` receives the assets' files and records.jsonl."""
    out.mkdir(parents=True, exist_ok=True)
    items: Sequence[Any]
    if packed.is_packed(root):
        items = packed.read_rows(root)
        work = partial(_collect_row, root=root, out=out, settings=settings)
    else:
        items = find_sources(root, out / "unpacked", zip_bytes=settings.ingest.zip_bytes)
        work = partial(_collect_source, out=out, settings=settings)
    found: dict[int, list[Record]] = {}
    for outcome in LocalPool(settings.pool).run(work, items):
        found[outcome.index] = outcome.result or [_lost(items[outcome.index], outcome)]
        if progress is not None:
            progress(len(found), len(items))
    records = _without_duplicates(
        [record for index in sorted(found) for record in found[index]], out, settings.duplicates
    )
    write_records(out / "records.jsonl", records)
    return records


def asset_path(out: Path, key: str) -> Path:
    return out / f"{key}{SUFFIX}"


def _collect_row(row: Mapping[str, Any], root: Path, out: Path, settings: CollectSettings) -> list[Record]:
    start = time.perf_counter()
    asset = packed.ingest_row(root, row, settings.ingest)
    return [_check(asset, out, settings.filter, time.perf_counter() - start)]


def _collect_source(source: Source, out: Path, settings: CollectSettings) -> list[Record]:
    start = time.perf_counter()
    result = ingest(source, settings.ingest)
    seconds = (time.perf_counter() - start) / max(len(result.assets) + len(result.rejected), 1)
    return [
        *(_check(asset, out, settings.filter, seconds) for asset in result.assets),
        *(
            Record(source=lost.source, step="ingest", reason=lost.reason, detail=lost.detail)
            for lost in result.rejected
        ),
    ]


def _check(asset: Asset, out: Path, settings: FilterSettings, ingest_seconds: float) -> Record:
    start = time.perf_counter()
    write_asset(asset_path(out, asset.key), asset)
    written = time.perf_counter()
    verdict = judge(asset, settings)
    reason = verdict.reasons[0][0] if verdict.reasons else None
    return Record(
        source=asset.source,
        key=asset.key,
        name=asset.name,
        category=asset.category,
        licence=asset.licence,
        author=asset.author,
        notes=asset.notes,
        step=None if verdict.kept else "filter",
        reason=reason,
        detail=" ".join(sentence for _, sentence in verdict.reasons),
        measures=verdict.measures,
        seconds={"ingest": ingest_seconds + written - start, "filter": time.perf_counter() - written},
    )


def _lost(item: Any, outcome: Outcome) -> Record:
    """The record of an item whose worker raised or died."""
    source = item.name if isinstance(item, Source) else str(item["id"])
    row = item.metadata if isinstance(item, Source) else item
    rejected = outcome.rejected or Rejected("empty", f"{source} gave no asset.")
    return Record(
        source=source,
        name=str(row.get("name", "")),
        licence=str(row.get("licence", "unknown")),
        step="ingest",
        reason=rejected.reason,
        detail=rejected.detail,
        seconds={"ingest": outcome.seconds},
    )


def signature(asset: Asset) -> Signature:
    colors = asset.face_colors()
    color = None
    if colors is not None:
        _, areas = face_normals(asset.vertices.astype(np.float64)[asset.faces])
        mean = np.average(colors, axis=0, weights=areas)
        spread = np.sqrt(np.average((colors - mean) ** 2, axis=0, weights=areas))
        color = tuple(np.concatenate([mean, spread]).tolist())
    return Signature(key=asset.key, integrals=integrals(asset.vertices, asset.faces), color=color)


def _without_duplicates(records: list[Record], out: Path, settings: DuplicateSettings) -> list[Record]:
    """Marks what repeats an earlier asset; variants in colour and near duplicates stay, with a note."""

    @lru_cache(maxsize=256)
    def mesh(key: str) -> tuple[NDArray[Any], NDArray[Any]]:
        asset = read_asset(asset_path(out, key))
        return asset.vertices, asset.faces

    start = time.perf_counter()
    signatures = [signature(read_asset(asset_path(out, r.key))) for r in records if r.kept and r.key]
    matches = {match.key: match for match in find_duplicates(signatures, mesh, settings)}
    seconds = (time.perf_counter() - start) / max(len(signatures), 1)
    names = {record.key: record.source for record in records}
    marked = []
    for record in records:
        match = matches.get(record.key or "")
        if record.kept:
            record = replace(record, seconds={**record.seconds, "duplicates": seconds})
        if match is not None:
            sentence = f"Its surface lies within {match.distance:.2%} of {names[match.of]}."
            if match.kind == "duplicate":
                record = replace(record, step="duplicates", reason=match.kind, detail=sentence)
            else:
                record = replace(record, notes=(*record.notes, match.kind), detail=sentence)
        marked.append(record)
    return marked
