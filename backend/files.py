"""Sources and results of a request as files on disk: meshes through trimesh, pictures through pillow.

glTF and OBJ files are Y up, as their readers expect; PLY and STL files are Z up, as Blender's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image

from .events import Picture, Pixels
from .geometry.canonical import UpAxis, turn
from .geometry.mesh import Mesh

MESH_FILES = (".glb", ".obj", ".ply", ".stl")
Y_UP = (".glb", ".obj")
PIXELS = 1 << 24  # width times height of a picture


class FileError(ValueError):
    """A file cannot be read or written; the sentence says which and why."""


def read_mesh(path: Path) -> Mesh:
    """In Blender's frame. Raises FileError."""
    kinds = ", ".join(MESH_FILES)
    if path.suffix.lower() not in MESH_FILES or not path.is_file():
        raise FileError(f"{path} is no {kinds} file.")
    try:
        loaded = trimesh.load(path, force="mesh")
    except Exception as error:  # trimesh's readers raise whatever they stumble over
        raise FileError(f"{path} cannot be read as a mesh ({error!s:.100}).") from error
    if not isinstance(loaded, trimesh.Trimesh) or not len(loaded.faces):
        raise FileError(f"{path} has no faces.")
    vertices = turn(loaded.vertices, _up(path), "z").astype(np.float32)
    return Mesh(vertices=vertices, faces=np.asarray(loaded.faces, np.int32), colors=_colors(loaded))


def _colors(loaded: trimesh.Trimesh) -> NDArray[np.uint8] | None:
    """(n, 4) sRGB of its vertices: their own, or of texture or faces there; None: it has none."""
    visual: Any = loaded.visual
    if visual is None or visual.kind is None:
        return None
    visual = visual if visual.kind == "vertex" else visual.to_color()
    visual.mesh = loaded
    colors = np.atleast_2d(np.asarray(visual.vertex_colors, np.uint8))
    if len(colors) == 1:  # of a material without a texture
        colors = np.repeat(colors, len(loaded.vertices), axis=0)
    return colors if colors.shape == (len(loaded.vertices), 4) else None


def write_mesh(path: Path, mesh: Mesh) -> None:
    vertices = turn(mesh.vertices, "z", _up(path))
    trimesh.Trimesh(vertices, mesh.faces, vertex_colors=mesh.colors, process=False).export(path)


def read_picture(path: Path) -> Pixels:
    """Raises FileError."""
    try:
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as image:
            if image.width * image.height > PIXELS:
                raise FileError(f"{path} has {image.width} x {image.height} pixels; make it smaller.")
            return np.asarray(image.convert("RGBA"), np.uint8)
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise FileError(f"{path} cannot be read as a picture ({error!s:.100}).") from error


@dataclass(frozen=True)
class Output:
    """Where results go: a mesh file with its pictures beside it, a picture, or a folder of both.

    Raises FileError.
    """

    path: Path

    def __post_init__(self) -> None:
        if self.path.suffix.lower() not in ("", ".png", *MESH_FILES) or not self._parent().is_dir():
            kinds = ", ".join((*MESH_FILES, ".png"))
            raise FileError(f"{self.path} cannot be written: name a {kinds} file in a folder that exists.")

    def mesh(self) -> Path:
        if self._is_folder():
            return self.path / "shape.glb"
        return self.path.with_suffix(".glb") if self.path.suffix.lower() == ".png" else self.path

    def picture(self, view: str | None) -> Path:
        if self._is_folder():
            return self.path / f"{view or 'image'}.png"
        if view is None and self.path.suffix.lower() == ".png":
            return self.path
        return self.path.with_name(f"{self.path.stem}-{view or 'image'}.png")

    def write_mesh(self, mesh: Mesh) -> Path:
        self._make_folder()
        write_mesh(self.mesh(), mesh)
        return self.mesh()

    def write_picture(self, picture: Picture) -> Path:
        self._make_folder()
        path = self.picture(picture.view)
        Image.fromarray(picture.image, "RGBA").save(path)
        return path

    def _is_folder(self) -> bool:
        return not self.path.suffix or self.path.is_dir()

    def _parent(self) -> Path:
        return self.path.absolute().parent

    def _make_folder(self) -> None:
        if self._is_folder():
            self.path.mkdir(exist_ok=True)


def _up(path: Path) -> UpAxis:
    return "y" if path.suffix.lower() in Y_UP else "z"
