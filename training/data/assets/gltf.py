"""What a glTF file says about itself before anything is allocated: size, skins, compression, licence."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from training.data.assets.asset import Rejected

_MAGIC = b"glTF"
_HEADER_BYTES = 64 << 20  # of JSON
# What trimesh leaves out of the geometry; Blender reads these.
_NEEDS_BLENDER = {
    "KHR_draco_mesh_compression",
    "EXT_meshopt_compression",
    "EXT_mesh_gpu_instancing",
    "KHR_texture_transform",
}


@dataclass(frozen=True, kw_only=True)
class Header:
    """Read off the JSON; the empty one stands for files that have none."""

    faces: int = 0  # with instances
    notes: frozenset[str] = frozenset()
    needs_blender: bool = False
    copyright: str | None = None
    provenance: dict[str, str] = field(default_factory=dict)


def read_header(path: Path) -> Header:
    """Raises Rejected(corrupt) for what is no glTF 2."""
    try:
        tree = _tree(path)
        if not isinstance(tree, dict):
            raise TypeError("the JSON is no object")
        return _header(tree, path)
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, struct.error) as error:
        raise Rejected("corrupt", f"{path.name} is no readable glTF 2 file ({error!s:.100}).") from error
    except RecursionError as error:
        raise Rejected("corrupt", f"{path.name} nests its nodes in a circle or too deep.") from error


def check(header: Header, max_faces: int) -> None:
    """Raises Rejected for what would be too much or nothing."""
    if header.faces == 0:
        raise Rejected("empty", "The file holds no triangles.")
    if header.faces > max_faces:
        raise Rejected("too_many_faces", f"The file has {header.faces:,} faces, over {max_faces:,}.")


def _tree(path: Path) -> Any:
    with path.open("rb") as file:
        if path.suffix.lower() == ".gltf":
            return json.loads(file.read(_HEADER_BYTES))
        magic, version, total = struct.unpack("<4sII", file.read(12))
        if magic != _MAGIC or version != 2:
            raise ValueError("wrong magic or version")
        if total > path.stat().st_size:
            raise ValueError("the file is cut short")
        length, kind = struct.unpack("<I4s", file.read(8))
        if kind != b"JSON" or length > _HEADER_BYTES:
            raise ValueError("no JSON chunk")
        return json.loads(file.read(length))


def _header(tree: Mapping[str, Any], path: Path) -> Header:
    asset = tree.get("asset", {})
    extras = asset.get("extras") if isinstance(asset.get("extras"), dict) else {}
    used = set(tree.get("extensionsUsed", []))
    notes = set()
    if tree.get("animations") or tree.get("skins"):
        notes.add("rest_pose")
    if any(not _image_there(image, path) for image in tree.get("images", [])):
        notes.add("texture_missing")
    provenance = {f"gltf_{key}": str(value)[:500] for key, value in extras.items()}
    if asset.get("generator"):
        provenance["gltf_generator"] = str(asset["generator"])[:200]
    return Header(
        faces=_faces(tree),
        notes=frozenset(notes),
        needs_blender=bool(tree.get("skins")) or bool(used & _NEEDS_BLENDER),
        copyright=str(asset["copyright"])[:500] if asset.get("copyright") else None,
        provenance=provenance,
    )


def _image_there(image: Mapping[str, Any], path: Path) -> bool:
    uri = image.get("uri")
    return uri is None or uri.startswith("data:") or (path.parent / unquote(uri)).is_file()


def _faces(tree: Mapping[str, Any]) -> int:
    """Triangles of the scene, every instance counted."""
    accessors, meshes, nodes = tree.get("accessors", []), tree.get("meshes", []), tree.get("nodes", [])

    def of_mesh(index: int) -> int:
        total = 0
        for primitive in meshes[index]["primitives"]:
            if (mode := primitive.get("mode", 4)) not in (4, 5, 6):
                continue
            corners = int(accessors[primitive.get("indices", primitive["attributes"]["POSITION"])]["count"])
            total += corners // 3 if mode == 4 else max(corners - 2, 0)
        return total

    def of_node(index: int) -> int:
        node = nodes[index]
        own = of_mesh(node["mesh"]) if "mesh" in node else 0
        return own + sum(of_node(child) for child in node.get("children", []))

    if not nodes:
        return sum(of_mesh(index) for index in range(len(meshes)))
    scenes = tree.get("scenes", [])
    roots = scenes[tree.get("scene", 0)].get("nodes", []) if scenes else _roots(nodes)
    return sum(of_node(index) for index in roots)


def _roots(nodes: list[Mapping[str, Any]]) -> list[int]:
    children = {child for node in nodes for child in node.get("children", [])}
    return [index for index in range(len(nodes)) if index not in children]
