"""Shapes with known insides, to compare reconstructions with: meshes of a corpus and procedural objects."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.geometry import canonical
from backend.geometry.labels import exposed, label_points
from backend.geometry.mesh import Mesh
from backend.geometry.sampling import sample_surface
from training.data import corpus
from training.data.geometry.settings import GeometrySettings
from training.data.synthetic import generate

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class KnownShape:
    """A shape in the canonical frame, Z up."""

    name: str
    group: str  # category of the corpus or family of the generator
    mesh: Mesh
    points: Floats  # (n, 3) on its outer surface, shuffled: any slice is a sample
    normals: Floats  # (n, 3)
    distance: Callable[[Floats], Floats]  # signed, negative inside


def corpus_shapes(root: Path, entries: list[corpus.CorpusEntry], n_points: int) -> Iterator[KnownShape]:
    """Normalised meshes labelled by winding numbers, sheets as slabs of the thickness training gives them."""
    thickness = GeometrySettings().sheet_thickness
    for entry, mesh, _ in corpus.read_meshes(root, entries):
        vertices = canonical.fit(mesh.vertices).to_canonical(mesh.vertices).astype(np.float32)
        points, normals = _outer_points(vertices, mesh.faces, n_points, _generator(entry.id))
        yield KnownShape(
            name=entry.name,
            group=entry.category,
            mesh=Mesh(vertices=vertices, faces=mesh.faces),
            points=points,
            normals=normals,
            distance=partial(label_points, vertices, mesh.faces, min_thickness=thickness),
        )


def procedural_shapes(seeds: range, n_points: int) -> Iterator[KnownShape]:
    """Objects of the generator, labelled exactly."""
    for seed in seeds:
        shape = generate(seed)
        points, normals, _ = shape.sample_surface(n_points, np.random.default_rng((seed, 3)))
        yield KnownShape(
            name=shape.captions[len(shape.captions) // 2],
            group=shape.family,
            mesh=shape.to_mesh(),
            points=points,
            normals=normals,
            distance=shape.signed_distance,
        )


def _outer_points(
    vertices: NDArray[Any], faces: NDArray[Any], n: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Points and normals that no other part buries; all alike where every face is buried."""
    points, normals, _ = sample_surface(vertices, faces, 2 * n, rng)
    kept = np.flatnonzero(exposed(vertices, faces, points))
    if len(kept) == 0:
        kept = np.arange(len(points))
    chosen = kept[:n] if len(kept) >= n else rng.choice(kept, size=n)
    return points[chosen], normals[chosen]


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[8:16], "little"))
