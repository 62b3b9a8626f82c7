"""Objects modelled with a front and a back face everywhere become one surface."""

from __future__ import annotations

import numpy as np
import trimesh

from training.data.assets.sides import one_sided


def test_a_doubled_ball_becomes_a_ball_that_looks_outward() -> None:
    ball = trimesh.creation.icosphere(1)
    rng = np.random.default_rng(0)
    faces = rng.permutation(np.concatenate([ball.faces, np.roll(ball.faces[:, ::-1], 1, axis=1)]))
    kept, turned = one_sided(np.asarray(ball.vertices), faces)
    faces = np.where(turned[:, None], faces[:, ::-1], faces)[kept]
    assert len(faces) == len(ball.faces)
    assert trimesh.Trimesh(ball.vertices, faces).volume > 3.5


def test_other_surfaces_stay_as_they_are() -> None:
    ball = trimesh.creation.icosphere(1)
    inside_out = ball.faces[:, ::-1]
    for faces in (ball.faces, inside_out, np.concatenate([ball.faces, ball.faces]), np.array([[0, 0, 1]])):
        kept, turned = one_sided(np.asarray(ball.vertices), np.asarray(faces))
        assert kept.all()
        assert not turned.any()


def test_solids_that_touch_keep_the_faces_between_them() -> None:
    box = trimesh.creation.box()
    pair = trimesh.util.concatenate([box, box.copy().apply_translation((1, 0, 0))])
    kept, turned = one_sided(np.asarray(pair.vertices), np.asarray(pair.faces))
    assert kept.all()
    assert not turned.any()


def test_a_doubled_sheet_becomes_one_sheet() -> None:
    sheet = np.array([[0, 1, 2], [2, 1, 3]])
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], float)
    kept, _ = one_sided(points, np.concatenate([sheet, sheet[:, ::-1]]))
    assert kept.tolist() == [True, True, False, False]
