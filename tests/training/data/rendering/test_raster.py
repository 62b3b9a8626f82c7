"""The rasteriser against rays traced by hand: colour, opacity, depth, normals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from backend.geometry.mesh import Mesh
from training.data.assets.asset import Asset
from training.data.rendering.cameras import CANONICAL, Camera, Pose, place, pose_of
from training.data.rendering.lighting import STUDIO
from training.data.rendering.raster import Picture, Shot, metres, raster
from training.data.rendering.surfaces import Surface, of_asset, of_mesh

pytestmark = pytest.mark.usefixtures("graphics")
SIZE = 64


def taken(surface: Surface, pose: Pose) -> Picture:
    return next(iter(raster(SIZE).draw(surface, [Shot(pose=pose, lighting=STUDIO)])))


def rays(pose: Pose) -> np.ndarray:  # type: ignore[type-arg]
    """(SIZE, SIZE, 3) through the middles of pixels, of length 1 along the axis."""
    across = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    x, y = np.meshgrid(across, -across)
    return np.stack([x * pose.slope, y * pose.slope, -np.ones_like(x)], axis=-1) @ pose.axes


def test_depth_and_normals_of_a_ball_are_those_of_its_rays() -> None:
    ball = trimesh.creation.icosphere(subdivisions=5, radius=0.9)
    mesh = Mesh(vertices=np.asarray(ball.vertices, np.float32), faces=np.asarray(ball.faces, np.int32))
    pose = place(Camera(azimuth=40.0, elevation=30.0, field_of_view=40.0))
    picture, ray = taken(of_mesh(mesh), pose), rays(pose)
    a, b = (ray**2).sum(-1), 2 * ray @ pose.eye
    under = b**2 - 4 * a * ((pose.eye**2).sum() - 0.81)
    depth = (-b - np.sqrt(np.maximum(under, 0))) / (2 * a)
    inside = under > 0.05 * under.max()
    np.testing.assert_allclose(metres(picture.depth, pose.distance)[inside], depth[inside], atol=2e-3)
    normals = (pose.eye + ray * depth[..., None]) / 0.9
    np.testing.assert_allclose(picture.normals[inside] / 127.5 - 1, normals[inside], atol=0.02)
    assert (picture.depth[under < -0.05 * under.max()] == 0).all()


def test_opacity_is_the_share_of_a_pixel_that_is_covered(painted: Asset) -> None:
    pose = place(CANONICAL["front"])
    color = taken(of_asset(painted), pose).color
    half = 0.6 / ((pose.distance - 0.4) * pose.slope) * SIZE / 2
    assert color[SIZE // 2, :, 3].sum() / 255 == pytest.approx(2 * half, abs=0.4)
    assert (color[SIZE // 2, SIZE // 2, :3] * [1, 0, 0]).sum() > 120  # the front is red, also at its edge
    edge = np.flatnonzero((color[SIZE // 2, :, 3] > 0) & (color[SIZE // 2, :, 3] < 255))
    assert all(color[SIZE // 2, at, 0] > 3 * color[SIZE // 2, at, 2] for at in edge)


def test_thin_wire_has_depth_wherever_it_has_colour() -> None:
    wire = trimesh.creation.cylinder(0.008, 1.9)  # half a pixel wide
    mesh = Mesh(vertices=np.asarray(wire.vertices, np.float32), faces=np.asarray(wire.faces, np.int32))
    picture = taken(of_mesh(mesh), place(Camera(azimuth=10.0, elevation=10.0), mesh.vertices))
    shown = picture.color[..., 3] > 0
    assert shown.any(axis=1).sum() > 0.8 * SIZE
    assert np.array_equal(shown, picture.depth > 0)


def test_texture_lies_upright_and_its_holes_are_open(textured: Asset) -> None:
    picture = taken(of_asset(textured), place(CANONICAL["front"]))
    low, high = SIZE // 2 - 8, SIZE // 2 + 8
    strongest = [
        picture.color[row, column, :3].argmax() for row, column in ((low, low), (low, high), (high, low))
    ]
    assert strongest == [0, 1, 2]
    assert picture.color[high, high].tolist() == [0, 0, 0, 0]
    assert picture.depth[high, high] == 0


def test_glass_shows_what_is_behind_it(painted: Asset) -> None:
    assert painted.colors is not None
    thin = painted.colors.copy()
    thin[thin[:, 0] > 200, 3] = 128  # the red front
    picture = taken(of_asset(replace(painted, colors=thin)), place(CANONICAL["front"]))
    red, _, blue, alpha = picture.color[SIZE // 2, SIZE // 2].astype(int)
    assert alpha == 255
    assert red > 60
    assert blue > 60


def test_normals_turn_to_the_camera_on_either_side(textured: Asset) -> None:
    for name, toward in (("front", -1.0), ("back", 1.0)):
        coded = taken(of_asset(textured), place(CANONICAL[name])).normals[SIZE // 2 - 8, SIZE // 2]
        np.testing.assert_allclose(coded / 127.5 - 1, [0, toward, 0], atol=0.01)


def test_same_scene_gives_the_same_bytes(painted: Asset) -> None:
    first, second = (taken(of_asset(painted), place(Camera())) for _ in range(2))
    for name in ("color", "depth", "normals"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()


def test_pose_survives_its_description() -> None:
    pose = place(Camera(azimuth=12.0, elevation=-7.0, field_of_view=33.0, fill=0.8))
    again = pose_of(pose.described())
    np.testing.assert_allclose(again.world_to_camera(), pose.world_to_camera(), atol=1e-8)
    assert again.slope == pose.slope
