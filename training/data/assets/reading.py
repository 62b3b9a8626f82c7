"""Files that trimesh reads (glTF, OBJ, STL, PLY) as raw objects in Blender's frame, in the author's units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from backend.geometry.canonical import UpAxis, turn
from training.data.assets import gltf
from training.data.assets.asset import Material, Rejected
from training.data.assets.materials import from_trimesh, srgb

TRIMESH = (".glb", ".gltf", ".obj", ".stl", ".ply", ".off")
Y_UP = (".glb", ".gltf", ".obj")


@dataclass(frozen=True, kw_only=True)
class RawObject:
    """One object of a file as it was read, Z up."""

    name: str
    vertices: NDArray[np.float64]  # (n, 3)
    faces: NDArray[np.int64]  # (m, 3)
    uvs: NDArray[np.float32] | None  # (m, 3, 2)
    colors: NDArray[np.uint8] | None  # (m, 3, 4) painted, sRGB
    materials: tuple[Material, ...]  # none: the file says nothing
    face_material: NDArray[np.int32]  # (m,), ignored without materials


@dataclass(frozen=True, kw_only=True)
class RawFile:
    """All objects of a file, and what was noticed on the way."""

    objects: tuple[RawObject, ...]
    notes: set[str] = field(default_factory=set)
    licence: str | None = None  # what the file itself says
    provenance: dict[str, str] = field(default_factory=dict)


def read_file(path: Path, *, up: UpAxis | None, max_faces: int, texture_pixels: int) -> RawFile:
    """Raises Rejected: corrupt, empty, too_many_faces, unsupported_compression."""
    suffix, notes = path.suffix.lower(), set[str]()
    header = gltf.Header()
    if suffix in (".glb", ".gltf"):
        header = gltf.read_header(path)
        gltf.check(header, max_faces)
        notes |= header.notes
    scene = _load(path)
    objects = []
    faces = 0
    for name, geometry, transform in _nodes(scene):
        faces += len(geometry.faces)
        if faces > max_faces:
            raise Rejected("too_many_faces", f"{path.name} has over {max_faces:,} faces.")
        objects.append(
            _object(name, geometry, transform, up or ("y" if suffix in Y_UP else "z"), texture_pixels, notes)
        )
    if suffix == ".obj" and _texture_lost(path, objects):
        notes.add("texture_missing")
    if len(scene.graph.nodes_geometry) > len(scene.geometry):
        notes.add("instances_realised")
    return RawFile(
        objects=tuple(objects), notes=notes, licence=header.copyright, provenance=header.provenance
    )


def _load(path: Path) -> trimesh.Scene:
    options: dict[str, Any] = {"split_objects": True} if path.suffix.lower() == ".obj" else {}
    try:
        return trimesh.load_scene(path, process=False, **options)
    except MemoryError:
        raise
    except Exception as error:  # trimesh's readers raise whatever they stumble over
        sentence = " ".join(str(error).split())[:120]
        raise Rejected(
            "corrupt", f"{path.name} cannot be read ({type(error).__name__}: {sentence})."
        ) from error


def _nodes(scene: trimesh.Scene) -> Iterator[tuple[str, trimesh.Trimesh, NDArray[np.float64]]]:
    """(object name, geometry, placement) of every mesh in the scene, instances one by one."""
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        geometry = scene.geometry[name]
        if not isinstance(geometry, trimesh.Trimesh):  # points or lines
            continue
        label = str(node)
        if geometry.metadata.get("from_gltf_primitive"):
            label = str(scene.graph.transforms.parents.get(node, node))
        material = getattr(getattr(geometry.visual, "material", None), "name", None)
        if material and label.endswith(f"_{material}"):  # an OBJ's object and its material
            label = label.removesuffix(f"_{material}")
        yield label, geometry, np.asarray(transform, np.float64)


def _object(
    name: str,
    geometry: trimesh.Trimesh,
    transform: NDArray[np.float64],
    up: UpAxis,
    pixels: int,
    notes: set[str],
) -> RawObject:
    faces = np.asarray(geometry.faces, np.int64).reshape(-1, 3)
    points = np.asarray(geometry.vertices, np.float64).reshape(-1, 3)
    if faces.size and (faces.min() < 0 or faces.max() >= len(points)):
        raise Rejected("corrupt", f"Faces of {name!r} name vertices that the file does not have.")
    if np.linalg.det(transform[:3, :3]) < 0:  # mirrored: keep the outside outside
        faces = faces[:, ::-1]
    points = turn(points @ transform[:3, :3].T + transform[:3, 3], up, "z")
    visual: Any = geometry.visual
    uvs, colors, materials = None, None, tuple[Material, ...]()
    if visual.kind == "texture":
        if visual.uv is not None and len(visual.uv) == len(points):
            uvs = np.asarray(visual.uv, np.float32)[faces]
        if visual.material is not None:
            materials = (from_trimesh(visual.material, pixels, notes),)
        painted = visual.vertex_attributes.get("color")
        if painted is not None and len(painted) == len(points):
            colors = _painted(painted, light=True)[faces]
    elif visual.kind == "vertex":
        colors = _painted(visual.vertex_colors, light="from_gltf_primitive" in geometry.metadata)[faces]
    elif visual.kind == "face":
        colors = np.repeat(_painted(visual.face_colors, light=False)[:, None], 3, axis=1)
    return RawObject(
        name=name,
        vertices=points,
        faces=faces,
        uvs=uvs,
        colors=colors,
        materials=materials,
        face_material=np.zeros(len(faces), np.int32),
    )


def _painted(colors: Any, *, light: bool) -> NDArray[np.uint8]:
    """(n, 4) uint8 sRGB of painted colours; glTF's are light, other formats' are what the screen shows."""
    values = np.asarray(colors)
    scale = float(np.iinfo(values.dtype).max) if values.dtype.kind == "u" else 1.0
    values = np.clip(values / scale, 0, 1)
    if values.shape[1] == 3:
        values = np.concatenate([values, np.ones((len(values), 1))], axis=1)
    if light:
        values = np.concatenate([srgb(values[:, :3]), values[:, 3:]], axis=1)
    rounded: NDArray[np.uint8] = np.round(values * 255).astype(np.uint8)
    return rounded


def _texture_lost(path: Path, objects: list[RawObject]) -> bool:
    """Whether an OBJ names a material file or texture that is not there; trimesh says nothing then."""
    with path.open("rb") as file:
        head = file.read(1 << 16).decode("utf-8", "replace")
    libraries = [line.split(maxsplit=1)[1] for line in head.splitlines() if line.startswith("mtllib ")]
    found = [path.parent / library.strip() for library in libraries]
    if any(not file.is_file() for file in found):
        return True
    wanted = any(b"map_Kd" in file.read_bytes()[: 1 << 20] for file in found)
    textured = any(material.texture for thing in objects for material in thing.materials)
    return wanted and not textured
