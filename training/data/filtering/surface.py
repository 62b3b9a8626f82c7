"""Measures of an asset's textures: UVs that smear or are missing, pictures too small for their surface."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from backend.geometry.canonical import LONGEST_SIDE
from backend.geometry.sampling import face_normals
from training.data.assets.asset import Asset
from training.data.assets.materials import sample, texels

# Faces that cover fewer texels show one colour of a palette, on purpose.
_PALETTE = 1.0
_ALONG = 24  # texels read along a smear
_FAR = 1000.0  # UVs beyond this are garbage, not repetition


def bad_uv_share(asset: Asset, ratio: float, length: float, contrast: float) -> float:
    """Share of the textured area without UVs, with UVs that are not finite, or that smear a picture.

    A face smears when the texture is stretched over `ratio` times more one way than the other, over `length`
    texels whose colours change by `contrast` each: stripes. Palettes and gradients do not.
    """
    bad = total = 0.0
    for area, uvs, texture in _textured(asset):
        total += float(area.sum())
        if uvs is None:
            bad += float(area.sum())
            continue
        wild = ~(np.abs(uvs) < _FAR).all(axis=(1, 2))  # not a number compares as false
        long, across, ends = _stretch(np.where(wild[:, None, None], 0.0, uvs), texture)
        suspects = np.flatnonzero((long > length) & (across * ratio < long))
        striped = np.zeros(len(uvs), bool)
        striped[suspects] = _contrast(ends[suspects], texture) > contrast
        bad += float(area[wild | striped].sum())
    return bad / total if total else 0.0


def texels_per_side(asset: Asset) -> float:
    """Texels along the longest side, the area's median, where pictures cover over half of the surface.

    Infinite for assets that are painted, plain, or coloured from a palette.
    """
    density, weight = [np.zeros(0)], [np.zeros(0)]
    for area, uvs, texture in _textured(asset):
        if uvs is None:
            continue
        height, width = texture.shape[:2]
        flat = np.nan_to_num(uvs).astype(np.float64) * (width, height)
        a, b = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
        covered = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
        picture = (covered > _PALETTE) & (area > 0)
        density.append(np.sqrt(covered[picture] / area[picture]) * LONGEST_SIDE)
        weight.append(area[picture])
    found, weights = np.concatenate(density), np.concatenate(weight)
    whole = face_normals(asset.vertices.astype(np.float64)[asset.faces])[1].sum()
    if weights.sum() <= whole / 2:
        return float("inf")
    order = np.argsort(found)
    middle = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
    return float(found[order][min(int(middle), len(order) - 1)])


def _textured(
    asset: Asset,
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float32] | None, NDArray[np.uint8]]]:
    """(areas, UVs, texels) of the faces of each textured material."""
    areas = face_normals(asset.vertices.astype(np.float64)[asset.faces])[1]
    for number, material in enumerate(asset.materials):
        own = asset.face_material == number
        if material.texture is not None and own.any():
            uvs = None if asset.uvs is None else asset.uvs[own]
            yield areas[own], uvs, texels(material.texture)


def _stretch(
    uvs: NDArray[np.float32], texture: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Texels along each face's longest edge in the picture, texels across it, and that edge's ends in UV."""
    height, width = texture.shape[:2]
    flat = np.asarray(uvs, np.float64) * (width, height)
    sides = np.roll(flat, -1, axis=1) - flat
    lengths = np.linalg.norm(sides, axis=2)
    longest = lengths.argmax(axis=1)
    rows = np.arange(len(flat))
    double = np.abs(sides[:, 0, 0] * sides[:, 1, 1] - sides[:, 0, 1] * sides[:, 1, 0])
    long = lengths[rows, longest]
    ends = np.stack([uvs[rows, longest], uvs[rows, (longest + 1) % 3]], axis=1).astype(np.float64)
    return long, double / np.maximum(long, 1e-30), ends


def _contrast(ends: NDArray[np.float64], texture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean change of colour from texel to texel along (s, 2, 2) segments, of 255."""
    if len(ends) == 0:
        return np.zeros(0)
    height, width = texture.shape[:2]
    direction = ends[:, 1] - ends[:, 0]
    texel = direction / np.linalg.norm(direction * (width, height), axis=1, keepdims=True)
    path = ends[:, :1] + np.arange(_ALONG)[:, None] * texel[:, None]
    colors = sample(texture, path)[..., :3].astype(np.float64)
    change: NDArray[np.float64] = np.abs(np.diff(colors, axis=1)).mean(axis=(1, 2))
    return change
