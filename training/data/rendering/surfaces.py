"""What is drawn: the corners of triangles with normals, base colours and UVs, grouped by texture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.geometry.mesh import Mesh
from backend.geometry.orientation import weld
from backend.geometry.sampling import face_normals
from training.data.assets.asset import Asset
from training.data.assets.materials import srgb, texels

SHARP = 35.0  # degrees between faces from which their edge shows as an edge
CLAY = (230, 224, 216)  # sRGB, of what has no colour
THINNEST = 0.3  # least opacity of a material that is not cut out by its texture: glass must show
# As the rasteriser's buffer holds a corner.
CORNER = np.dtype(
    [
        ("position", np.float32, 3),
        ("normal", np.float16, 4),
        ("color", np.uint8, 4),  # sRGB, opacity
        ("surface", np.uint8, 4),  # roughness, metallic
        ("uv", np.float32, 2),  # v downward, as rows of a picture go
    ]
)


@dataclass(frozen=True, kw_only=True)
class Surface:
    """Triangles in drawing order: without a texture first, then texture by texture."""

    corners: NDArray[Any]  # (3m,) CORNER
    counts: tuple[int, ...]  # corners without a texture, then of each texture
    textures: tuple[NDArray[np.uint8], ...]  # (h, w, 4) sRGB, top row first

    @property
    def faces(self) -> int:
        return len(self.corners) // 3


def of_mesh(mesh: Mesh, colors: NDArray[np.uint8] | None = None) -> Surface:
    """colors: (m, 3) sRGB of the faces; the vertices' own without, else clay."""
    kept = _distinct(mesh.vertices, mesh.faces)
    corners = _shaped(mesh.vertices, mesh.faces[kept])
    if colors is not None:
        corners["color"][:, :3] = np.repeat(colors[kept], 3, axis=0)
    else:
        corners["color"][:, :3] = CLAY if mesh.colors is None else mesh.colors[mesh.faces[kept].ravel(), :3]
    corners["color"][:, 3] = 255
    corners["surface"] = (178, 0, 0, 0)
    return Surface(corners=corners, counts=(len(corners),), textures=())


def of_asset(asset: Asset) -> Surface:
    """Textures where an asset has them, elsewhere the colours baked into its vertices."""
    kept = np.flatnonzero(_distinct(asset.vertices, asset.faces))
    textured = np.array([m.texture is not None and asset.uvs is not None for m in asset.materials])
    rank = np.where(textured, np.cumsum(textured), 0)[asset.face_material[kept]]
    kept, rank = kept[np.argsort(rank, kind="stable")], np.sort(rank, kind="stable")
    corners = _shaped(asset.vertices, asset.faces[kept])
    material = np.repeat(asset.face_material[kept], 3)
    corners["color"] = _base_colors(asset, kept, material, np.repeat(rank > 0, 3))
    surfaces = [[round(255 * m.roughness), round(255 * m.metallic), 0, 0] for m in asset.materials]
    corners["surface"] = np.array(surfaces, np.uint8)[material]
    if textured.any():
        assert asset.uvs is not None
        u, v = np.nan_to_num(asset.uvs[kept].reshape(-1, 2)).T
        corners["uv"] = np.stack([u, 1 - v], axis=1)
    counts = np.bincount(rank, minlength=int(textured.sum()) + 1) * 3
    textures = [texels(m.texture) for m, t in zip(asset.materials, textured, strict=True) if t and m.texture]
    return Surface(corners=corners, counts=tuple(counts.tolist()), textures=tuple(textures))


def _base_colors(
    asset: Asset, kept: NDArray[Any], material: NDArray[Any], textured: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """(3m, 4) sRGB: the material's factor where a texture is, the baked colour elsewhere."""
    factors = np.clip(np.array([m.base_color for m in asset.materials]), 0.0, 1.0)
    opacity = np.maximum(factors[:, 3:], THINNEST)
    table = np.round(255 * np.concatenate([srgb(factors[:, :3]), opacity], axis=1)).astype(np.uint8)
    own = table[material]
    if asset.colors is None:
        return np.where(textured[:, None], own, np.array([*CLAY, 255], np.uint8))
    baked = asset.colors[asset.faces[kept].ravel()].copy()
    baked[:, 3] = np.maximum(baked[:, 3], round(255 * THINNEST))
    return np.where(textured[:, None], own, baked)


def _shaped(vertices: NDArray[Any], faces: NDArray[Any]) -> NDArray[Any]:
    """(3m,) CORNER with positions and normals of faces whose corners are distinct."""
    corners = np.zeros(3 * len(faces), CORNER)
    if len(faces):
        places, welded = weld(vertices, faces)
        corners["position"] = vertices[faces.ravel()]
        normals = corner_normals(places, welded).reshape(-1, 3)
        corners["normal"][:, :3] = normals
    return corners


def _distinct(vertices: NDArray[Any], faces: NDArray[Any]) -> NDArray[np.bool_]:
    """(m,) faces whose corners `weld` keeps apart, so that colours stay with their faces."""
    if len(faces) == 0:
        return np.zeros(0, np.bool_)
    points = np.ascontiguousarray(vertices, np.float64)
    cells = np.round(points / (max(float(np.ptp(points, axis=0).max()), 1e-30) * 1e-6))[faces]
    apart: NDArray[np.bool_] = (cells != np.roll(cells, 1, axis=1)).any(axis=2).all(axis=1)
    return apart


def corner_normals(vertices: NDArray[Any], faces: NDArray[Any], sharp: float = SHARP) -> NDArray[np.float64]:
    """Unit normals (m, 3, 3) of the corners of a welded mesh: smooth, but not over `sharp` edges.

    A corner's normal is the area-weighted mean over the faces at its vertex that turn less than `sharp`
    from its own face.
    """
    unit, area = face_normals(np.asarray(vertices, np.float64)[faces])
    vertex = np.asarray(faces, np.int64).ravel()
    order = np.argsort(vertex, kind="stable")
    around = np.bincount(vertex)[vertex[order]]  # corners at the vertex of each corner
    first = np.searchsorted(vertex[order], vertex[order])
    own = np.repeat(np.arange(len(order)), around)
    rank = np.arange(len(own)) - np.repeat(np.cumsum(around) - around, around)
    face, other = order[own] // 3, order[first[own] + rank] // 3
    near = np.einsum("ij,ij->i", unit[face], unit[other]) > np.cos(np.radians(sharp))
    pull = unit[other] * (area[other] * near)[:, None]
    sums = np.stack(
        [np.bincount(order[own], pull[:, axis], minlength=len(order)) for axis in range(3)], axis=1
    )
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.divide(sums, length, out=np.repeat(unit, 3, axis=0), where=length > 0).reshape(-1, 3, 3)
