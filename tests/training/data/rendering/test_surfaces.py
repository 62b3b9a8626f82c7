"""Corners of triangles: normals, colours and textures as they are drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import trimesh

from training.data.assets.asset import Asset, Material
from training.data.rendering.surfaces import CLAY, THINNEST, corner_normals, of_asset

BOX = trimesh.creation.box(extents=(1.0, 1.0, 1.92))
SPHERE = trimesh.creation.icosphere(subdivisions=3)


def test_normals_are_smooth_on_a_sphere_and_split_on_a_box() -> None:
    smooth = corner_normals(SPHERE.vertices, SPHERE.faces)
    np.testing.assert_allclose(smooth, SPHERE.vertices[SPHERE.faces], atol=0.02)
    split = corner_normals(BOX.vertices, BOX.faces)
    np.testing.assert_allclose(split, np.repeat(BOX.face_normals[:, None], 3, axis=1), atol=1e-9)


def test_faces_are_grouped_by_texture_and_the_rest_comes_first(textured: Asset) -> None:
    surface = of_asset(textured)
    assert surface.counts == (3, 6)
    assert surface.textures[0].shape == (64, 64, 4)
    assert surface.corners["color"][0].tolist() == [*CLAY, 255]  # no colour is known of the foot
    assert surface.corners["color"][3:].min() == 255


def test_uvs_go_down_as_rows_of_a_picture_do(textured: Asset) -> None:
    corners = of_asset(textured).corners
    top = corners["position"][:, 2] > 0.8
    assert corners["uv"][top][:, 1].max() == 0.0


def test_glass_keeps_enough_opacity_to_show(painted: Asset) -> None:
    assert painted.colors is not None
    clear = painted.colors.copy()
    clear[:, 3] = 3
    glass = replace(painted, colors=clear, materials=(Material(roughness=0.0, metallic=1.0),))
    corners = of_asset(glass).corners
    assert corners["color"][:, 3].min() == round(255 * THINNEST)
    assert corners["surface"][0].tolist() == [0, 255, 0, 0]


def test_faces_without_area_are_left_out_with_their_colours(painted: Asset) -> None:
    flat = np.concatenate([np.zeros((5, 3), np.int32), painted.faces])
    zeros = np.zeros(len(flat), np.int32)
    broken = replace(painted, faces=flat, face_material=zeros, parts=zeros)
    assert np.array_equal(of_asset(broken).corners, of_asset(painted).corners)
