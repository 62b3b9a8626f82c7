"""Colours of vertices from pictures of the views."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from backend.geometry.cameras import CANONICAL, place
from backend.geometry.projection import NEUTRAL, filled, project, vertex_normals
from backend.sequence import VIEWS

SIZE = 64
RED, BLUE = (200, 40, 40), (40, 40, 200)


def square(color: tuple[int, int, int], half: int = 24) -> np.ndarray:
    """A square on white."""
    picture = np.full((SIZE, SIZE, 4), 255, np.uint8)
    picture[32 - half : 32 + half, 32 - half : 32 + half, :3] = color
    return picture


def box(side: float = 1.0) -> trimesh.Trimesh:
    made = trimesh.creation.box((side, side, side))
    for _ in range(4):
        made = made.subdivide()
    return made


def hue(colors: np.ndarray) -> np.ndarray:
    return np.argmax(colors[:, :3], axis=1)


def test_the_views_are_those_that_models_know() -> None:
    assert tuple(CANONICAL) == VIEWS
    front = place(CANONICAL["front"])
    assert front.eye[1] < -3
    np.testing.assert_allclose(front.axes, [[1, 0, 0], [0, 0, 1], [0, -1, 0]], atol=1e-12)


def test_each_side_takes_the_picture_that_shows_it() -> None:
    made = box()
    colors = project(made.vertices, made.faces, {"front": square(RED), "back": square(BLUE)})
    front, back = made.vertices[:, 1] < -0.49, made.vertices[:, 1] > 0.49
    inner = np.abs(made.vertices[:, [0, 2]]).max(axis=1) < 0.45
    assert (hue(colors[front & inner]) == 0).all()
    assert (hue(colors[back & inner]) == 2).all()
    assert (colors[:, 3] == 255).all()


def test_what_is_hidden_takes_no_colour_from_what_hides_it() -> None:
    near, wall = box(0.4), box(0.9)
    near.apply_translation((0, -0.8, 0))
    picture = square(BLUE, 15)
    picture[27:37, 27:37, :3] = RED  # as far as the near box reaches, nearly
    both = trimesh.util.concatenate([near, wall])
    behind = (np.abs(both.vertices[:, 1] + 0.45) < 0.01) & (
        np.abs(both.vertices[:, [0, 2]]).max(axis=1) < 0.15
    )
    front = (np.abs(both.vertices[:, 1] + 1.0) < 0.01) & (np.abs(both.vertices[:, [0, 2]]).max(axis=1) < 0.15)
    colors = project(both.vertices, both.faces, {"front": picture})
    assert behind.sum() > 10
    assert (hue(colors[behind]) == 2).all()
    assert (hue(colors[front]) == 0).all()


def test_left_and_right_are_not_exchanged() -> None:
    made = box()
    half = square(RED)
    half[:, SIZE // 2 :, :3] = np.where(half[:, SIZE // 2 :, :3] == 255, 255, np.array(BLUE))
    colors = project(made.vertices, made.faces, {"front": half})
    front = (made.vertices[:, 1] < -0.49) & (np.abs(made.vertices[:, 2]) < 0.4)
    x = made.vertices[:, 0]
    assert (hue(colors[front & (x < -0.1) & (x > -0.4)]) == 0).all()
    assert (hue(colors[front & (x > 0.1) & (x < 0.4)]) == 2).all()


def test_ground_is_no_colour() -> None:
    made = box()
    blank = np.full((SIZE, SIZE, 4), 255, np.uint8)
    assert (project(made.vertices, made.faces, {"front": blank}) == NEUTRAL).all()


def test_unknown_vertices_take_after_the_nearest_that_faces_alike() -> None:
    points = np.array([[0.0, 0, 0], [0.1, 0, 0], [0.2, 0, 0]])
    normals = np.array([[0.0, 0, 1], [0, 0, -1], [0, 0, -1]])
    colors = np.array([[9, 9, 9, 255], [0, 0, 0, 0], [5, 5, 5, 255]], np.uint8)
    out = filled(points, normals, colors, np.array([True, False, True]))
    assert out[:, 0].tolist() == [9, 5, 5]


def test_normals_look_outward() -> None:
    ball = trimesh.creation.icosphere()
    normals = vertex_normals(ball.vertices, ball.faces)
    np.testing.assert_allclose(normals, ball.vertices, atol=0.03)


def test_an_unknown_view_is_an_error() -> None:
    made = box()
    with pytest.raises(KeyError, match="above"):
        project(made.vertices, made.faces, {"above": square(RED)})
