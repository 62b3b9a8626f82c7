"""Faces of an asset taken away, moved, painted or added. What is not touched stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from training.data.assets.asset import Asset, Material
from training.data.assets.materials import linear

Mask = NDArray[np.bool_]
Points = NDArray[np.float64]
Place = Callable[[Points], Points]
_UNKNOWN = (200, 200, 200, 255)


def plain(asset: Asset) -> Asset:
    """With its baked vertex colours alone, where it has them: pairs are many, and textures big."""
    if asset.colors is None:
        return asset
    materials = tuple(material.without_texture() for material in asset.materials)
    return replace(asset, materials=materials, uvs=None)


def colored(asset: Asset) -> Asset:
    """With vertex colours: gray where none are known."""
    return replace(asset, colors=_colors(asset))


def without(asset: Asset, mask: Mask) -> Asset:
    """Without the masked faces; the others keep their order."""
    kept = ~mask
    used, faces = np.unique(asset.faces[kept], return_inverse=True)
    return replace(
        asset,
        vertices=asset.vertices[used],
        faces=faces.reshape(-1, 3).astype(np.int32),
        uvs=None if asset.uvs is None else asset.uvs[kept],
        colors=None if asset.colors is None else asset.colors[used],
        face_material=asset.face_material[kept],
        parts=asset.parts[kept],
    )


def moved(asset: Asset, mask: Mask, place: Place) -> Asset:
    """With the masked faces elsewhere."""
    apart = _apart(asset, mask)
    own = np.unique(apart.faces[mask])
    vertices = apart.vertices.copy()
    vertices[own] = place(vertices[own].astype(np.float64))
    faces = apart.faces
    if len(own) and _mirrors(place):
        faces = faces.copy()
        faces[mask] = faces[mask][:, ::-1]
    return replace(apart, vertices=vertices, faces=faces)


def painted(
    asset: Asset, mask: Mask, color: tuple[int, int, int], metallic: float, roughness: float
) -> Asset:
    """With the masked faces in one colour (sRGB), lighter and darker where they were."""
    apart = _apart(asset, mask)
    colors = _colors(apart)
    own = np.unique(apart.faces[mask])
    light = colors[own, :3].astype(np.float64).mean(axis=1)
    shading = np.clip(light / max(float(light.mean()), 1.0), 0.75, 1.25)
    colors[own, :3] = np.clip(np.round(shading[:, None] * color), 0, 255).astype(np.uint8)
    paint = _paint(color, metallic, roughness)
    face_material = np.where(mask, len(apart.materials), apart.face_material).astype(np.int32)
    return replace(apart, colors=colors, materials=(*apart.materials, paint), face_material=face_material)


def added(
    asset: Asset, vertices: Points, faces: NDArray[np.int32], color: tuple[int, ...] | int, name: str
) -> Asset:
    """With more faces at the end, in a colour (sRGB) or else as the face of that number looks."""
    n = len(faces)
    if isinstance(color, int):
        materials, material = asset.materials, int(asset.face_material[color])
        own = None if asset.colors is None else asset.colors[asset.faces[color, 0]]
    else:
        materials, material = (*asset.materials, _paint(color)), len(asset.materials)
        own = np.array([*color, 255], np.uint8)
        asset = replace(asset, colors=_colors(asset))
    colors = asset.colors
    if colors is not None:
        colors = np.concatenate([colors, np.tile(np.asarray(own, np.uint8), (len(vertices), 1))])
    return replace(
        asset,
        vertices=np.concatenate([asset.vertices, vertices.astype(np.float32)]),
        faces=np.concatenate([asset.faces, (faces + len(asset.vertices)).astype(np.int32)]),
        uvs=None if asset.uvs is None else np.concatenate([asset.uvs, np.zeros((n, 3, 2), np.float32)]),
        colors=colors,
        materials=materials,
        face_material=np.concatenate([asset.face_material, np.full(n, material, np.int32)]),
        parts=np.concatenate([asset.parts, np.full(n, len(asset.part_names), np.int32)]),
        part_names=(*asset.part_names, name),
    )


def _colors(asset: Asset) -> NDArray[np.uint8]:
    """(n, 4), a copy; gray where no colour is known."""
    if asset.colors is not None:
        return asset.colors.copy()
    return np.tile(np.array(_UNKNOWN, np.uint8), (len(asset.vertices), 1))


def _paint(color: tuple[int, ...], metallic: float = 0.0, roughness: float = 0.5) -> Material:
    red, green, blue = (float(c) for c in linear(np.array(color, np.float64) / 255))
    return Material(name="paint", base_color=(red, green, blue, 1.0), roughness=roughness, metallic=metallic)


def _apart(asset: Asset, mask: Mask) -> Asset:
    """With no vertex shared between masked and other faces."""
    own, number = np.unique(asset.faces[mask], return_inverse=True)
    faces = asset.faces.copy()
    faces[mask] = number.reshape(-1, 3) + len(asset.vertices)
    return replace(
        asset,
        vertices=np.concatenate([asset.vertices, asset.vertices[own]]),
        faces=faces,
        colors=None if asset.colors is None else np.concatenate([asset.colors, asset.colors[own]]),
    )


def _mirrors(place: Place) -> bool:
    origin, *axes = place(np.concatenate([np.zeros((1, 3)), np.eye(3)]))
    return bool(np.linalg.det(np.array(axes) - origin) < 0)
