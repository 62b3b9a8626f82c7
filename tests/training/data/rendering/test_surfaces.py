"""Corners of triangles: normals, colours and textures as they are drawn."""

from __future__ import annotations

import numpy as np
import trimesh

from training.data.rendering.surfaces import corner_normals

BOX = trimesh.creation.box(extents=(1.0, 1.0, 1.92))
SPHERE = trimesh.creation.icosphere(subdivisions=3)


def test_normals_are_smooth_on_a_sphere_and_split_on_a_box() -> None:
    smooth = corner_normals(SPHERE.vertices, SPHERE.faces)
    np.testing.assert_allclose(smooth, SPHERE.vertices[SPHERE.faces], atol=0.02)
    split = corner_normals(BOX.vertices, BOX.faces)
    np.testing.assert_allclose(split, np.repeat(BOX.face_normals[:, None], 3, axis=1), atol=1e-9)
