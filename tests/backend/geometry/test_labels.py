from collections.abc import Callable

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

pytest.importorskip("igl")

from backend.geometry.labels import exposed, label_points

Points = NDArray[np.float64]
Distance = Callable[[Points], NDArray[np.float64]]
QUERIES = np.random.default_rng(0).uniform(-1.05, 1.05, (8000, 3))
HALF = np.array([0.5, 0.6, 0.7])


def ball(radius: float, center: tuple[float, float, float] = (0, 0, 0)) -> Distance:
    return lambda q: np.linalg.norm(q - center, axis=1) - radius


def box(q: Points) -> NDArray[np.float64]:
    d = np.abs(q) - HALF
    return np.linalg.norm(np.maximum(d, 0), axis=1) + np.minimum(d.max(axis=1), 0)


def torus(q: Points) -> NDArray[np.float64]:
    return np.hypot(np.hypot(q[:, 0], q[:, 1]) - 0.6, q[:, 2]) - 0.25


def ball_mesh(
    radius: float = 0.8, center: tuple[float, float, float] = (0, 0, 0), inverted: bool = False
) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(3, radius)
    mesh.apply_translation(center)
    if inverted:
        mesh.invert()
    return mesh


def every_third_face_turned() -> trimesh.Trimesh:
    mesh = ball_mesh()
    turned = (np.arange(len(mesh.faces)) % 3 == 0)[:, None]
    return trimesh.Trimesh(mesh.vertices, np.where(turned, mesh.faces[:, ::-1], mesh.faces), process=False)


def without_a_face(mesh: trimesh.Trimesh, face: int = 3) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, np.delete(mesh.faces, face, axis=0), process=False)


def split_at_every_corner(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(
        mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3), process=False
    )


BOX = trimesh.creation.box(2 * HALF)
RING = trimesh.creation.torus(0.6, 0.25, 96, 48)
SOLIDS = {
    "sphere": (ball_mesh(), ball(0.8)),
    "box": (BOX, box),
    "torus": (RING, torus),
    "inside out": (ball_mesh(inverted=True), ball(0.8)),
    "mixed sides": (every_third_face_turned(), ball(0.8)),
    "soup": (split_at_every_corner(BOX), box),
    "overlapping parts": (
        ball_mesh(0.5, (0.2, 0, 0)) + ball_mesh(0.5, (-0.2, 0, 0)),
        lambda q: np.minimum(ball(0.5, (0.2, 0, 0))(q), ball(0.5, (-0.2, 0, 0))(q)),
    ),
    "one part inside out": (
        ball_mesh(0.4, (0.5, 0, 0)) + ball_mesh(0.3, (-0.5, 0, 0), inverted=True),
        lambda q: np.minimum(ball(0.4, (0.5, 0, 0))(q), ball(0.3, (-0.5, 0, 0))(q)),
    ),
    "closed cavity, filled": (ball_mesh() + ball_mesh(0.4, inverted=True), ball(0.8)),
    "sphere less a face": (without_a_face(ball_mesh()), ball(0.8)),
    "box less a face": (without_a_face(BOX), box),
    "torus less a face": (without_a_face(RING), torus),
}  # fmt: skip


@pytest.mark.parametrize("name", SOLIDS)
def test_signs_agree_with_the_analytic_solid(name: str) -> None:
    mesh, exact = SOLIDS[name]
    expected = exact(QUERIES)
    labels = label_points(mesh.vertices, mesh.faces, QUERIES)
    clear = np.abs(expected) > 0.006  # beyond the facets' departure from the curved solid
    assert ((labels < 0) == (expected < 0))[clear].mean() > 0.999


def test_distances_are_exact_for_flat_faces() -> None:
    np.testing.assert_allclose(label_points(BOX.vertices, BOX.faces, QUERIES), box(QUERIES), atol=1e-6)


@pytest.mark.parametrize("back_to_back", [False, True])
def test_sheets_become_slabs_and_leave_the_solid_alone(back_to_back: bool) -> None:
    corners = np.array([[-0.9, -0.9, 0.9], [0.9, -0.9, 0.9], [0.9, 0.9, 0.9], [-0.9, 0.9, 0.9]])
    sheet = np.array([[0, 1, 2], [0, 2, 3]])
    if back_to_back:
        sheet = np.concatenate([sheet, sheet[:, ::-1]])
    vertices, faces = trimesh.util.append_faces([BOX.vertices, corners], [BOX.faces, sheet])
    beyond = np.maximum(np.abs(QUERIES - [0, 0, 0.9]) - [0.9, 0.9, 0], 0)
    slab = np.linalg.norm(beyond, axis=1) - 0.05
    labels = label_points(vertices, faces, QUERIES, min_thickness=0.1)
    np.testing.assert_allclose(labels, np.minimum(box(QUERIES), slab), atol=1e-6)
    assert (label_points(vertices, faces, QUERIES)[box(QUERIES) > 0] >= 0).all()


def test_solids_that_touch_are_one() -> None:
    """Their common wall bounds nothing, and distances do not know of it."""
    shifted = HALF * [2, 0, 0]
    two = trimesh.util.concatenate(
        [trimesh.creation.box(2 * HALF).apply_translation(side * shifted / 2) for side in (1, -1)]
    )
    queries = QUERIES * [1.0, 0.9, 0.9]
    d = np.abs(queries) - HALF * [2, 1, 1]
    exact = np.linalg.norm(np.maximum(d, 0), axis=1) + np.minimum(d.max(axis=1), 0)
    np.testing.assert_allclose(label_points(two.vertices, two.faces, queries), exact, atol=1e-6)


def test_a_sheet_for_both_sides_within_a_frame_stays() -> None:
    """As the glass of a lid; its rim shares the edges of the frame."""
    frame = trimesh.creation.annulus(0.6, 0.9, 0.2, sections=24)
    inner = np.flatnonzero((np.hypot(*frame.vertices[:, :2].T) < 0.7) & (frame.vertices[:, 2] > 0))
    inner = inner[np.argsort(np.arctan2(*frame.vertices[inner, :2].T))]
    fan = np.array([(len(frame.vertices), a, b) for a, b in zip(inner, np.roll(inner, 1), strict=True)])
    vertices = np.concatenate([frame.vertices, [[0, 0, 0.1]]])
    faces = np.concatenate([frame.faces, fan, fan[:, ::-1]])
    labels = label_points(vertices, faces, QUERIES, min_thickness=0.1)
    within = np.hypot(QUERIES[:, 0], QUERIES[:, 1]) < 0.5
    height = np.abs(QUERIES[within, 2] - 0.1)
    clear = np.abs(height - 0.05) > 1e-3
    assert ((labels[within] < 0) == (height < 0.05))[clear].all()


@pytest.mark.parametrize("sides", [1, 2])
def test_open_boxes_are_closed_by_flat_caps_of_which_distances_know(sides: int) -> None:
    height = BOX.face_normals[:, 2]
    walls = BOX.faces[(height > -0.5) if sides == 1 else (np.abs(height) < 0.5)]
    np.testing.assert_allclose(label_points(BOX.vertices, walls, QUERIES), box(QUERIES), atol=1e-6)


def test_openings_that_bend_in_get_no_cap_outside() -> None:
    """The fan of an L's rim leaves the L; what lies outside bounds nothing."""
    ell = np.array([[0, 0], [0.9, 0], [0.9, 0.3], [0.3, 0.3], [0.3, 0.9], [0, 0.9]]) - 0.45
    low, high = (np.column_stack([ell, np.full(6, z)]) for z in (-0.4, 0.4))
    walls = [((i, j, i + 6), (j, j + 6, i + 6)) for i, j in zip(range(6), [1, 2, 3, 4, 5, 0], strict=True)]
    queries = QUERIES[(np.abs(QUERIES[:, :2]) < 0.44).all(axis=1) & (np.abs(QUERIES[:, 2]) < 0.5)]
    labels = label_points(np.concatenate([low, high]), np.array(walls).reshape(-1, 3), queries)
    across = ((queries[:, :2] < -0.15).any(axis=1)) & (np.abs(queries[:, 2]) < 0.4)
    assert ((labels < 0) == across).mean() > 0.999
    notch = (queries[:, :2] > 0.05).all(axis=1)
    assert labels[notch].min() > 0.1


def test_buried_surface_points_are_told_from_the_skin() -> None:
    left, right = (-0.2, 0.0, 0.0), (0.2, 0.0, 0.0)
    mesh = ball_mesh(0.5, left) + ball_mesh(0.5, right)
    points = mesh.vertices
    clear = np.abs(ball(0.5, left)(points)) + np.abs(ball(0.5, right)(points)) > 0.02
    skin = np.minimum(ball(0.5, left)(points), ball(0.5, right)(points)) > -0.01
    assert (exposed(mesh.vertices, mesh.faces, points) == skin)[clear].all()


def test_mesh_without_area_is_refused() -> None:
    with pytest.raises(ValueError, match="without area"):
        label_points(np.zeros((3, 3)), np.array([[0, 1, 2]]), QUERIES)
