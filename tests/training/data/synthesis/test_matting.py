from pathlib import Path

import numpy as np
import pytest
import torch

from backend.events import Pixels
from tests.training.data.synthesis.stand_ins import lit, on_white
from training.data.assets.asset import Asset, Rejected
from training.data.steps import DataError
from training.data.synthesis import seats
from training.data.synthesis.birefnet import BiRefNet
from training.data.synthesis.mask_quality import Cut, MaskSettings, judge_mask
from training.data.synthesis.matting import PlainBackground, cut_out, framed

Floats = np.ndarray


def disc(size: int = 96, radius: float = 0.3, hole: float = 0.0) -> Floats:
    """Opacity of a disc, or ring, in the middle."""
    y, x = np.mgrid[:size, :size] / (size - 1) - 0.5
    away = np.hypot(x, y)
    edge = np.clip((radius - away) * size + 0.5, 0, 1) * np.clip((away - hole) * size + 0.5, 0, 1)
    return edge.astype(np.float32)


def drawn(opacity: Floats, color: tuple[float, float, float], ground: Floats) -> Pixels:
    mixed = opacity[..., None] * np.array(color) + (1 - opacity[..., None]) * ground
    pixels = np.round(255 * np.clip(mixed, 0, 1)).astype(np.uint8)
    return np.concatenate([pixels, np.full((*opacity.shape, 1), 255, np.uint8)], axis=2)


def overlap(one: Floats, other: Floats) -> float:
    return float(np.minimum(one, other).sum() / np.maximum(one, other).sum())


def reasons(picture: Pixels, opacity: Floats) -> list[str]:
    return [code for code, _ in judge_mask(Cut(picture, opacity), MaskSettings())[1]]


def test_an_object_is_cut_from_a_noisy_gradient_edges_and_all() -> None:
    rng, opacity = np.random.default_rng(0), disc(hole=0.1)
    ground = 0.7 + 0.2 * np.linspace(0, 1, 96)[:, None, None] + 0.01 * rng.normal(size=(96, 96, 3))
    found = PlainBackground().opacity(drawn(opacity, (0.5, 0.2, 0.1), ground))
    assert overlap(found, opacity) > 0.95
    assert ((found > 0.1) & (found < 0.9)).any()


def test_renders_come_back_from_white(graphics: None, things: list[Asset]) -> None:
    for asset in things[:6]:
        color = lit(asset, None)
        assert overlap(PlainBackground().opacity(on_white(color)), color[..., 3] / 255) > 0.98


def test_a_picture_that_has_alpha_keeps_it() -> None:
    picture = drawn(disc(), (1, 0, 0), np.ones((96, 96, 3)))
    picture[..., 3] = np.round(255 * disc())
    assert np.array_equal(PlainBackground().opacity(picture), picture[..., 3] / np.float32(255))


def test_no_object_and_no_plain_background_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(Rejected, match="background_not_plain"):
        PlainBackground().opacity(drawn(disc(), (1, 0, 0), rng.uniform(size=(96, 96, 3))))
    with pytest.raises(Rejected, match="no_foreground"):
        PlainBackground().opacity(drawn(disc(radius=0), (1, 0, 0), np.ones((96, 96, 3))))


def test_a_good_cut_out_has_no_faults() -> None:
    assert reasons(drawn(disc(), (1, 0, 0), np.ones((96, 96, 3))), disc()) == []


def test_each_fault_of_a_mask_is_named() -> None:
    picture = drawn(disc(), (1, 0, 0), np.ones((96, 96, 3)))
    truncated, scattered, perforated = disc(), disc(), disc()
    truncated[40:56, :40] = 1
    scattered[4:14, 4:14] = 1
    perforated[::4, ::4] = 0
    soft = np.clip(1 - np.hypot(*(np.mgrid[:96, :96] / 95 - 0.5)) / 0.5, 0, 1).astype(np.float32)
    assert "truncated" in reasons(picture, truncated)
    assert "scattered" in reasons(picture, scattered)
    assert "perforated" in reasons(picture, perforated)
    assert "unsure_outline" in reasons(picture, soft)
    assert "residual_background" in reasons(picture, disc(radius=0.45))
    assert reasons(picture, np.zeros((96, 96), np.float32)) == ["no_foreground"]


def test_cut_outs_lose_the_background_in_their_edges_and_fill_the_frame() -> None:
    picture = drawn(disc(radius=0.2), (1, 0, 0), np.ones((96, 96, 3)))
    cut = framed(cut_out(picture, disc(radius=0.2)), 64, 0.9)
    assert cut.shape == (64, 64, 4)
    assert cut[cut[..., 3] > 20, 1].max() < 40  # red without white
    columns = np.flatnonzero((cut[..., 3] > 128).any(axis=0))
    assert abs(len(columns) - 0.9 * 64) <= 2


class Brightness(torch.nn.Module):
    """In BiRefNet's place: what is darker than the mean is the object."""

    def forward(self, batch: torch.Tensor) -> list[torch.Tensor]:
        return [batch[:, :1], -20 * batch.mean(dim=1, keepdim=True)]


def test_birefnet_is_fed_normalised_squares_and_read_at_the_pictures_size() -> None:
    opacity = disc()[:80]
    found = BiRefNet(Brightness(), size=128).opacity(drawn(opacity, (0, 0, 0), np.ones((80, 96, 3))))
    assert found.shape == (80, 96)
    assert overlap(found, opacity) > 0.9


def test_a_model_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="BiRefNet cannot be loaded"):
        seats.matting(f"birefnet:{tmp_path}")
    with pytest.raises(DataError, match="names no model"):
        seats.matting("nobody")
