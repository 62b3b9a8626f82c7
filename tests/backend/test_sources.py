"""Meshes and images as codes of a prefix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from backend.events import Request
from backend.failures import RequestError
from backend.geometry.canonical import EDITED_SIDE, LONGEST_SIDE
from backend.geometry.mesh import Mesh
from backend.sequence import Layout, Segment
from backend.sources import SourceReader, prepared
from tests.backend.small_model import CODES, SHAPE_TOKENS, Balls, Shades

READER = SourceReader(Balls(), Shades(), torch.device("cpu"))
EDIT = Layout(prefix=(Segment("shape"),), targets=(Segment("shape"),))
DRAW = Layout(prefix=(Segment("shape"),), targets=(Segment("image"),))


def ball(radius: float, center: float) -> Mesh:
    made = trimesh.creation.icosphere(radius=radius)
    return Mesh(vertices=(made.vertices + center).astype(np.float32), faces=made.faces.astype(np.int32))


def test_where_a_mesh_stands_does_not_change_its_codes() -> None:
    near, far = (
        READER.read(Request(task="edit_shape", mesh=mesh), EDIT) for mesh in (ball(1, 0), ball(50, 900))
    )
    assert torch.equal(near.codes[0], far.codes[0])
    assert far.placement is not None
    assert far.placement.center == pytest.approx((900, 900, 900), rel=1e-4)


def test_the_source_of_an_edit_leaves_room_to_grow() -> None:
    for task, layout, side in (("edit_shape", EDIT, EDITED_SIDE), ("shape_to_image", DRAW, LONGEST_SIDE)):
        read = READER.read(Request(task=task, mesh=ball(50, 900)), layout)
        assert read.shape is not None
        assert read.shape.mesh is not None
        assert np.ptp(read.shape.mesh.vertices, axis=0).max() == pytest.approx(side, rel=1e-4)


def test_codes_are_taken_as_they_are() -> None:
    tokens = np.arange(SHAPE_TOKENS, dtype=np.uint16)
    read = READER.read(Request(task="shape_to_image", tokens=tokens), DRAW)
    assert read.codes[0].tolist() == tokens.tolist()
    assert read.placement is None


@pytest.mark.parametrize("tokens", [np.zeros(SHAPE_TOKENS + 1), np.full(SHAPE_TOKENS, CODES)])
def test_codes_of_another_model_are_refused(tokens: np.ndarray) -> None:
    with pytest.raises(RequestError, match="another model's"):
        READER.read(Request(task="shape_to_image", tokens=tokens.astype(np.uint16)), DRAW)


def test_a_mesh_without_surface_is_refused() -> None:
    flat = Mesh(vertices=np.eye(3, dtype=np.float32), faces=np.zeros((2, 3), np.int32))
    with pytest.raises(RequestError, match="no surface"):
        READER.read(Request(task="edit_shape", mesh=flat), EDIT)


def test_images_are_padded_to_a_square_on_white() -> None:
    wide = np.zeros((4, 8, 4), np.uint8)
    wide[..., 3] = 255
    wide[:, :4, 3] = 0  # the left half shows the background
    square = prepared(wide, 8)
    assert square.shape == (3, 8, 8)
    assert square[:, 0].min() > 0.9
    assert square[0, 4, :3].min() > 0.9
    assert square[0, 4, 6].item() < -0.9
