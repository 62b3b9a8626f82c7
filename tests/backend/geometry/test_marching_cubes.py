import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.measure import marching_cubes

from backend.geometry import cases
from backend.geometry.canonical import BOUNDS
from backend.geometry.closing import is_watertight
from backend.geometry.islands import parts
from backend.geometry.marching_cubes import CrossedCells, triangulate
from backend.geometry.mesh import Mesh


def crossed_cells(volume: NDArray[np.float32]) -> CrossedCells:
    n = len(volume) - 1
    ends = (slice(None, -1), slice(1, None))
    corners = np.stack([volume[x, y, z].reshape(-1) for x in ends for y in ends for z in ends], axis=1)
    inside = (corners > 0).sum(axis=1)
    index = np.flatnonzero((inside > 0) & (inside < 8))
    return CrossedCells(cells=n, index=index, corners=corners[index])


def closed(volume: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.pad(volume[1:-1, 1:-1, 1:-1], 1, constant_values=-1).astype(np.float32)


def smooth_noise(points: int) -> NDArray[np.float32]:
    waves = np.random.default_rng(5).normal(size=(40, 4)) * (4, 4, 4, 3)
    axis = np.linspace(-1, 1, points)
    at = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    return closed(np.cos(at @ waves[:, :3].T + waves[:, 3]).sum(axis=-1).astype(np.float32))


@pytest.mark.parametrize("seed", range(4))
def test_noise_gives_a_closed_manifold_in_every_case_of_signs(seed: int) -> None:
    volume = closed(np.random.default_rng(seed).normal(size=(20, 20, 20)).astype(np.float32))
    mesh = triangulate(crossed_cells(volume))
    assert is_watertight(mesh.faces)
    assert np.unique(mesh.faces).size == len(mesh.vertices)


def test_surface_is_that_of_scikit_image() -> None:
    volume = smooth_noise(40)
    mesh = triangulate(crossed_cells(volume))
    vertices, faces, _, _ = marching_cubes(volume, level=0.0, gradient_direction="ascent")
    theirs = Mesh(
        vertices=(vertices * (2 * BOUNDS / 39) - BOUNDS).astype(np.float32), faces=faces.astype(np.int32)
    )
    assert np.unique(parts(mesh.faces, len(mesh.vertices))).size == 3
    assert len(mesh.vertices) == pytest.approx(len(theirs.vertices), abs=5)
    assert mesh.signed_volume() == pytest.approx(theirs.signed_volume(), rel=2e-3)
    assert mesh.signed_volume() > 0


def test_each_crossed_edge_of_each_case_has_one_vertex_in_one_loop() -> None:
    starts, triangles = cases.table()
    for signs in range(256):
        used = triangles[starts[64 * signs] : starts[64 * signs + 1]]
        crossed = [e for e, (a, b) in enumerate(cases.EDGES) if signs >> a & 1 != signs >> b & 1]
        assert set(used.reshape(-1)) - {cases.CENTER} == set(crossed)


def test_no_chord_of_a_cell_lies_in_a_face_that_a_neighbour_shares() -> None:
    starts, triangles = cases.table()
    for case in range(len(starts) - 1):
        edges: dict[frozenset[int], int] = {}
        for triangle in triangles[starts[case] : starts[case + 1]].tolist():
            for side in range(3):
                pair = frozenset((triangle[side], triangle[side - 1]))
                edges[pair] = edges.get(pair, 0) + 1
        chords = [pair for pair, faces in edges.items() if faces == 2 and cases.CENTER not in pair]
        for a, b in chords:
            assert not any({*cases.EDGES[a], *cases.EDGES[b]} <= set(face) for face in cases.FACES)


def test_vertices_keep_off_grid_points_so_that_no_triangle_collapses() -> None:
    volume = np.full((4, 4, 4), -1, np.float32)
    volume[1:3, 1:3, 1:3] = 1e-12
    mesh = triangulate(crossed_cells(volume))
    corners = mesh.vertices[mesh.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    assert areas.min() > 1e-7
