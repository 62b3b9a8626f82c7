"""Materials of any file as glTF's metallic-roughness model has them, textures as bounded PNG files, and the
base colour baked to the corners of faces."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image

from training.data.assets.asset import Material

Floats = NDArray[np.float64]
# Corners of one material at one place closer than this (of 255) share a vertex when colours are baked.
_COLOR_STEP = 32
# Textures are read this share of the way from a corner to the face's middle, so that cells of an atlas do not
# bleed into each other.
_INSET = 0.08


def linear(srgb: NDArray[Any]) -> Floats:
    """sRGB in 0..1 as light."""
    s = np.clip(np.asarray(srgb, np.float64), 0.0, 1.0)
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)


def srgb(light: NDArray[Any]) -> Floats:
    """Light in 0..1 as sRGB."""
    v = np.clip(np.asarray(light, np.float64), 0.0, 1.0)
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)


def png(image: Image.Image, pixels: int) -> tuple[bytes, bool]:
    """The picture as a PNG file with no side over `pixels`, and whether it was reduced.

    Raises what pillow raises for a picture that cannot be decoded.
    """
    reduced = max(image.size) > pixels
    if reduced:
        image.draft("RGB", (pixels, pixels))  # JPEG: decode small
    mode = "RGBA" if image.has_transparency_data else "RGB"
    image = image.convert(mode)
    if max(image.size) > pixels:
        scale = pixels / max(image.size)
        image = image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.BOX)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue(), reduced


def texels(texture: bytes) -> NDArray[np.uint8]:
    """(height, width, 4) sRGB, top row first."""
    with Image.open(io.BytesIO(texture), formats=("PNG",)) as image:
        return np.asarray(image.convert("RGBA"), np.uint8)


def from_trimesh(material: Any, pixels: int, notes: set[str]) -> Material:
    """What trimesh read, with glTF's defaults where a file says nothing."""
    if isinstance(material, trimesh.visual.material.PBRMaterial):
        color = material.baseColorFactor
        base = (1.0, 1.0, 1.0, 1.0) if color is None else _rgba(np.asarray(color, np.float64) / 255)
        picture = material.baseColorTexture
        rough = 1.0 if material.roughnessFactor is None else float(material.roughnessFactor)
        metal = 1.0 if material.metallicFactor is None else float(material.metallicFactor)
        if isinstance(material.metallicRoughnessTexture, Image.Image):
            rough, metal = _surface(material.metallicRoughnessTexture, rough, metal, notes)
    else:  # OBJ's: its diffuse colour is what the author saw on the screen
        diffuse = np.asarray(material.diffuse, np.float64) / 255
        base = _rgba(np.concatenate([linear(diffuse[:3]), diffuse[3:]]))
        picture = material.image
        rough, metal = float(np.sqrt(2.0 / (2.0 + float(getattr(material, "glossiness", 0.0) or 0.0)))), 0.0
        if picture is not None:
            base = (1.0, 1.0, 1.0, base[3])
    return Material(
        name=str(material.name or ""),
        base_color=base,
        roughness=min(max(rough, 0.0), 1.0),
        metallic=min(max(metal, 0.0), 1.0),
        texture=_texture(picture, pixels, notes) if isinstance(picture, Image.Image) else None,
    )


def _rgba(values: Floats) -> tuple[float, float, float, float]:
    red, green, blue, alpha = (float(v) for v in np.append(values, 1.0)[:4])
    return red, green, blue, alpha


def _texture(picture: Image.Image, pixels: int, notes: set[str]) -> bytes | None:
    try:
        data, reduced = png(picture, pixels)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        notes.add("texture_missing")
        return None
    if reduced:
        notes.add("texture_reduced")
    return data


def _surface(picture: Image.Image, rough: float, metal: float, notes: set[str]) -> tuple[float, float]:
    """One roughness and one metalness for the whole material: the means of the texture's channels."""
    try:
        small = np.asarray(picture.convert("RGB").resize((16, 16), Image.Resampling.BOX), np.float64) / 255
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        notes.add("texture_missing")
        return rough, metal
    return rough * float(small[..., 1].mean()), metal * float(small[..., 2].mean())


def sample(texture: NDArray[np.uint8], uvs: NDArray[Any]) -> NDArray[np.uint8]:
    """The texels (..., 4) at UVs (..., 2), repeated beyond the picture; v is upward."""
    height, width = texture.shape[:2]
    u, v = np.nan_to_num(uvs[..., 0]) % 1.0, np.nan_to_num(uvs[..., 1]) % 1.0
    column = np.minimum((u * width).astype(np.int64), width - 1)
    row = np.minimum(((1.0 - v) * height).astype(np.int64), height - 1)
    found: NDArray[np.uint8] = texture[row, column]
    return found


def corner_colors(
    materials: Sequence[Material],
    face_material: NDArray[np.int32],
    uvs: NDArray[np.float32] | None,
    painted: NDArray[np.uint8] | None,
) -> NDArray[np.uint8]:
    """(m, 3, 4) sRGB base colour of each corner: factor, texture and painted vertex colour, multiplied."""
    out = np.zeros((len(face_material), 3, 4))
    inner = None if uvs is None else uvs + _INSET * (uvs.mean(axis=1, keepdims=True) - uvs)
    for number in np.unique(face_material):
        own = face_material == number
        material = materials[number]
        light = np.tile(np.array(material.base_color), (int(own.sum()), 3, 1))
        if material.texture is not None and inner is not None:
            colors = sample(texels(material.texture), inner[own]) / 255
            light[..., :3] *= linear(colors[..., :3])
            light[..., 3] *= colors[..., 3]
        out[own] = light
    if painted is not None:
        out[..., :3] *= linear(painted[..., :3] / 255)
        out[..., 3] *= painted[..., 3] / 255
    out[..., :3] = srgb(out[..., :3])
    rounded: NDArray[np.uint8] = np.round(np.clip(out, 0, 1) * 255).astype(np.uint8)
    return rounded


def share_vertices(
    points: Floats,
    faces: NDArray[np.int64],
    corners: NDArray[np.uint8] | None,
    face_material: NDArray[np.int32],
) -> tuple[Floats, NDArray[np.int32], NDArray[np.uint8] | None]:
    """Vertices, faces and vertex colours: corners at one place of about one colour become one vertex.

    points: (n, 3), corners: (m, 3, 4). Places are compared at 1e-6 of the extent.
    """
    step = max(float(np.ptp(points, axis=0).max()), 1e-30) * 1e-6
    _, first, place = np.unique(np.round(points / step), axis=0, return_index=True, return_inverse=True)
    corner_place = place.reshape(-1)[faces].reshape(-1)
    if corners is None:
        used, compact = np.unique(corner_place, return_inverse=True)
        return points[first[used]], compact.reshape(-1, 3).astype(np.int32), None
    flat = corners.reshape(-1, 4)
    cells = (flat.astype(np.int64) + _COLOR_STEP // 2) // _COLOR_STEP
    color = ((cells[:, 0] * 16 + cells[:, 1]) * 16 + cells[:, 2]) * 16 + cells[:, 3]
    key = (corner_place * (face_material.max() + 1) + np.repeat(face_material, 3)) * 16**4 + color
    _, lead, vertex = np.unique(key, return_index=True, return_inverse=True)
    vertex = vertex.reshape(-1)
    count = np.bincount(vertex)
    mean = np.stack([np.bincount(vertex, flat[:, c]) / count for c in range(4)], axis=1)
    colors = np.round(mean).astype(np.uint8)
    return points[first[corner_place[lead]]], vertex.reshape(-1, 3).astype(np.int32), colors
