"""Blender as a reader of files, in a process of its own: several files per process, killed when it hangs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.data.assets.asset import Material
from training.data.assets.materials import png
from training.data.assets.reading import RawFile, RawObject
from training.data.blender_process import BlenderProcess

SUFFIXES = (".fbx", ".usd", ".usda", ".usdc", ".usdz", ".blend", ".dae")
_SCRIPT = Path(__file__).with_name("blender_import.py")
_WHITE = (1.0, 1.0, 1.0, 1.0)


@dataclass(kw_only=True)
class Blender:
    """One process after another: a fresh one after `files` files, a hang or a crash."""

    executable: str | None = None  # None: the bpy wheel
    files: int = 100

    def __post_init__(self) -> None:
        self._process = BlenderProcess(script=_SCRIPT, executable=self.executable, jobs=self.files)

    def read(self, path: Path, *, max_faces: int, texture_pixels: int, seconds: float) -> RawFile:
        """Raises Rejected: corrupt, too_many_faces, unsupported_format, timeout, crashed, no_blender."""
        with tempfile.TemporaryDirectory(prefix="omni123-import-") as folder:
            output = Path(folder) / "objects.npz"
            job: dict[str, Any] = {"path": str(path.resolve()), "output": str(output)}
            job |= {"max_faces": max_faces, "texture_pixels": texture_pixels}
            return _raw_file(self._process.ask(job, seconds, path.name), output, texture_pixels)

    def close(self) -> None:
        self._process.close()


def _raw_file(answer: dict[str, Any], output: Path, texture_pixels: int) -> RawFile:
    with np.load(output, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    materials = []
    for number, found in enumerate(answer["materials"]):
        picture = arrays.get(f"texture.{number}")
        red, green, blue, alpha = (float(value) for value in found["color"])
        materials.append(
            Material(
                name=found["name"],
                base_color=(red, green, blue, alpha),
                roughness=float(found["roughness"]),
                metallic=float(found["metallic"]),
                texture=None if picture is None else png(Image.fromarray(picture), texture_pixels)[0],
            )
        )
    painted = [bool(found.get("painted")) for found in answer["materials"]]
    objects = [_raw_object(i, name, arrays, materials, painted) for i, name in enumerate(answer["objects"])]
    return RawFile(objects=tuple(objects), notes=set(answer["notes"]))


def _raw_object(
    number: int,
    name: str,
    arrays: dict[str, np.ndarray[Any, Any]],
    materials: Sequence[Material],
    painted: Sequence[bool],
) -> RawObject:
    own = arrays[f"{number}.material"]
    used, local = np.unique(own, return_inverse=True)
    table = [materials[i] if i >= 0 else Material(name="none") for i in used]
    colors = arrays.get(f"{number}.colors")
    if colors is not None and (used >= 0).any():  # colours count where the material shows them
        shown = np.array([i < 0 or painted[i] for i in used])
        table = [replace(m, base_color=_WHITE) if s else m for m, s in zip(table, shown, strict=True)]
        colors = np.where(shown[local.reshape(-1)][:, None, None], colors, np.uint8(255))
    return RawObject(
        name=name,
        vertices=arrays[f"{number}.vertices"].astype(np.float64),
        faces=arrays[f"{number}.faces"].astype(np.int64),
        uvs=arrays.get(f"{number}.uvs"),
        colors=colors,
        materials=() if (used < 0).all() else tuple(table),
        face_material=local.reshape(-1).astype(np.int32),
    )
