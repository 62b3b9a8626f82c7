"""The compiled field equals the layers it stands for, everywhere in the box and beyond."""

from __future__ import annotations

import pytest
import torch

from backend.shape_tokenizer import compiled_field
from backend.shape_tokenizer.grid import GridShapeTokenizer, GridShapeTokenizerConfig

CONFIG = GridShapeTokenizerConfig(
    token_grid=2, n_codes=32, code_dim=8, width=16, mid_width=8, field_width=8, n_heads=2
)


@pytest.fixture
def tokenizer() -> GridShapeTokenizer:
    torch.manual_seed(0)
    return GridShapeTokenizer(CONFIG).eval()


def places() -> torch.Tensor:
    """Anywhere, on cell centres and borders, on the walls and outside."""
    cells = (torch.arange(17) / 8 - 1) * 1.05
    generator = torch.Generator().manual_seed(1)
    anywhere = torch.rand(1000, 3, generator=generator) * 2.6 - 1.3
    return torch.cat([anywhere, torch.cartesian_prod(cells, cells, cells)])[None]


@torch.inference_mode()
def test_it_equals_the_layers(tokenizer: GridShapeTokenizer) -> None:
    volume = 3 * torch.randn(1, 8, 8, 8, 8)
    slow, fast = tokenizer.decoder.field(volume, places()), tokenizer.field(volume, places())
    assert slow.std() > 0.1
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_parts_of_the_queries_change_nothing(
    tokenizer: GridShapeTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = torch.randn(1, 8, 8, 8, 8)
    whole = tokenizer.field(volume, places())
    monkeypatch.setattr(compiled_field, "_AT_ONCE", 1000)
    torch.testing.assert_close(tokenizer.field(volume, places()), whole, rtol=0, atol=1e-6)
    assert tokenizer.field(volume, places()[:, :0]).shape == (1, 0)


@torch.inference_mode()
def test_every_volume_gets_its_own_and_training_forgets_it(tokenizer: GridShapeTokenizer) -> None:
    first, second = torch.randn(2, 1, 8, 8, 8, 8)
    for volume in (first, second, first):
        expected = tokenizer.decoder.field(volume, places())
        torch.testing.assert_close(tokenizer.field(volume, places()), expected, rtol=0, atol=1e-5)
    tokenizer.train()
    assert tokenizer._compiled is None


def test_gradients_take_the_layers(tokenizer: GridShapeTokenizer) -> None:
    volume = torch.randn(1, 8, 8, 8, 8, requires_grad=True)
    tokenizer.field(volume, places()).sum().backward()
    assert volume.grad is not None
