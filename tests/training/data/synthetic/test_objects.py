"""Labels, frame and reproducibility of generated objects."""

from __future__ import annotations

import igl
import numpy as np
import pytest

from training.data.synthetic import FAMILIES, SyntheticObject, generate

EVERY_FAMILY = sorted(FAMILIES)


def queries(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1.05, 1.05, (n, 3)).astype(np.float32)


def deepest(example: SyntheticObject, part: int) -> float:
    """Diameter of the largest ball found inside a part."""
    primitive = example.parts[part].primitive
    high, low = primitive.support(np.eye(3)), -primitive.support(-np.eye(3))
    points = (low + np.random.default_rng(0).random((3000, 3)) * (high - low)).astype(np.float32)
    return float(-2 * primitive.signed_distance(points).min())


def test_there_are_enough_families() -> None:
    assert len(FAMILIES) >= 32


def test_the_same_seed_gives_the_same_object() -> None:
    first, second = generate(12), generate(12)
    assert first.captions == second.captions
    assert first.attributes == second.attributes
    assert np.array_equal(first.to_mesh().vertices, second.to_mesh().vertices)
    assert generate(13).captions != first.captions


def test_unknown_family_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="submarine"):
        generate(0, "submarine")


@pytest.mark.parametrize("family", EVERY_FAMILY)
def test_objects_are_canonical_and_no_part_is_thin(family: str) -> None:
    for seed in range(20):
        example = generate(seed, family)
        vertices = example.to_mesh().vertices
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        assert (high - low).max() == pytest.approx(1.92, abs=6e-3)  # round parts are faceted in meshes
        assert np.abs(high + low).max() < 6e-3
        if seed % 5 == 0:
            assert min(deepest(example, k) for k in range(len(example.parts))) > 0.05


@pytest.mark.parametrize("family", EVERY_FAMILY)
def test_occupancy_agrees_with_distance_and_with_the_mesh(family: str) -> None:
    points = queries(6000)
    for seed in (1, 2):
        example = generate(seed, family)
        filled = example.occupancy(points)
        assert np.array_equal(filled, example.signed_distance(points) <= 0)
        mesh = example.to_mesh()
        winding = igl.fast_winding_number(
            mesh.vertices.astype(np.float64), mesh.faces.astype(np.int64), points.astype(np.float64)
        )
        assert ((winding > 0.5) == filled).mean() > 0.995


@pytest.mark.parametrize("family", EVERY_FAMILY)
def test_samples_lie_on_the_outer_surface_and_normals_point_out(family: str) -> None:
    example = generate(3, family)
    points, normals, colors = example.sample_surface(2048, np.random.default_rng(0))
    assert points.shape == normals.shape == colors.shape == (2048, 3)
    assert (points.dtype, normals.dtype, colors.dtype) == (np.float32, np.float32, np.uint8)
    assert np.abs(example.signed_distance(points)).max() < 2e-3
    assert np.allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
    assert example.occupancy(points - 0.004 * normals).mean() > 0.97
    assert example.occupancy(points + 0.004 * normals).mean() < 0.04


def test_culled_distance_equals_the_minimum_over_parts() -> None:
    example, points = generate(5, "robot"), queries(2000)
    distances = [part.primitive.signed_distance(part.to_local(points)) for part in example.parts]
    outside = ~example.occupancy(points)
    assert np.allclose(
        example.signed_distance(points)[outside], np.min(distances, axis=0)[outside], atol=1e-5
    )
