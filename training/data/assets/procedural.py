"""Procedural objects (`training.data.synthetic`) as assets: a seed each, named parts, painted colours."""

from __future__ import annotations

import numpy as np

from training.data.assets.asset import Asset
from training.data.assets.ingest import IngestSettings, make_asset
from training.data.assets.reading import RawFile, RawObject
from training.data.synthetic import SyntheticObject, generate

PREFIX = "procedural:"
LICENCE = "CC0-1.0"  # of what the generators make


def seeds_of(source: str) -> range:
    """`procedural:100` is the seeds 0 to 99, `procedural:100-199` those. Raises ValueError."""
    first, dash, last = source.removeprefix(PREFIX).partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise ValueError(f"{source} names no seeds; write {PREFIX}COUNT or {PREFIX}FIRST-LAST")
    seeds = range(int(first), int(last) + 1) if dash else range(int(first))
    if not seeds:
        raise ValueError(f"{source} names no seeds: the last comes before the first")
    return seeds


def name_of(seed: int) -> str:
    return f"procedural/{seed}"


def procedural_asset(seed: int, settings: IngestSettings) -> Asset:
    """The object of a seed; its provenance names family and seed, from which exact distances follow."""
    solid = generate(seed)
    objects = tuple(_objects(solid))
    row = {
        "name": solid.family.replace("_", " "),
        "category": solid.family,
        "tags": [str(value) for value in solid.attributes.values() if isinstance(value, str)],
        "licence": LICENCE,
        "family": solid.family,
        "seed": seed,
    }
    raw = RawFile(objects=objects, notes={"procedural"})
    return make_asset(objects, name_of(seed), 0, row, raw, settings)


def _objects(solid: SyntheticObject) -> list[RawObject]:
    """An object per part, in the frame of the whole."""
    objects = []
    for part in solid.parts:
        local, faces = part.primitive.to_mesh()
        color = np.array([*part.color, 255], np.uint8)
        objects.append(
            RawObject(
                name=part.name,
                vertices=part.to_object(local).astype(np.float64),
                faces=np.asarray(faces, np.int64),
                uvs=None,
                colors=np.tile(color, (len(faces), 3, 1)),
                materials=(),
                face_material=np.zeros(len(faces), np.int32),
            )
        )
    return objects
