"""Each primitive: distance, samples, area, mesh and support agree with one another."""

from __future__ import annotations

import igl
import numpy as np
import pytest

from training.data.synthetic.primitives import Box, Capsule, Ellipsoid, Primitive, Torus
from training.data.synthetic.swept import Convex, Extrusion, Lathe, triangulate

MUG = ((0, 0), (0.5, 0), (0.6, 0.8), (0.5, 0.8), (0.4, 0.1), (0, 0.1))
PRIMITIVES: dict[str, Primitive] = {
    "box": Box(half=(0.3, 0.5, 0.2)),
    "rounded box": Box(half=(0.3, 0.5, 0.2), rounding=0.1),
    "ellipsoid": Ellipsoid(radii=(0.3, 0.5, 0.7)),
    "capsule": Capsule(half_length=0.4, radius=0.2),
    "torus": Torus(major=0.6, minor=0.15),
    "arc": Torus(major=0.6, minor=0.15, arc=1.2),
    "lathe": Lathe(profile=MUG),
    "hexagonal lathe": Lathe(profile=MUG, sides=6),
    "extrusion": Extrusion(outline=((0, 0), (0.6, 0), (0.6, 0.6), (0.3, 0.2), (0, 0.6)), half_height=0.2),
    "convex": Convex(corners=((-0.5, -0.5, 0), (0.5, -0.5, 0), (0.5, 0.5, 0), (-0.5, 0.5, 0), (0, 0, 0.9))),
}


@pytest.fixture(params=sorted(PRIMITIVES))
def primitive(request: pytest.FixtureRequest) -> Primitive:
    return PRIMITIVES[request.param]


def test_samples_have_zero_distance_and_outward_normals(primitive: Primitive) -> None:
    points, normals = primitive.sample_surface(2000, np.random.default_rng(0))
    assert np.abs(primitive.signed_distance(points)).max() < 1e-4
    assert (primitive.signed_distance(points + 1e-3 * normals) > 0).mean() > 0.98
    assert primitive.inside(points - 1e-3 * normals).mean() > 0.99


def test_distance_never_exceeds_that_to_the_nearest_sample(primitive: Primitive) -> None:
    if isinstance(primitive, Ellipsoid):
        pytest.skip("its distance is first order")
    surface, _ = primitive.sample_surface(8000, np.random.default_rng(1))
    points = np.random.default_rng(2).uniform(-1, 1, (300, 3)).astype(np.float32)
    nearest = np.linalg.norm(points[:, None] - surface[None], axis=2).min(axis=1)
    assert (np.abs(primitive.signed_distance(points)) <= nearest + 1e-4).all()


def test_mesh_is_closed_outward_and_encloses_the_inside(primitive: Primitive) -> None:
    vertices, faces = primitive.to_mesh()
    points = np.random.default_rng(3).uniform(-0.9, 0.9, (6000, 3)).astype(np.float32)
    winding = igl.fast_winding_number(
        vertices.astype(np.float64), faces.astype(np.int64), points.astype(np.float64)
    )
    assert ((winding > 0.5) == primitive.inside(points)).mean() > 0.997
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    directed = {tuple(edge) for edge in edges.tolist()}
    assert all((b, a) in directed for a, b in directed)


def test_area_is_that_of_the_mesh(primitive: Primitive) -> None:
    vertices, faces = primitive.to_mesh()
    corners = vertices[faces]
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert primitive.area == pytest.approx(np.linalg.norm(crosses, axis=1).sum() / 2, rel=0.03)


def test_support_bounds_the_samples_tightly(primitive: Primitive) -> None:
    points, _ = primitive.sample_surface(20000, np.random.default_rng(4))
    directions = np.random.default_rng(5).standard_normal((8, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    reached = (points @ directions.T).max(axis=0)
    support = primitive.support(directions)
    assert (reached <= support + 1e-4).all()
    assert (reached > support - 0.05).all()


def test_scaling_scales_distances(primitive: Primitive) -> None:
    points = np.random.default_rng(6).uniform(-0.8, 0.8, (200, 3)).astype(np.float32)
    doubled = primitive.scaled(2.0).signed_distance(2 * points)
    assert np.allclose(doubled, 2 * primitive.signed_distance(points), atol=1e-4)


def test_thin_solids_are_thickened() -> None:
    assert min(Box(half=(1, 0.001, 1)).thickened(0.06).half) == pytest.approx(0.03)
    assert Capsule(half_length=1, radius=0.01).thickened(0.06).radius == pytest.approx(0.03)
    assert Torus(major=1, minor=0.01).thickened(0.06).minor == pytest.approx(0.03)


def test_triangulation_keeps_the_area_and_refuses_clockwise_outlines() -> None:
    star = np.array(
        [(np.cos(a) * r, np.sin(a) * r) for a, r in zip(np.arange(10) * np.pi / 5, [1, 0.4] * 5, strict=True)]
    )
    a, b, c = (star[triangulate(star)[:, k]] for k in range(3))
    areas = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert areas.sum() == pytest.approx(10 * 0.5 * 0.4 * np.sin(np.pi / 5))
    with pytest.raises(ValueError, match="counter-clockwise"):
        triangulate(star[::-1])
