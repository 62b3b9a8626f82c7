"""Rendered views: where the cameras stand, what shards hold; drawing is skipped without an OpenGL context."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from backend.geometry.mesh import Mesh
from training.data.pictures import FolderPictures, ViewPictures, as_images, as_pixels
from training.data.rendering.cameras import CANONICAL
from training.data.views import Views
from training.evaluation.render import blank, render_views

SIDES = {"front": (0, -1, 0), "back": (0, 1, 0), "left": (-1, 0, 0), "right": (1, 0, 0)}
SIDES |= {"top": (0, 0, 1), "bottom": (0, 0, -1)}
COLOR = {name: np.array(rgb, np.uint8) for name, rgb in zip(SIDES, np.eye(6, 3) * 250, strict=True)}
COLOR |= {"right": np.array([250, 250, 0], np.uint8), "top": np.array([0, 250, 250], np.uint8)}
COLOR |= {"bottom": np.array([250, 0, 250], np.uint8)}


pytestmark = pytest.mark.usefixtures("graphics")


def box(extents: tuple[float, float, float], center: tuple[float, float, float] = (0, 0, 0)) -> Mesh:
    shape = trimesh.creation.box(extents)
    vertices = np.asarray(shape.vertices + center, np.float32)
    return Mesh(vertices=vertices, faces=np.asarray(shape.faces, np.int32))


def test_each_side_of_a_painted_cube_is_seen_by_its_own_camera() -> None:
    cube = box((1, 1, 1))
    normals = np.cross(*np.diff(cube.vertices[cube.faces], axis=1).transpose(1, 0, 2))
    colors = np.zeros((12, 3), np.uint8)
    for name, side in SIDES.items():
        colors[normals @ np.array(side) > 0.5] = COLOR[name]
    pictures = render_views(cube, list(CANONICAL.values()), 32, colors=colors)
    for name, picture in zip(CANONICAL, pictures, strict=True):
        lit = picture[16, 16] > 60
        assert lit.tolist() == (COLOR[name] > 60).tolist(), name


@pytest.mark.parametrize(
    ("view", "center", "side"),
    [
        ("front", (0.7, 0, 0), "right"),  # +X is to the right of whom looks at the front
        ("back", (0.7, 0, 0), "left"),
        ("left", (0, -0.7, 0), "right"),  # from -X, the front lies to the right
        ("right", (0, -0.7, 0), "left"),
        ("top", (0, -0.7, 0), "low"),  # from above, the front lies below
        ("bottom", (0, -0.7, 0), "high"),
        ("top", (0.7, 0, 0), "right"),
        ("bottom", (0.7, 0, 0), "right"),
        ("front", (0, 0, 0.7), "high"),
    ],
)
def test_nothing_is_mirrored(view: str, center: tuple[float, float, float], side: str) -> None:
    picture = render_views(box((0.2, 0.2, 0.2), center), [CANONICAL[view]], 32)[0]
    rows, columns = np.nonzero((picture < 250).any(axis=2))
    place = {"left": 15.5 - columns.mean(), "right": columns.mean() - 15.5}
    place |= {"high": 15.5 - rows.mean(), "low": rows.mean() - 15.5}
    assert place[side] > 5


def test_colours_stay_with_their_faces_when_others_collapse() -> None:
    cube = box((1, 1, 1))
    faces = np.concatenate([np.zeros((5, 3), np.int32), cube.faces]).astype(np.int32)
    colors = np.concatenate([np.full((5, 3), 10), np.tile([0, 200, 0], (12, 1))]).astype(np.uint8)
    broken = Mesh(vertices=cube.vertices, faces=faces)
    front = [CANONICAL["front"]]
    assert np.array_equal(
        render_views(broken, front, 16, colors=colors), render_views(cube, front, 16, colors=colors[5:])
    )


def test_ground_is_white_and_clay_sheets_keep_theirs() -> None:
    picture = render_views(box((0.1, 0.1, 0.1)), [CANONICAL["front"]], 16)[0]
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert blank(16)[0, 0].tolist() != [255, 255, 255]


def test_every_view_is_a_picture(packed: Path) -> None:
    views = Views(packed, "train", 16)
    pictures = ViewPictures(views)
    assert (views.n_views, views.size) == (7, 16)
    assert len(pictures) == 7 * len(views)
    rows = pictures.draw(np.random.default_rng(0), 20)
    assert 0 <= rows.min() <= rows.max() < len(pictures)
    assert np.array_equal(pictures.read(np.array([8]))[0], views.image(1, 1))
    assert pictures.kinds[int(pictures.kind(np.array([8]))[0])] == views.sources[1]


def test_a_split_without_views_is_said(packed: Path) -> None:
    with pytest.raises(ValueError, match="no views of the split test"):
        Views(packed, "test", 16)


def test_files_are_cropped_square_and_laid_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((20, 40, 4), np.uint8)
    pixels[:, 10:20] = (255, 0, 0, 255)  # the left half of the middle square; the rest is transparent
    (tmp_path / "toys").mkdir()
    Image.fromarray(pixels).save(tmp_path / "toys" / "a.png")
    pictures = FolderPictures(tmp_path, 8)
    read = pictures.read(np.array([0]))
    assert pictures.kinds == ("toys",)
    assert read[0, 4, 1].tolist() == [255, 0, 0]
    assert read[0, 4, 7].tolist() == [255, 255, 255]
    assert np.array_equal(as_pixels(as_images(read)), read)
    with pytest.raises(ValueError, match="holds no pictures"):
        FolderPictures(tmp_path / "none", 8)
