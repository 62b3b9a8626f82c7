import numpy as np
import pytest
from numpy.typing import NDArray

from backend.geometry.canonical import LONGEST_SIDE, Placement, fit


def scattered(seed: int = 0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(200, 3)) * [0.2, 3.0, 0.7] + [40.0, -7.0, 2.0]


@pytest.mark.parametrize("up_axis", ["y", "z"])
def test_placement_is_undone_to_rounding(up_axis: str) -> None:
    world = scattered()
    placement = fit(world, up_axis)  # type: ignore[arg-type]
    np.testing.assert_allclose(placement.to_world(placement.to_canonical(world)), world, rtol=0, atol=3e-14)


def test_fitted_shape_is_centred_with_the_longest_side_of_the_papers() -> None:
    box = fit(scattered()).to_canonical(scattered())
    np.testing.assert_allclose(box.max(axis=0) + box.min(axis=0), 0, atol=1e-12)
    assert np.ptp(box, axis=0).max() == pytest.approx(LONGEST_SIDE, abs=1e-12)


def test_y_up_turns_the_front_towards_z() -> None:
    placement = Placement(center=(0, 0, 0), scale=1, up_axis="y")
    np.testing.assert_array_equal(
        placement.to_canonical(np.array([[1, 0, 0], [0, -1, 0], [0, 0, 1]])),
        [[1, 0, 0], [0, 0, 1], [0, 1, 0]],
    )


def test_repeated_edits_do_not_drift() -> None:
    """Fifty decode-encode trips through float32 meshes keep the box."""
    start = scattered().astype(np.float32)
    world = start
    for _ in range(50):
        placement = fit(world, "y")
        canonical = placement.to_canonical(world).astype(np.float32)
        world = placement.to_world(canonical).astype(np.float32)
    tolerance = 1e-6 * np.ptp(start, axis=0).max()
    assert np.abs(world.min(axis=0) - start.min(axis=0)).max() <= tolerance
    assert np.abs(world.max(axis=0) - start.max(axis=0)).max() <= tolerance


@pytest.mark.parametrize(
    "vertices", [np.zeros((0, 3)), np.zeros((4, 3)), np.full((4, 3), np.inf), np.ones(3)]
)
def test_shapes_without_extent_are_refused(vertices: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="vertices must"), np.errstate(invalid="ignore"):
        fit(vertices)
