"""A variation of a family as two assets of meshes, part by part."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from training.data.assets.asset import Asset, Material
from training.data.synthetic.objects import Part

from .changes import Change
from .variations import Variation


def change_of(made: Variation, asset: Asset) -> Change:
    """`asset` is the procedural one that the variation starts from; it lends its name, licence and so on."""
    named = {"family": made.family, "seed": made.seed, "draw": made.draw, "option": made.option}
    source, source_counts = _meshed(asset, made.source, json.dumps(named | {"side": "source"}))
    target, target_counts = _meshed(asset, made.target, json.dumps(named | {"side": "target"}))
    return Change(
        kind=made.kind,
        instructions=made.instructions,
        source=source,
        target=target,
        kept_source=np.arange(len(source.faces)) < sum(source_counts[: made.kept]),
        kept_target=np.arange(len(target.faces)) < sum(target_counts[: made.kept]),
    )


def _meshed(asset: Asset, parts: tuple[Part, ...], variation: str) -> tuple[Asset, list[int]]:
    """And how many faces each part has."""
    vertices, faces, colors, start = [], [], [], 0
    for part in parts:
        local, triangles = part.primitive.to_mesh()
        vertices.append(part.to_object(local))
        faces.append(triangles + start)
        colors.append(np.tile(np.array([*part.color, 255], np.uint8), (len(local), 1)))
        start += len(local)
    counts = [len(triangles) for triangles in faces]
    made = replace(
        asset,
        vertices=np.concatenate(vertices).astype(np.float32),
        faces=np.concatenate(faces).astype(np.int32),
        uvs=None,
        colors=np.concatenate(colors),
        materials=(Material(base_color=(1.0, 1.0, 1.0, 1.0)),),
        face_material=np.zeros(sum(counts), np.int32),
        parts=np.repeat(np.arange(len(parts), dtype=np.int32), counts),
        part_names=tuple(part.name for part in parts),
        provenance=asset.provenance | {"variation": variation},
    )
    return made, counts
