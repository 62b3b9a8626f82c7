import numpy as np
import pytest
import torch
from torch import Tensor

from backend.geometry.closing import is_watertight
from backend.geometry.finishing import finish
from backend.geometry.mesh import Mesh
from backend.geometry.surface import extract_surface


def thin_parts(p: Tensor) -> Tensor:
    """A plate on four rods that leave the box, with a speck beside it."""
    plate = 0.03 - torch.maximum((p[:, 2] - 0.5).abs(), p[:, :2].abs().amax(dim=1) - 0.8)
    rods = torch.minimum(0.04 - (p[:, :2].abs() - 0.6).norm(dim=1), 0.5 - p[:, 2])
    speck = 0.06 - (p - torch.tensor([0.0, 0.0, 0.8])).norm(dim=1)
    return torch.maximum(torch.maximum(plate, rods), speck)


@pytest.fixture(scope="module")
def table() -> Mesh:
    mesh = extract_surface(thin_parts, cells=64)
    colors = np.where(mesh.vertices[:, 2:] > 0, [[255, 0, 0, 255]], [[0, 0, 255, 255]]).astype(np.uint8)
    return Mesh(vertices=mesh.vertices, faces=mesh.faces, colors=colors)


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
@pytest.mark.parametrize("faces", [None, 300, 2000])
def test_finished_meshes_stay_watertight_and_keep_their_volume(
    table: Mesh, faces: int | None, smoothing: float
) -> None:
    done = finish(table, faces=faces, smoothing=smoothing, islands=0.0)
    assert is_watertight(done.faces)
    assert done.signed_volume() == pytest.approx(table.signed_volume(), rel=0.06)


def test_target_count_is_met(table: Mesh) -> None:
    assert len(finish(table, faces=1000).faces) == pytest.approx(1000, abs=10)
    assert len(finish(table, faces=10**6).faces) == len(finish(table).faces)


def test_colours_carry_over(table: Mesh) -> None:
    done = finish(table, faces=800, smoothing=0.3)
    assert done.colors is not None
    away = np.abs(done.vertices[:, 2]) > 0.2
    np.testing.assert_array_equal(done.colors[away, 0] == 255, done.vertices[away, 2] > 0)


def test_islands_go_and_the_rest_is_untouched(table: Mesh) -> None:
    assert finish(table, islands=0.05).vertices[:, 2].max() < 0.6
    np.testing.assert_array_equal(finish(table, islands=0.0).vertices, table.vertices)


def test_smoothing_takes_noise_off_without_shrinking() -> None:
    mesh = extract_surface(lambda p: 0.8 - p.norm(dim=1), cells=48)
    noise = np.random.default_rng(0).normal(0, 0.01, mesh.vertices.shape).astype(np.float32)
    rough = Mesh(vertices=mesh.vertices + noise, faces=mesh.faces)
    done = finish(rough, smoothing=1.0)
    radius, before = (np.linalg.norm(m.vertices, axis=1) for m in (done, rough))
    assert radius.std() < 0.4 * before.std()
    assert radius.mean() == pytest.approx(0.8, rel=0.005)


@pytest.mark.parametrize("settings", [{"faces": 2}, {"smoothing": 1.5}])
def test_settings_out_of_range_are_refused(table: Mesh, settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"2|1\.5"):
        finish(table, **settings)  # type: ignore[arg-type]
