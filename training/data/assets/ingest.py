"""Files to assets: reads, orients, scales, bakes colours, numbers parts, and keeps licence and origin.

ingest(find_sources(Path("models"), scratch, ...)[0], IngestSettings(licence="CC0-1.0"))
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.geometry import canonical
from backend.geometry.canonical import UpAxis
from training.data.assets import blender, gltf
from training.data.assets.asset import Asset, Material, Rejected
from training.data.assets.duplicates import geometry_hash
from training.data.assets.materials import corner_colors, share_vertices
from training.data.assets.parts import lies_down, number_parts
from training.data.assets.reading import RawFile, RawObject, read_file
from training.data.assets.sides import one_sided
from training.data.assets.sources import Source

_KNOWN = ("name", "category", "tags", "licence", "author", "up")
_PAINTED = Material(base_color=(1.0, 1.0, 1.0, 1.0))  # of what has colours but no material


@dataclass(frozen=True, kw_only=True)
class IngestSettings:
    """What is read and how."""

    split_objects: bool = False  # an asset per object of a file; else one per file
    up: UpAxis | None = None  # None: by the format; an index's "up" wins over both
    check_up: bool = True  # note assets that seem to lie on their side
    licence: str = "unknown"  # of files that nothing else speaks for
    author: str | None = None
    max_bytes: int = 512 << 20  # of a file
    max_faces: int = 2_000_000  # of a file, instances counted
    max_objects: int = 10_000  # of a file, where it is split
    texture_pixels: int = 1024  # longer sides are reduced
    seconds: float = 120.0  # per file in Blender
    zip_bytes: int = 8 << 30  # of a zip's contents

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_faces", "max_objects", "texture_pixels", "seconds", "zip_bytes"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """One thing that was not used, and why."""

    source: str
    reason: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What came of one file."""

    assets: tuple[Asset, ...]
    rejected: tuple[Rejection, ...] = ()


_blender: blender.Blender | None = None  # of this process, kept between files


def ingest(source: Source, settings: IngestSettings, executable: str | None = None) -> Ingested:
    """Raises Rejected where nothing of the file can be used; objects that cannot are listed in the result.

    executable: the Blender to read with; the bpy wheel without.
    """
    raw = _read(source, settings, executable)
    groups = [[thing] for thing in raw.objects] if settings.split_objects else [list(raw.objects)]
    if len(groups) > settings.max_objects:
        raise Rejected("too_many_objects", f"{source.name} has {len(groups):,} objects.")
    assets, rejected = [], []
    for number, group in enumerate(groups):
        label = f"{source.name}#{group[0].name}" if len(groups) > 1 else source.name
        try:
            assets.append(make_asset(group, label, number, source.metadata, raw, settings))
        except Rejected as error:
            if len(groups) == 1:
                raise
            rejected.append(Rejection(source=label, reason=error.reason, detail=error.detail))
    return Ingested(assets=tuple(assets), rejected=tuple(rejected))


def _read(source: Source, settings: IngestSettings, executable: str | None) -> RawFile:
    if source.problem is not None:
        raise Rejected(*source.problem)
    size = source.path.stat().st_size
    if size == 0:
        raise Rejected("empty", f"{source.name} has no bytes.")
    if size > settings.max_bytes:
        raise Rejected("too_large", f"{source.name} has {size:,} bytes, over {settings.max_bytes:,}.")
    if _wants_blender(source.path, settings):
        raw = _read_with_blender(source.path, settings, executable)
    else:
        up = _up(source.metadata.get("up")) or settings.up
        raw = read_file(
            source.path, up=up, max_faces=settings.max_faces, texture_pixels=settings.texture_pixels
        )
    whole = tuple(thing for thing in raw.objects if len(thing.faces))
    if not whole:
        raise Rejected("empty", f"{source.name} holds no faces.")
    return RawFile(objects=whole, notes=raw.notes, licence=raw.licence, provenance=raw.provenance)


def _wants_blender(path: Path, settings: IngestSettings) -> bool:
    suffix = path.suffix.lower()
    if suffix not in (".glb", ".gltf"):
        return suffix in blender.SUFFIXES
    header = gltf.read_header(path)
    gltf.check(header, settings.max_faces)
    return header.needs_blender


def _read_with_blender(path: Path, settings: IngestSettings, executable: str | None) -> RawFile:
    global _blender
    if _blender is None or _blender.executable != executable:
        close_blender()
        _blender = blender.Blender(executable=executable)
    raw = _blender.read(
        path,
        max_faces=settings.max_faces,
        texture_pixels=settings.texture_pixels,
        seconds=settings.seconds,
    )
    if path.suffix.lower() not in (".glb", ".gltf"):
        return raw
    header = gltf.read_header(path)
    notes = raw.notes | header.notes
    return RawFile(objects=raw.objects, notes=notes, licence=header.copyright, provenance=header.provenance)


def close_blender() -> None:
    """Ends the Blender that this process keeps for its next file."""
    global _blender
    if _blender is not None:
        _blender.close()
    _blender = None


def _up(value: Any) -> UpAxis | None:
    known: dict[str, UpAxis] = {"y": "y", "z": "z"}
    return known.get(str(value).strip().lower())


def make_asset(
    group: Sequence[RawObject],
    label: str,
    number: int,
    row: Mapping[str, Any],
    raw: RawFile,
    settings: IngestSettings,
) -> Asset:
    """One asset of some objects of a file. Raises Rejected: empty, no_extent."""
    notes = set(raw.notes)
    merged, objects = _merge(group, notes)
    merged, objects = _one_sided(merged, objects, notes)
    placement = _placement(merged.vertices[np.unique(merged.faces)], label)
    points = placement.to_canonical(merged.vertices)
    corners = None
    if merged.materials or merged.colors is not None:
        materials = merged.materials or (_PAINTED,)
        corners = corner_colors(materials, merged.face_material, merged.uvs, merged.colors)
    vertices, faces, colors = share_vertices(points, merged.faces, corners, merged.face_material)
    parts, part_names = number_parts(vertices, faces, [thing.name for thing in group], objects)
    if settings.check_up and lies_down(vertices, faces):
        notes.add("may_lie_down")
    stem = group[0].name if "#" in label else Path(label).stem
    own = hashlib.sha256(f"{label} {number}".encode()).hexdigest()[:8]
    return Asset(
        key=f"{geometry_hash(vertices, faces)}-{own}",
        name=str(row.get("name") or readable(stem)),
        category=str(row["category"]) if row.get("category") else None,
        tags=_tags(row.get("tags")),
        source=label,
        licence=str(row.get("licence") or raw.licence or settings.licence),
        author=str(row["author"]) if row.get("author") else settings.author,
        provenance=_provenance(row, raw, 1 / placement.scale),
        notes=tuple(sorted(notes)),
        vertices=vertices.astype(np.float32),
        faces=faces,
        uvs=merged.uvs,
        colors=colors,
        materials=merged.materials or (Material() if merged.colors is None else _PAINTED,),
        face_material=merged.face_material,
        parts=parts,
        part_names=part_names,
    )


def _merge(group: Sequence[RawObject], notes: set[str]) -> tuple[RawObject, NDArray[np.int32]]:
    """One object of many, without the faces that are none, and which object (m,) each face came from."""
    materials: list[Material] = []
    numbers, faces, start = [], [], 0
    described = any(thing.materials for thing in group)
    for thing in group:
        plain = Material() if thing.colors is None else _PAINTED
        own = thing.materials or ((plain,) if described else ())
        table = np.array([_number(material, materials) for material in own] or [0], np.int32)
        numbers.append(table[thing.face_material])
        faces.append(thing.faces + start)
        start += len(thing.vertices)
    vertices = np.concatenate([thing.vertices for thing in group])
    merged = np.concatenate(faces)
    finite = np.isfinite(vertices).all(axis=1)
    good = finite[merged].all(axis=1)
    if not good.all():
        notes.add("not_finite_dropped")
    counts = [len(thing.faces) for thing in group]
    whole = RawObject(
        name=group[0].name,
        vertices=np.where(finite[:, None], vertices, 0.0),
        faces=merged[good],
        uvs=_concatenate([thing.uvs for thing in group], counts, 0.0, good),
        colors=_concatenate([thing.colors for thing in group], counts, 255, good),
        materials=tuple(materials),
        face_material=np.concatenate(numbers)[good],
    )
    return whole, np.repeat(np.arange(len(group), dtype=np.int32), counts)[good]


def _number(material: Material, materials: list[Material]) -> int:
    if material not in materials:
        materials.append(material)
    return materials.index(material)


def _concatenate(
    arrays: Sequence[NDArray[Any] | None], counts: Sequence[int], fill: float, kept: NDArray[np.bool_]
) -> NDArray[Any] | None:
    """Per-corner arrays of all objects; those that have none get the fill, and none have any gives None."""
    known = next((array for array in arrays if array is not None), None)
    if known is None:
        return None
    filled = [
        np.full((count, *known.shape[1:]), fill, known.dtype) if array is None else array
        for array, count in zip(arrays, counts, strict=True)
    ]
    merged: NDArray[Any] = np.concatenate(filled)[kept]
    return merged


def _one_sided(
    thing: RawObject, objects: NDArray[np.int32], notes: set[str]
) -> tuple[RawObject, NDArray[np.int32]]:
    """Without the backs of faces that were modelled twice."""
    kept, turned = one_sided(thing.vertices, thing.faces)
    if kept.all():
        return thing, objects
    notes.add("two_sided")

    def sided(corners: NDArray[Any]) -> NDArray[Any]:
        swapped = corners.copy()
        swapped[turned] = corners[turned][:, ::-1]
        return swapped[kept]

    whole = replace(
        thing,
        faces=sided(thing.faces),
        uvs=None if thing.uvs is None else sided(thing.uvs),
        colors=None if thing.colors is None else sided(thing.colors),
        face_material=thing.face_material[kept],
    )
    return whole, objects[kept]


def _placement(vertices: NDArray[np.float64], label: str) -> canonical.Placement:
    if len(vertices) == 0:
        raise Rejected("empty", f"{label} has no face with finite corners.")
    try:
        return canonical.fit(vertices)
    except ValueError as error:
        raise Rejected("no_extent", f"{label} has no extent: all its vertices are at one place.") from error


def readable(stem: str) -> str:
    """A file's or object's name as words: `chairWood_02` is `chair wood`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", stem)
    words = re.sub(r"[^0-9A-Za-z\u00c0-\uffff]+", " ", spaced).lower().split()
    while len(words) > 1 and words[-1].isdigit():
        words.pop()
    return " ".join(words) or "object"


def _tags(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    words = value if isinstance(value, list) else re.split(r"[,;]", str(value))
    return tuple(word for item in words if (word := str(item).strip()))


def _provenance(row: Mapping[str, Any], raw: RawFile, scale: float) -> dict[str, str]:
    """Everything else that is known, and the length of one canonical unit in the file's units."""
    other = {str(key): str(value)[:500] for key, value in row.items() if key not in _KNOWN}
    return raw.provenance | other | {"unit": f"{scale:.6g}"}
