import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from backend.failures import Cancelled
from backend.geometry.surface import (
    EmptySurfaceError,
    FieldFunction,
    extract_surface,
    extract_surface_dense,
    find_surface,
    rounded_cells,
)


def sphere(p: Tensor) -> Tensor:
    return 0.9 - p.norm(dim=1)


def rod(p: Tensor) -> Tensor:
    return torch.minimum(0.02 - (p[:, :2] - torch.tensor([0.31, 0.2])).norm(dim=1), 0.9 - p[:, 2].abs())


def tilted_sheet(p: Tensor) -> Tensor:
    return torch.minimum(0.8 - p.norm(dim=1), 0.02 - (p @ torch.tensor([0.48, 0.6, 0.64]) - 0.1).abs())


def speck(p: Tensor) -> Tensor:
    return 0.03 - (p - 0.4321).norm(dim=1)


def ripples(p: Tensor) -> Tensor:
    return 0.5 - p.norm(dim=1) + 0.1 * torch.sin(20 * p).prod(dim=1)


def grid_aligned_box(p: Tensor) -> Tensor:
    return 0.525 - p.abs().amax(dim=1)


def saturated_rod(p: Tensor) -> Tensor:
    return 6 * torch.tanh(30 * rod(p))


def shell(p: Tensor) -> Tensor:
    return 0.012 - (0.7 - p.norm(dim=1)).abs()


def wire_torus(p: Tensor) -> Tensor:
    return 0.015 - torch.hypot(p[:, :2].norm(dim=1) - 0.61, p[:, 2] - 0.123)


def louvres(p: Tensor) -> Tensor:
    """Plates a third of a coarse cell apart, tilted, each as thin."""
    q = p[:, 0] * 0.8 + p[:, 2] * 0.6
    return torch.minimum(0.6 - p.abs().amax(dim=1), torch.sin(q * 90) / 30)


FIELDS = [
    sphere,
    rod,
    tilted_sheet,
    speck,
    ripples,
    grid_aligned_box,
    saturated_rod,
    shell,
    wire_torus,
    louvres,
]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("cells", [80, 96, 100])
def test_sparse_and_dense_extraction_agree(field: FieldFunction, cells: int) -> None:
    sparse, dense = extract_surface(field, cells=cells), extract_surface_dense(field, cells=cells)
    np.testing.assert_array_equal(sparse.faces, dense.faces)
    np.testing.assert_array_equal(sparse.vertices, dense.vertices)


@pytest.mark.parametrize("field", FIELDS)
def test_surfaces_are_closed_and_face_outward(field: FieldFunction) -> None:
    mesh = extract_surface(field, cells=64)
    assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).is_watertight
    assert mesh.signed_volume() > 0


def test_vertices_lie_exactly_on_the_surface() -> None:
    mesh = extract_surface(sphere, cells=128)
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - 0.9).max() < 5e-4
    np.testing.assert_allclose(mesh.vertices.min(axis=0), -mesh.vertices.max(axis=0), atol=1e-6)


def test_shapes_that_leave_the_domain_are_closed_at_its_border() -> None:
    mesh = extract_surface(lambda p: 0.4 - p[:, :2].norm(dim=1), cells=48)
    assert trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).is_watertight
    assert np.abs(mesh.vertices).max() <= 1.05


def test_few_points_are_queried() -> None:
    _, stats = find_surface(sphere, cells=128)
    assert stats.queries[0] == 33**3
    assert stats.share < 0.09


@pytest.mark.parametrize("field", [sphere, wire_torus, shell, tilted_sheet])
def test_at_257_points_a_fifteenth_of_them_is_queried(field: FieldFunction) -> None:
    assert find_surface(field, cells=256)[1].share < 1 / 15


def test_any_number_of_cells_is_rounded_up_to_halve_evenly() -> None:
    assert [rounded_cells(n) for n in (2, 31, 64, 100, 128, 130, 257)] == [2, 31, 64, 100, 128, 132, 264]
    with pytest.raises(ValueError, match="not 1"):
        rounded_cells(1)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_field_of_one_sign_has_no_surface(sign: float) -> None:
    with pytest.raises(EmptySurfaceError, match="came out empty"):
        extract_surface(lambda p: torch.full((len(p),), sign), cells=8)


def test_field_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        extract_surface(lambda p: p[:, 0] * float("nan"), cells=8)


def test_extraction_stops_between_chunks() -> None:
    asked: list[int] = []

    def field(p: Tensor) -> Tensor:
        asked.append(len(p))
        return sphere(p)

    def check() -> None:
        if len(asked) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        extract_surface(field, cells=64, chunk=1000, check=check)
    assert asked == [1000, 1000, 1000]
