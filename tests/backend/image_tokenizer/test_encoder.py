"""Representation encoders: the real DINOv3 class in the real format, and the small one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import DINOv3ViTConfig, DINOv3ViTModel

from backend.failures import WeightsError
from backend.image_tokenizer.encoder import DinoEncoder, EncoderConfig, SmallEncoder, load_dinov3

TINY_DINO = EncoderConfig(width=32, n_layers=3, n_heads=2, n_registers=4, shallow=(0, 1))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DINOv3ViTModel]:
    """A randomly initialised DINOv3, saved as the published ones are."""
    torch.manual_seed(0)
    settings = DINOv3ViTConfig(
        hidden_size=32,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_register_tokens=4,
    )
    model = DINOv3ViTModel(settings).eval()
    folder = tmp_path_factory.mktemp("dinov3")
    model.save_pretrained(folder)
    return folder, model


def test_loaded_dinov3_gives_the_published_features(published: tuple[Path, DINOv3ViTModel]) -> None:
    folder, model = published
    with torch.device("meta"):
        encoder = DinoEncoder(TINY_DINO)
    encoder = encoder.to_empty(device="cpu")
    encoder.vit.rope_embeddings = DinoEncoder(TINY_DINO).vit.rope_embeddings
    load_dinov3(encoder, str(folder))
    images = torch.rand(2, 3, 48, 64) * 2 - 1
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    scaled = ((images + 1) / 2 - mean[:, None, None]) / std[:, None, None]
    with torch.no_grad():
        expected = model(scaled, output_hidden_states=True)
        texture, semantics = encoder.eval()(images)
    assert texture.shape == (2, 12, 64)
    assert torch.equal(semantics, expected.last_hidden_state[:, 5:])
    assert torch.equal(texture[..., 32:], expected.hidden_states[1][:, 5:])


def test_a_dinov3_of_another_size_is_refused_by_name(published: tuple[Path, DINOv3ViTModel]) -> None:
    other = DinoEncoder(EncoderConfig(width=32, n_layers=2, n_heads=2, n_registers=4, shallow=(0,)))
    with pytest.raises(WeightsError, match="num_hidden_layers 3 for 2"):
        load_dinov3(other, str(published[0]))


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="holds no DINOv3 weights"):
        load_dinov3(DinoEncoder(TINY_DINO), str(tmp_path))


def test_patches_come_in_reading_order() -> None:
    config = EncoderConfig(kind="small", width=8, n_layers=1, n_heads=2, stem_width=4, shallow=(0,))
    encoder = SmallEncoder(config, 64).eval()
    images = torch.zeros(1, 3, 64, 64)
    plain, _ = encoder(images)
    images[:, :, 6:10, 38:42] = 1.0  # in the middle of row 0, column 2
    texture, _ = encoder(images)
    assert (texture - plain)[0].abs().sum(dim=-1).nonzero().flatten().tolist() == [2]


@pytest.mark.parametrize("wrong", [{"shallow": (24,)}, {"shallow": ()}, {"width": 1000}, {"kind": "small"}])
def test_impossible_sizes_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"texture|heads|stem_width"):
        EncoderConfig(**wrong)  # type: ignore[arg-type]
