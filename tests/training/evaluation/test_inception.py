"""FID's network has the published shape, its file is checked, and its distance is Frechet's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from training.evaluation.inception import FEATURES, Inception, features, frechet, load_inception, statistics


@pytest.fixture(scope="module")
def network() -> Inception:
    torch.manual_seed(0)
    return Inception().eval()


def test_network_is_inception_v3(network: Inception) -> None:
    assert sum(parameter.numel() for parameter in network.parameters()) == 21_785_568
    assert sum(name.endswith("conv.weight") for name in network.state_dict()) == 94
    assert network.state_dict()["Mixed_7c.branch3x3dbl_3b.conv.weight"].shape == (384, 384, 3, 1)


def test_published_file_loads_whatever_its_classifier(network: Inception, tmp_path: Path) -> None:
    tensors = {n: t for n, t in network.state_dict().items() if not n.endswith("num_batches_tracked")}
    save_file({**tensors, "fc.weight": torch.zeros(4, FEATURES)}, tmp_path / "inception.safetensors")
    pictures = torch.rand(2, 3, 32, 32) * 2 - 1
    loaded = features(load_inception(tmp_path / "inception.safetensors"), pictures)
    np.testing.assert_allclose(loaded, features(network, pictures), rtol=1e-4)


def test_other_weights_are_refused_by_name(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="471 tensors differ"):
        load_inception(tmp_path / "other.safetensors")


def test_distance_of_normal_distributions_is_known() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(20_000, 3))
    here, there = statistics(noise), statistics(2 * noise + [1, 0, 0])
    assert frechet(here, here) == pytest.approx(0, abs=1e-9)
    assert frechet(here, there) == pytest.approx(1 + 3 * (2 - 1) ** 2, rel=0.05)  # shift, and deviations
