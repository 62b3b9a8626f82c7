"""Colour and opacity by Blender's engines, with the cameras and lights of the rasteriser.

Cycles has shadows, light from surface to surface and true mirrors; Workbench gives the look of Blender's
viewport, without glass. Blender runs in a process of its own: the `blender` extra's bpy, or any from 4.2 on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backend.geometry.sampling import face_normals
from training.data.assets.materials import linear, srgb
from training.data.blender_process import BlenderProcess
from training.data.rendering.lighting import described
from training.data.rendering.raster import Shot
from training.data.rendering.surfaces import Surface

_SCRIPT = Path(__file__).with_name("blender_render.py")
_SUNK = 2e-4  # metres
_START, _PER_VIEW = 60.0, 120.0  # seconds before a drawing counts as hung
Images = NDArray[np.uint8]


_kept: BlenderProcess | None = None  # of this process, for asset after asset


def draw(
    surface: Surface,
    shots: Sequence[Shot],
    size: int,
    *,
    engine: str,
    samples: int = 16,
    executable: str | None = None,
) -> Images:
    """(V, size, size, 4) sRGB with straight alpha, top row first; engine is "cycles" or "workbench".

    Raises Rejected: failed, timeout, crashed, too_much_memory, no_blender.
    """
    with tempfile.TemporaryDirectory(prefix="omni123-draw-") as name:
        folder = Path(name)
        job: dict[str, Any] = {"engine": engine, "size": size, "samples": samples, "folder": name}
        job |= {"shots": [{**s.pose.described(), "lighting": described(s.lighting)} for s in shots]}
        job |= _written(surface, folder, engine)
        _blender(executable).ask(job, _START + _PER_VIEW * len(shots), "the drawing")
        return np.stack([_read(folder / f"{number:03d}.png") for number in range(len(shots))])


def close() -> None:
    """Ends the Blender that this process keeps for its next asset."""
    global _kept
    if _kept is not None:
        _kept.close()
    _kept = None


def _blender(executable: str | None) -> BlenderProcess:
    global _kept
    if _kept is None or _kept.executable != executable:
        close()
        _kept = BlenderProcess(script=_SCRIPT, executable=executable)
    return _kept


def _written(surface: Surface, folder: Path, engine: str) -> dict[str, Any]:
    """The job's arrays and textures. Workbench shows textures or colours: where it has both, textures."""
    corners = surface.corners
    color = corners["color"] / 255
    uv = np.stack([corners["uv"][:, 0], 1 - corners["uv"][:, 1]], axis=1)
    group = np.repeat(np.arange(len(surface.counts)), np.array(surface.counts) // 3)
    starts = np.cumsum(surface.counts)
    textures: list[dict[str, str] | None] = [None]
    if engine == "workbench" and surface.textures:
        picture, uv[: starts[0]] = _palette(corners["color"][: starts[0]])
        textures = [_saved(folder / "palette.png", picture, "Closest")]
    for number, texture in enumerate(surface.textures):
        factor = color[starts[number]] if surface.counts[number + 1] else np.ones(4)
        textures.append(_saved(folder / f"texture{number}.png", _tinted(texture, factor), "Linear"))
    np.savez(
        folder / "arrays.npz",
        position=_apart(surface) if engine == "cycles" else corners["position"],
        normal=corners["normal"][:, :3].astype(np.float32),
        color=np.concatenate([linear(color[:, :3]), color[:, 3:]], axis=1).astype(np.float32),
        surface=np.concatenate([corners["surface"][:, :2] / 255, color[:, 3:]], axis=1).astype(np.float32),
        uv=uv.astype(np.float32),
        group=group.astype(np.int32),
    )
    return {"arrays": str(folder / "arrays.npz"), "textures": textures}


def _apart(surface: Surface) -> NDArray[np.float32]:
    """Positions (3m, 3) with every face sunk by a share of 0.2 mm of its own.

    Artists' meshes hold faces twice, and where two lie in one place each shades the other, black.
    """
    points = surface.corners["position"].astype(np.float64).reshape(-1, 3, 3)
    normals, _ = face_normals(points)
    share = np.arange(len(points)) * 0.6180339887 % 1.0
    sunk: NDArray[np.float32] = (points - (_SUNK * share[:, None] * normals)[:, None]).astype(np.float32)
    return sunk.reshape(-1, 3)


def _palette(colors: Images) -> tuple[Images, NDArray[np.float64]]:
    """A picture of the faces' mean colours, from corners (3m, 4), and the UVs that find them in it."""
    mean = np.round(colors.reshape(-1, 3, 4).mean(axis=1)).astype(np.uint8)
    distinct, number = np.unique(mean, axis=0, return_inverse=True)
    side = max(1, int(np.ceil(np.sqrt(len(distinct)))))
    picture = np.zeros((side * side, 4), np.uint8)
    picture[: len(distinct)] = distinct
    row, column = np.divmod(number.reshape(-1), side)
    uv = np.stack([(column + 0.5) / side, 1 - (row + 0.5) / side], axis=1)
    return picture.reshape(side, side, 4), np.repeat(uv, 3, axis=0)


def _tinted(texture: Images, factor: NDArray[np.float64]) -> Images:
    """The texture times the material's sRGB factor; opaque or open, as the rasteriser draws it."""
    shown = texture if (factor[:3] == 1).all() else _multiplied(texture, factor)
    open_ = texture[..., 3:] < 128
    alpha = np.where(open_, 0, np.round(255 * factor[3])).astype(np.uint8)
    return np.concatenate([shown[..., :3], alpha], axis=2)


def _multiplied(texture: Images, factor: NDArray[np.float64]) -> Images:
    light = linear(texture[..., :3] / 255) * linear(factor[:3])
    tinted: Images = np.round(255 * srgb(light)).astype(np.uint8)
    return tinted


def _saved(path: Path, pixels: Images, interpolation: str) -> dict[str, str]:
    Image.fromarray(pixels).save(path, "PNG", compress_level=1)
    return {"path": str(path), "interpolation": interpolation}


def _read(path: Path) -> Images:
    with Image.open(path, formats=("PNG",)) as image:
        return np.asarray(image.convert("RGBA"))
