import numpy as np
import pytest

from backend.geometry.sampling import sample_surface

SQUARES = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 5], [3, 0, 5], [3, 0, 8]], np.float32)
FACES = np.array([[0, 1, 2], [3, 4, 5]], np.int32)  # areas 1/2 and 9/2


def test_points_fall_on_faces_in_proportion_to_area() -> None:
    points, normals, face = sample_surface(SQUARES, FACES, 1000, np.random.default_rng(0))
    assert np.bincount(face).tolist() == [100, 900]
    np.testing.assert_allclose(normals[face == 1], np.broadcast_to([0, -1, 0], (900, 3)))
    on_first = points[face == 0]
    assert (on_first[:, 2] == 0).all()
    assert (on_first[:, 1] <= on_first[:, 0] + 1e-6).all()
    np.testing.assert_allclose(points[face == 1].mean(axis=0), [2, 0, 6], atol=0.1)


def test_same_seed_gives_same_points() -> None:
    first, again = (sample_surface(SQUARES, FACES, 64, np.random.default_rng(3))[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_surface_without_area_is_refused() -> None:
    with pytest.raises(ValueError, match="without area"):
        sample_surface(SQUARES, np.array([[0, 0, 1]]), 8, np.random.default_rng(0))
