import numpy as np
import trimesh

from backend.geometry.closing import is_watertight, unpinched
from backend.geometry.mesh import Mesh

TETRAHEDRON = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]], np.int32)


def mesh(faces: np.ndarray, n: int) -> Mesh:
    rng = np.random.default_rng(0)
    return Mesh(
        vertices=rng.normal(size=(n, 3)).astype(np.float32),
        faces=faces.astype(np.int32),
        colors=rng.integers(0, 256, (n, 4)).astype(np.uint8),
    )


def test_watertight_means_two_faces_that_agree_at_each_edge() -> None:
    assert is_watertight(TETRAHEDRON)
    assert is_watertight(trimesh.creation.torus(1, 0.3).faces.astype(np.int32))
    assert not is_watertight(TETRAHEDRON[:3])
    assert not is_watertight(np.concatenate([TETRAHEDRON[:3], TETRAHEDRON[3:, ::-1]]))


def test_parts_that_share_an_edge_are_parted_with_their_colours() -> None:
    other = np.array([0, 1, 4, 5], np.int32)[TETRAHEDRON]
    pinched = mesh(np.concatenate([TETRAHEDRON, other]), 6)
    assert not is_watertight(pinched.faces)
    mended = unpinched(pinched)
    assert mended is not None
    assert is_watertight(mended.faces)
    assert len(mended.vertices) == 8
    assert mended.colors is not None
    assert pinched.colors is not None
    np.testing.assert_array_equal(mended.vertices[mended.faces], pinched.vertices[pinched.faces])
    np.testing.assert_array_equal(mended.colors[mended.faces], pinched.colors[pinched.faces])


def test_faces_back_to_back_are_dropped() -> None:
    flap = np.array([[0, 1, 4], [0, 4, 1], [2, 2, 3]], np.int32)
    mended = unpinched(mesh(np.concatenate([TETRAHEDRON, flap]), 5))
    assert mended is not None
    assert len(mended.faces) == 4


def test_open_meshes_cannot_be_mended() -> None:
    assert unpinched(mesh(TETRAHEDRON[1:], 4)) is None
