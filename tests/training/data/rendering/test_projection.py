"""Pictures of the studio laid back onto what they show."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from backend.geometry.mesh import Mesh
from backend.geometry.projection import project
from training.data.rendering.cameras import CANONICAL
from training.evaluation.render import render_views

pytestmark = pytest.mark.usefixtures("graphics")


def test_six_views_of_a_painted_ball_give_its_paint_back() -> None:
    ball = trimesh.creation.icosphere(subdivisions=5, radius=0.9)
    mesh = Mesh(vertices=np.asarray(ball.vertices, np.float32), faces=np.asarray(ball.faces, np.int32))
    paint = np.array([[200, 60, 50], [60, 90, 200], [235, 235, 230]], np.uint8)
    height = mesh.vertices[:, 2]
    of_vertex = np.digitize(height, [-0.3, 0.3])
    of_face = np.digitize(height[mesh.faces].mean(axis=1), [-0.3, 0.3])
    pictures = render_views(mesh, list(CANONICAL.values()), 128, colors=paint[of_face])
    colors = project(mesh.vertices, mesh.faces, dict(zip(CANONICAL, pictures, strict=True)))
    away = np.abs(np.abs(height) - 0.3) > 0.05
    off = np.abs(colors[:, :3].astype(int) - paint[of_vertex]).max(axis=1)
    assert np.median(off[away]) <= 6
    assert np.quantile(off[away], 0.95) <= 25
