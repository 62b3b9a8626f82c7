import numpy as np
import torch

from backend.geometry.bricks import BrickGrid
from backend.geometry.queries import GridField, chunk_size


def test_points_are_asked_in_chunks_at_their_places() -> None:
    asked: list[int] = []

    def field(points: torch.Tensor) -> torch.Tensor:
        asked.append(len(points))
        return points @ torch.tensor([1.0, 10.0, 100.0])

    ask = GridField(field, 5, 10, None)
    values = ask(np.arange(125)).reshape(5, 5, 5)
    assert asked == [10] * 12 + [5]
    assert ask.asked == 125
    np.testing.assert_allclose(values[1, 2, 3], -0.525 + 0.525 * 100, rtol=1e-6)


def test_border_is_outside_and_nothing_is_zero() -> None:
    ask = GridField(lambda p: torch.ones(len(p)), 4, 100, None)
    values = ask(np.arange(64)).reshape(4, 4, 4)
    assert (values > 0).sum() == 8
    assert not ask.has_outside
    assert (GridField(lambda p: torch.zeros(len(p)), 4, 100, None)(np.arange(64)) < 0).all()


def test_chunks_on_the_cpu_fit_its_caches() -> None:
    assert chunk_size("cpu") == chunk_size(torch.device("cpu"))
    assert 1 << 10 <= chunk_size("cpu") <= 1 << 14


def test_bricks_hold_what_is_put_and_tell_cells_of_both_signs() -> None:
    grid = BrickGrid(21)
    rng = np.random.default_rng(0)
    grid.make_room(np.arange(20**3), 20, high=1)
    points = rng.permutation(21**3)[:4000]
    values = rng.normal(size=4000).astype(np.float32)
    mixed = np.concatenate([grid.put(points[:3000], values[:3000]), grid.put(points[3000:], values[3000:])])
    np.testing.assert_array_equal(grid.at(points), values)
    corners = grid.corners(np.arange(20**3))
    both = (corners > 0).any(axis=1) & (corners <= 0).any(axis=1)
    np.testing.assert_array_equal(np.sort(mixed), np.flatnonzero(both))
