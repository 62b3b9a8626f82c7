"""Pictures: framing, sides, sharp edges; skipped where no OpenGL context can be made."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from backend.geometry.mesh import Mesh
from training.data.rendering.raster import NoGraphicsError
from training.evaluation.render import blank, render

BOX = trimesh.creation.box(extents=(1.0, 1.0, 1.92))


def as_mesh(shape: trimesh.Trimesh) -> Mesh:
    return Mesh(vertices=np.asarray(shape.vertices, np.float32), faces=np.asarray(shape.faces, np.int32))


def picture(mesh: Mesh, **view: float) -> NDArray[np.uint8]:
    try:
        return render(mesh, 64, **view)  # type: ignore[arg-type]
    except NoGraphicsError as error:
        pytest.skip(str(error))


def covered(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.abs(image.astype(int) - blank(64)).max(axis=2) > 8


def test_shape_stands_upright_in_the_middle() -> None:
    rows, columns = np.nonzero(covered(picture(as_mesh(BOX), azimuth=0.0, elevation=0.0)))
    assert abs(rows.mean() - 31.5) < 1
    assert abs(columns.mean() - 31.5) < 1
    assert np.ptp(rows) > 1.6 * np.ptp(columns)


def test_canonical_box_fits_from_any_side() -> None:
    cube = as_mesh(trimesh.creation.box(extents=(2, 2, 2)))
    for azimuth in (0.0, 45.0, 200.0):
        mask = covered(picture(cube, azimuth=azimuth))
        assert not np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).any()
        assert mask.mean() > 0.3


def test_camera_sees_the_front_and_the_right() -> None:
    left_of_box = trimesh.creation.box(extents=(0.2, 0.2, 0.2))
    left_of_box.apply_translation((0, -0.8, 0))
    columns = np.nonzero(covered(picture(as_mesh(left_of_box))))[1]
    assert columns.mean() < 31.5  # what stands in front lies to the left, seen from the right


def test_top_is_brighter_than_the_shadow_side() -> None:
    image = picture(as_mesh(BOX)).astype(float)
    rows, columns = np.nonzero(covered(picture(as_mesh(BOX))))
    top = image[rows.min() + 3, int(columns[rows == rows.min() + 3].mean())].mean()
    right = image[int(rows.mean()), columns.max() - 3].mean()
    assert top > right + 20


def test_framed_shape_fills_the_picture_more_than_the_canonical_box() -> None:
    small = as_mesh(trimesh.creation.icosphere(radius=0.3))
    framed = covered(picture(small)).sum(), covered(render(small, 64, frame=small)).sum()
    assert framed[1] > 5 * framed[0]


def test_mesh_without_faces_is_background() -> None:
    empty = Mesh(vertices=np.zeros((0, 3), np.float32), faces=np.zeros((0, 3), np.int32))
    assert not covered(picture(empty)).any()
