"""Meshes and tokens survive the wire, and malformed ones say what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import numpy as safetensors_numpy

from protocol.arrays import decode_mesh, decode_tokens, encode_mesh, encode_tokens
from protocol.errors import ProtocolError
from protocol.limits import Limits

VERTICES = np.eye(3, dtype=np.float32)
FACES = np.array([[0, 1, 2]], dtype=np.int32)
COLORS = np.full((3, 4), 200, dtype=np.uint8)


def test_mesh_round_trips_exactly() -> None:
    mesh = decode_mesh(encode_mesh(VERTICES, FACES, COLORS))
    np.testing.assert_array_equal(mesh.vertices, VERTICES)
    np.testing.assert_array_equal(mesh.faces, FACES)
    assert mesh.colors is not None
    np.testing.assert_array_equal(mesh.colors, COLORS)
    assert decode_mesh(encode_mesh(VERTICES, FACES)).colors is None


@pytest.mark.parametrize(
    ("tensors", "field"),
    [
        ({"vertices": np.array([[0, 0, 0], [0, np.nan, 0], [1, 0, 0]], np.float32)}, "nan_vertex"),
        ({"vertices": np.array([[0, 0, 0], [0, np.inf, 0], [1, 0, 0]], np.float32)}, "nan_vertex"),
        ({"vertices": VERTICES.astype(np.float64)}, "vertices"),
        ({"vertices": VERTICES.ravel()}, "vertices"),
        ({"vertices": np.zeros((0, 3), np.float32)}, "empty"),
        ({"faces": FACES + 1}, "index_range"),
        ({"faces": FACES - 1}, "index_range"),
        ({"faces": FACES.astype(np.int64)}, "faces"),
        ({"faces": np.zeros((0, 3), np.int32)}, "empty"),
        ({"colors": COLORS[:2]}, "colors"),
        ({"colors": COLORS.astype(np.float32)}, "colors"),
    ],
)
def test_bad_mesh_says_what_is_wrong(tensors: dict[str, Any], field: str) -> None:
    data = safetensors_numpy.save({"vertices": VERTICES, "faces": FACES, **tensors})
    with pytest.raises(ProtocolError) as caught:
        decode_mesh(data)
    assert (caught.value.code, caught.value.field) == ("bad_mesh", field)


def test_first_bad_vertex_and_face_are_named() -> None:
    vertices = np.zeros((9, 3), np.float32)
    vertices[[4, 7]] = np.nan
    with pytest.raises(ProtocolError, match="Vertex 4 "):
        encode_mesh(vertices, FACES)
    with pytest.raises(ProtocolError, match="Face 1 "):
        encode_mesh(VERTICES, [[0, 1, 2], [0, 1, 3]])
    with pytest.raises(ProtocolError, match="names a vertex"):
        encode_mesh(VERTICES, [[0, 1, 2**32]])  # would wrap around to a valid index


def test_mesh_counts_are_limited() -> None:
    with pytest.raises(ProtocolError, match="3 vertices of 2"):
        encode_mesh(VERTICES, FACES, limits=Limits(mesh_vertices=2))
    with pytest.raises(ProtocolError, match="2 faces of 1"):
        encode_mesh(VERTICES, np.repeat(FACES, 2, axis=0), limits=Limits(mesh_faces=1))
    with pytest.raises(ProtocolError, match="of 10 allowed"):
        decode_mesh(bytes(11), Limits(blob=10))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 150))
def test_garbage_gives_protocol_errors(junk: bytes, keep: int) -> None:
    for data in (junk, encode_mesh(VERTICES, FACES)[:keep] + junk):
        with pytest.raises(ProtocolError):
            decode_mesh(data)
        with pytest.raises(ProtocolError):
            decode_tokens(data)


def test_tokens_round_trip() -> None:
    tokens = decode_tokens(encode_tokens(np.array([0, 16_383, 65_535])))
    assert tokens.dtype == np.uint16
    assert tokens.tolist() == [0, 16_383, 65_535]


@pytest.mark.parametrize("tokens", [[], [[1]], [1.5], [-1], [65_536], range(65_537)])
def test_bad_tokens_are_refused(tokens: Any) -> None:
    with pytest.raises(ProtocolError) as caught:
        encode_tokens(tokens)
    assert caught.value.code == "bad_tokens"
