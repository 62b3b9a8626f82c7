"""Edit pairs kept out of training: those of a data folder's held-out split, and those of unseen seeds.

All in the source's canonical frame: its bounding box centred, its longest side 1.92.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray

from backend.geometry import canonical
from backend.geometry.labels import MeshField
from backend.geometry.mesh import Mesh
from backend.geometry.skin import Skin, skin
from training.data.assets.asset import SUFFIX, Asset, read_asset
from training.data.assets.ingest import IngestSettings
from training.data.assets.procedural import procedural_asset
from training.data.edits.pairs import pairs_of
from training.data.edits.settings import EditSettings
from training.data.shards.dataset import Dataset
from training.data.steps import DataError, Pool

COMPARED = 8192  # points of each surface in a Chamfer distance
FOLLOWED = 2048  # points of the unedited surface whose movement is measured, at most
STILL = 1.5e-3  # nearer than this, canonical units, the source's surface is still there in the target
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class PairFile:
    """Where a pair of a data folder lies; passes between processes."""

    name: str
    kind: str
    instruction: str
    source: Path
    target: Path


@dataclass(frozen=True, kw_only=True, eq=False)
class Edit:
    """A pair with what comparing needs."""

    name: str
    kind: str
    instruction: str
    source: Mesh
    target: Mesh
    source_points: Floats  # (COMPARED, 3) on the skin of the source
    target_points: Floats  # (2 * COMPARED, 3) on that of the target: two samples
    target_normals: Floats  # (2 * COMPARED, 3)
    unedited: Floats  # (n, 3) at most FOLLOWED of the source's points where the target has the same surface


def held_out_pairs(data: Path, split: str, wanted: Callable[[str], int], seed: int = 0) -> list[PairFile]:
    """Up to wanted(kind) pairs of each kind, drawn by the seed. Raises DataError where there are none.

    The instruction of each is the first of those it has.
    """
    folders = _folders(data)
    rows = [row for row in edit_rows(Dataset(data), split) if row["owner"] in folders]
    if not rows:
        raise DataError(f"{data} holds no edits of the split {split} with their meshes; name a data folder.")
    rng = np.random.default_rng(seed)
    chosen: list[PairFile] = []
    for kind in sorted({row["kind"] for row in rows}):
        own = [row for row in rows if row["kind"] == kind]
        for place in rng.permutation(len(own))[: wanted(kind)]:
            row = own[place]
            sides = (
                folders[row["owner"]] / f"{row['number']}-{side}{SUFFIX}" for side in ("source", "target")
            )
            first = str(row["instructions"][0])
            source, target = sides
            chosen.append(
                PairFile(name=row["key"], kind=kind, instruction=first, source=source, target=target)
            )
    return chosen


def edit_rows(dataset: Dataset, split: str) -> list[dict[str, Any]]:
    """Rows of a split: key, owner (the asset's key), number of the pair, kind, bucket and instructions."""
    rows = []
    for bucket, file in sorted(dataset.buckets("edits").items()):
        shard = dataset.open(file)
        columns = [shard.texts(name) for name in ("key", "split", "kind", "instructions")]
        for key, own, kind, instructions in zip(*columns, strict=True):
            owner, _, number = key.rpartition("/")
            if own == split:
                row = {"key": key, "owner": owner, "number": int(number), "kind": kind, "bucket": bucket}
                rows.append(row | {"instructions": instructions})
    return rows


def _folders(data: Path) -> dict[str, Path]:
    """The folder of the edit pairs of each asset, from the data folder's records."""
    path = data / "records.jsonl"
    if not path.is_file():
        raise DataError(f"{data} has no records.jsonl; name the folder that `omni123-train data run` made.")
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {row["key"]: data / row["products"]["edits"] for row in rows if "edits" in row["products"]}


def read_edits(files: Sequence[PairFile], pool: Pool) -> list[Edit]:
    """The pairs with their points, in order; those that cannot be read or sampled are left out."""
    found = {outcome.index: outcome.result for outcome in pool.run(_read, files)}
    return [edit for number in range(len(files)) if (edit := found.get(number)) is not None]


def fresh_edits(seeds: Sequence[int], kinds: Sequence[str], pool: Pool) -> list[Edit]:
    """Pairs of procedural objects that no data folder holds: of each seed all of these kinds."""
    made = {outcome.index: outcome.result for outcome in pool.run(partial(_fresh, kinds=tuple(kinds)), seeds)}
    return [edit for number in range(len(seeds)) for edit in made.get(number) or ()]


def _read(file: PairFile) -> Edit:
    return prepared(file.name, file.kind, file.instruction, read_asset(file.source), read_asset(file.target))


def _fresh(seed: int, kinds: tuple[str, ...]) -> list[Edit]:
    pairs = pairs_of(procedural_asset(seed, IngestSettings()), EditSettings())
    return [
        prepared(f"procedural/{seed}/{number}", pair.kind, pair.instructions[0], pair.source, pair.target)
        for number, pair in enumerate(pairs)
        if pair.kind in kinds
    ]


def prepared(name: str, kind: str, instruction: str, source: Asset, target: Asset) -> Edit:
    """Both sides sampled on their skins and laid into the source's canonical frame."""
    place = canonical.fit(source.vertices[np.unique(source.faces)])
    before, after = (_laid(side, place) for side in (source, target))
    rng = np.random.default_rng(0)
    fields = [MeshField(mesh.vertices, mesh.faces) for mesh in (before, after)]
    skins = [skin(own, n, rng) for own, n in zip(fields, (COMPARED, 2 * COMPARED), strict=True)]
    source_points, target_points = (np.asarray(found.points, np.float32) for found in skins)
    return Edit(
        name=name,
        kind=kind,
        instruction=instruction,
        source=before,
        target=after,
        source_points=source_points,
        target_points=target_points,
        target_normals=np.asarray(skins[1].normals, np.float32),
        unedited=_unedited(skins[0], fields[1], after),
    )


def _laid(side: Asset, place: canonical.Placement) -> Mesh:
    return Mesh(
        vertices=place.to_canonical(side.vertices).astype(np.float32), faces=side.faces, colors=side.colors
    )


def _unedited(source: Skin, target: MeshField, mesh: Mesh) -> Floats:
    """Those of the source's points that lie on the target's surface too, and not inside a part of it."""
    still = np.flatnonzero(distance_to(mesh, source.points) < STILL)
    still = still[target.exposed(source.points[still], source.normals[still])]
    kept: Floats = np.asarray(source.points[still[:FOLLOWED]], np.float32)
    return kept


def distance_to(mesh: Mesh, points: Floats) -> NDArray[np.float64]:
    """(n,) of points (n, 3) to the nearest point of any face."""
    squared, _, _ = igl.point_mesh_squared_distance(
        np.ascontiguousarray(points, np.float64),
        mesh.vertices.astype(np.float64),
        mesh.faces.astype(np.int64),
    )
    far: NDArray[np.float64] = np.sqrt(squared)
    return far
