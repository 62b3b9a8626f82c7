import math

import pytest
import torch

from backend.shape_tokenizer.fourier import PhaseModulatedFourier


def test_features_follow_the_closed_form() -> None:
    torch.manual_seed(0)
    embed = PhaseModulatedFourier(128)
    features = embed.requires_grad_(False)(torch.tensor([[[0.3, -0.7, 1.0]]]))[0, 0]
    assert embed.width == len(features) == 771
    axis, i, x = 1, 5, -0.7
    learned = x * float(embed.weight[axis, i])
    modulated = x * math.pi / 2 + 2 * math.pi * (16 ** (1 - i / 127) + i / 127)
    cosine, sine = features[3 + axis * 128 + i], features[3 + 384 + axis * 128 + i]
    assert float(cosine) == pytest.approx(math.cos(learned) + math.cos(modulated), abs=1e-4)
    assert float(sine) == pytest.approx(math.sin(learned) + math.sin(modulated), abs=1e-4)


def test_features_keep_full_precision_under_autocast() -> None:
    embed, points = PhaseModulatedFourier(16), torch.randn(1, 5, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(embed(points), embed(points.clone()))
        assert embed(points).dtype == torch.float32


def test_a_model_made_on_meta_needs_only_its_weights() -> None:
    source, points = PhaseModulatedFourier(16), torch.randn(1, 5, 3)
    with torch.device("meta"):
        empty = PhaseModulatedFourier(16)
    empty.load_state_dict(source.state_dict(), assign=True)
    assert torch.equal(empty(points), source(points))
