import numpy as np
import pytest

from backend.geometry.mesh import Mesh

TETRAHEDRON = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
OUTWARD = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)


def test_signed_volume_tells_outside_from_inside() -> None:
    assert Mesh(vertices=TETRAHEDRON, faces=OUTWARD).signed_volume() == pytest.approx(1 / 6)
    assert Mesh(vertices=TETRAHEDRON, faces=OUTWARD[:, ::-1].copy()).signed_volume() == pytest.approx(-1 / 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vertices": TETRAHEDRON.astype(np.float64)}, "float64"),
        ({"vertices": TETRAHEDRON * np.nan}, "finite"),
        ({"faces": OUTWARD + 1}, "index 4 vertices"),
        ({"faces": OUTWARD - 1}, "index 4 vertices"),
        ({"colors": np.zeros((3, 4), np.uint8)}, "3 colors"),
    ],
)
def test_wrong_arrays_are_refused(change: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mesh(**{"vertices": TETRAHEDRON, "faces": OUTWARD, **change})
