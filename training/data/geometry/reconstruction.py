"""Surfaces read back: from the field of a mesh, and from nothing but the labelled queries of a product."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from backend.geometry.labels import MeshField
from backend.geometry.mesh import Mesh
from backend.geometry.surface import extract_surface
from training.data.geometry.step import Geometry

_NEIGHBOURS = 16
_RIDGE = 1e-3  # of the neighbours' spread, keeps the fit of points in a plane or on a line bounded


def from_field(field: MeshField, cells: int) -> Mesh:
    """The zero level of the field that a mesh's samples come from."""
    return extract_surface(lambda points: torch.from_numpy(-field.distance(points.numpy())), cells=cells)


def from_samples(geometry: Geometry, cells: int) -> Mesh:
    """The zero level of a field that is fitted to the queries: what a perfect decoder could know of a shape.

    At each point a linear function is fitted to its nearest queries, the nearer the heavier (moving least
    squares).
    """
    places = geometry.queries.astype(np.float64)
    tree = cKDTree(places)
    distances = geometry.distances.astype(np.float64)

    def fitted(points: torch.Tensor) -> torch.Tensor:
        asked = points.numpy().astype(np.float64)
        far, near = tree.query(asked, k=_NEIGHBOURS)
        return torch.from_numpy(-_fit(places[near] - asked[:, None], far, distances[near])).float()

    return extract_surface(fitted, cells=cells)


def _fit(
    offsets: NDArray[np.float64], far: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n,) value at 0 of linear functions through values (n, k) at offsets (n, k, 3), `far` away (n, k)."""
    reach = far[:, -1:] + 1e-9
    weight = (1 - 0.999 * far / reach) ** 2 / (1e-4 + np.square(far / reach))
    weight /= weight.sum(axis=1, keepdims=True)
    middle = np.einsum("nk,nkd->nd", weight, offsets)
    mean = np.einsum("nk,nk->n", weight, values)
    spread = (offsets - middle[:, None]) / reach[:, :, None]
    covariance = np.einsum("nk,nki,nkj->nij", weight, spread, spread)
    slope = np.einsum("nk,nki,nk->ni", weight, spread, values - mean[:, None])
    ridge = _RIDGE * np.trace(covariance, axis1=1, axis2=2)[:, None, None] * np.eye(3)
    gradient = np.linalg.solve(covariance + ridge, slope[:, :, None])[:, :, 0] / reach
    length = np.linalg.norm(gradient, axis=1, keepdims=True)
    gradient /= np.maximum(length, 1.0)  # distances never change faster than place
    value: NDArray[np.float64] = mean - np.einsum("nd,nd->n", gradient, middle)
    # Distances change no faster than place, so every query bounds what is true here.
    least, most = (values - far).max(axis=1), (values + far).min(axis=1)
    return np.where(least < most, np.clip(value, least, most), value)
