"""One object as every later step of the data pipeline reads it, and its file.

A file is one safetensors file: the arrays, the textures as bytes, and in its metadata the rest as JSON.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from backend.geometry.mesh import Mesh

FORMAT = 1
SUFFIX = ".asset.safetensors"
_WORDS = ("key", "name", "category", "source", "licence", "author")


class Rejected(Exception):  # noqa: N818  a verdict, not an error
    """An asset that cannot be used: a short stable code, and one sentence for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)  # both, so that it crosses process borders whole
        self.reason, self.detail = reason, detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True, kw_only=True)
class Material:
    """The surface of some faces, as glTF's metallic-roughness model puts it."""

    name: str = ""
    base_color: tuple[float, float, float, float] = (0.8, 0.8, 0.8, 1.0)  # LINEAR, multiplies the texture
    roughness: float = 0.5
    metallic: float = 0.0
    texture: bytes | None = None  # base colour, a PNG file in sRGB

    def without_texture(self) -> Material:
        return replace(self, texture=None)


@dataclass(frozen=True, kw_only=True)
class Asset:
    """One object in Blender's frame (Z up, front -Y): centred on its bounding box, longest side 1.92.

    Vertices are shared where place and baked colour agree, so that colours stay sharp; steps that need
    topology weld by place (`backend.geometry.orientation.weld`). Faces with no area may remain.
    """

    key: str  # sha256 of the geometry, shortened, "-", and a hash of the source: duplicates share the first
    name: str
    category: str | None = None
    tags: tuple[str, ...] = ()
    source: str  # relative path, and after "#" the object's name where a file holds several
    licence: str = "unknown"
    author: str | None = None
    provenance: dict[str, str]
    notes: tuple[str, ...] = ()  # what was handled on the way, short codes: rest_pose, texture_missing, ...
    vertices: NDArray[np.float32]  # (n, 3)
    faces: NDArray[np.int32]  # (m, 3)
    uvs: NDArray[np.float32] | None = None  # (m, 3, 2) per corner, v upward as in OBJ and Blender
    colors: NDArray[np.uint8] | None = (
        None  # (n, 4) sRGB, base colour baked per vertex; None: no colour known
    )
    materials: tuple[Material, ...]
    face_material: NDArray[np.int32]  # (m,)
    parts: NDArray[np.int32]  # (m,) named object or connected component of each face
    part_names: tuple[str, ...]  # "" where a part has no name of its own

    def __post_init__(self) -> None:
        m = len(self.faces)
        if not (len(self.parts) == len(self.face_material) == m):
            raise ValueError(f"asset {self.key} has {m} faces, {len(self.parts)} part numbers and so on")
        if self.uvs is not None and self.uvs.shape != (m, 3, 2):
            raise ValueError(f"asset {self.key}: UVs must be ({m}, 3, 2), not {self.uvs.shape}")
        for label, numbers, names in (
            ("material", self.face_material, self.materials),
            ("part", self.parts, self.part_names),
        ):
            if m and not 0 <= int(numbers.min()) <= int(numbers.max()) < len(names):
                raise ValueError(f"asset {self.key}: {label} numbers must lie in 0..{len(names) - 1}")

    @property
    def geometry(self) -> str:
        """The part of the key that assets of the same shape share."""
        return self.key.partition("-")[0]

    @property
    def mesh(self) -> Mesh:
        return Mesh(vertices=self.vertices, faces=self.faces, colors=self.colors)

    def face_colors(self) -> NDArray[np.uint8] | None:
        """(m, 3) sRGB, the mean of each face's corners, as `render_views` wants them."""
        if self.colors is None:
            return None
        mean: NDArray[np.uint8] = np.round(self.colors[self.faces, :3].mean(axis=1)).astype(np.uint8)
        return mean


def write_asset(path: Path, asset: Asset) -> None:
    """Written whole or not at all."""
    arrays: dict[str, NDArray[Any]] = {
        "vertices": asset.vertices,
        "faces": asset.faces,
        "face_material": asset.face_material,
        "parts": asset.parts,
    }
    arrays |= {name: array for name in ("uvs", "colors") if (array := getattr(asset, name)) is not None}
    textures = {f"texture.{i}": m.texture for i, m in enumerate(asset.materials) if m.texture}
    arrays |= {name: np.frombuffer(data, np.uint8) for name, data in textures.items()}
    words = {name: getattr(asset, name) for name in (*_WORDS, "tags", "provenance", "notes", "part_names")}
    words["materials"] = [[m.name, m.base_color, m.roughness, m.metallic] for m in asset.materials]
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        save_file(
            {name: np.ascontiguousarray(array) for name, array in arrays.items()},
            unfinished,
            metadata={"format": f"asset {FORMAT}", "asset": json.dumps(words)},
        )
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_asset(path: Path) -> Asset:
    """Raises ValueError for a file that is no asset, or not a whole one."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != f"asset {FORMAT}":
                raise ValueError(f"{path} is no asset of format {FORMAT}; ingest it again")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
    except SafetensorError as error:
        raise ValueError(f"{path} is not a whole asset ({error})") from error
    words = json.loads(metadata["asset"])
    materials = tuple(
        Material(
            name=name,
            base_color=tuple(color),
            roughness=roughness,
            metallic=metallic,
            texture=arrays[f"texture.{i}"].tobytes() if f"texture.{i}" in arrays else None,
        )
        for i, (name, color, roughness, metallic) in enumerate(words["materials"])
    )
    return Asset(
        **{name: words[name] for name in _WORDS},
        provenance=words["provenance"],
        tags=tuple(words["tags"]),
        notes=tuple(words["notes"]),
        part_names=tuple(words["part_names"]),
        vertices=arrays["vertices"],
        faces=arrays["faces"],
        face_material=arrays["face_material"],
        parts=arrays["parts"],
        uvs=arrays.get("uvs"),
        colors=arrays.get("colors"),
        materials=materials,
    )
