"""Base colour at points of an asset's surface: from the texture where there is one, else as baked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.assets.asset import Asset
from training.data.assets.materials import linear, sample, srgb, texels

UNKNOWN = (230, 225, 216)  # clay, where an asset has no colour


def surface_colors(asset: Asset, points: NDArray[Any], face: NDArray[np.int64]) -> NDArray[np.uint8]:
    """(n, 3) sRGB at points (n, 3) of these faces (n,) of the asset."""
    weights = _barycentric(asset.vertices[asset.faces[face]].astype(np.float64), np.asarray(points))
    if asset.colors is None:
        colors = np.tile(np.array(UNKNOWN, np.uint8), (len(points), 1))
    else:
        baked = asset.colors[asset.faces[face], :3].astype(np.float64)
        colors = np.round(np.einsum("nk,nkc->nc", weights, baked)).astype(np.uint8)
    if asset.uvs is None:
        return colors
    uvs = np.einsum("nk,nkd->nd", weights, asset.uvs[face])
    for number, material in enumerate(asset.materials):
        own = asset.face_material[face] == number
        if material.texture is not None and own.any():
            light = linear(sample(texels(material.texture), uvs[own])[:, :3] / 255)
            colors[own] = np.round(srgb(light * material.base_color[:3]) * 255).astype(np.uint8)
    return colors


def _barycentric(triangles: NDArray[np.float64], points: NDArray[Any]) -> NDArray[np.float64]:
    """(n, 3) weights of the corners of triangles (n, 3, 3), none negative."""
    origin = triangles[:, 0]
    u, v, p = triangles[:, 1] - origin, triangles[:, 2] - origin, points - origin
    uu, uv, vv, pu, pv = (np.einsum("ij,ij->i", a, b) for a, b in ((u, u), (u, v), (v, v), (p, u), (p, v)))
    area = np.maximum(uu * vv - uv * uv, 1e-30)
    second, third = (vv * pu - uv * pv) / area, (uu * pv - uv * pu) / area
    weights = np.clip(np.stack([1 - second - third, second, third], axis=1), 0.0, 1.0)
    total: NDArray[np.float64] = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
    return total
