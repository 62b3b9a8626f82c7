"""The same shape is found again whatever its vertices' order, noise, tessellation, turn or colour."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from training.data.assets.duplicates import (
    DuplicateSettings,
    Match,
    Signature,
    find_duplicates,
    geometry_hash,
    integrals,
    turned,
)

Shape = tuple[NDArray[np.float64], NDArray[np.int64]]
GREY, RED = (128.0, 128.0, 128.0), (200.0, 0.0, 0.0)


def canonical(mesh: trimesh.Trimesh) -> Shape:
    points = mesh.vertices - mesh.bounds.mean(axis=0)
    return points * (1.92 / mesh.extents.max()), np.asarray(mesh.faces)


@pytest.fixture(scope="module")
def lamp() -> Shape:
    """Without any symmetry."""
    parts = [trimesh.creation.cylinder(0.1, 2.0), trimesh.creation.box((1.0, 0.5, 0.1))]
    parts.append(trimesh.creation.icosphere(2, 0.3).apply_translation((0.4, 0.1, 1.0)))
    return canonical(trimesh.util.concatenate(parts))


def shuffled(shape: Shape) -> Shape:
    vertices, faces = shape
    rng = np.random.default_rng(0)
    order = rng.permutation(len(vertices))
    where = np.argsort(order)
    noisy = vertices[order] + rng.normal(scale=2e-7, size=vertices.shape)
    return noisy, np.roll(where[rng.permutation(faces)], 1, axis=1)


def found(*shapes: Shape, colors: list[tuple[float, ...]] | None = None) -> list[Match]:
    colors = colors or [GREY] * len(shapes)
    meshes = {str(number): shape for number, shape in enumerate(shapes)}
    signatures = [
        Signature(key=key, integrals=integrals(*shape), color=color)
        for (key, shape), color in zip(meshes.items(), colors, strict=True)
    ]
    return find_duplicates(signatures, meshes.__getitem__, DuplicateSettings())


def test_the_hash_knows_neither_order_nor_noise_nor_tessellation(lamp: Shape) -> None:
    fine = trimesh.Trimesh(*lamp, process=False).subdivide()
    assert len({geometry_hash(*shape) for shape in (lamp, shuffled(lamp), (fine.vertices, fine.faces))}) == 1
    assert geometry_hash(*canonical(trimesh.creation.box((1, 2, 3)))) != geometry_hash(*lamp)


def test_integrals_are_exact_for_a_cube() -> None:
    values = integrals(*canonical(trimesh.creation.box()))
    square = (4 * 0.96**2 / 3 + 2 * 0.96**2) / 6  # mean of x squared: four sides and two ends
    assert np.allclose(values[:3], 1.92)
    assert np.allclose(values[3:6], 0)
    assert values[6] == pytest.approx(square)
    assert values[-1] == pytest.approx(np.sqrt(6) * 1.92)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_turned_copy_is_a_duplicate(lamp: Shape, quarters: int) -> None:
    vertices, faces = shuffled(lamp)
    (match,) = found(lamp, (turned(vertices, quarters), faces))
    assert (match.key, match.of, match.kind) == ("1", "0", "duplicate")
    assert (match.quarter_turns + quarters) % 4 == 0
    assert match.distance < 1e-5


def test_another_colour_is_a_variant_and_another_shape_nothing(lamp: Shape) -> None:
    vertices, faces = lamp
    bent = vertices + np.array([0, 0, 0.3]) * (vertices[:, :1] > 0.2)
    kinds = [match.kind for match in found(lamp, shuffled(lamp), (bent, faces), colors=[GREY, RED, GREY])]
    assert kinds == ["color_variant"]


def test_a_small_change_is_a_near_duplicate(lamp: Shape) -> None:
    vertices, faces = lamp
    dented = vertices + np.array([0.02, 0, 0]) * (vertices[:, 2:] > 0.85)
    assert [match.kind for match in found(lamp, (dented, faces))] == ["near_duplicate"]
