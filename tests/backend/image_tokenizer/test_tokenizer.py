"""The 1D image tokenizer at a tiny size; the paper's sizes on the meta device."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backend import checkpoint
from backend.checkpoint import ModelInfo
from backend.image_tokenizer import KINDS
from backend.image_tokenizer.encoder import EncoderConfig
from backend.image_tokenizer.interface import ImageTokenizer
from backend.image_tokenizer.tokenizer import QFormerTokenizer, QFormerTokenizerConfig
from backend.image_tokenizer.vae import ImageVAEConfig
from backend.models import REGISTRIES

SMALL = EncoderConfig(kind="small", width=16, n_layers=2, n_heads=2, stem_width=8, shallow=(0,))
DINO = EncoderConfig(width=16, n_layers=2, n_heads=2, n_registers=2, shallow=(0, 1))
INFO = ModelInfo(preset="tiny", text_encoder="none", licence="none", provenance="test")


def tiny(encoder: EncoderConfig = SMALL) -> QFormerTokenizerConfig:
    vae = ImageVAEConfig(
        size=48,
        latent_dim=6,
        encoder=encoder,
        texture_dim=8,
        semantic_dim=8,
        width=16,
        n_layers=1,
        n_heads=2,
        fine_width=4,
        n_fine=1,
    )
    return QFormerTokenizerConfig(
        vae=vae,
        n_tokens=8,
        n_codes=32,
        code_dim=4,
        width=16,
        n_heads=2,
        n_encoder_layers=1,
        n_decoder_layers=2,
        align_layer=1,
    )


@pytest.fixture(scope="module")
def tokenizer() -> QFormerTokenizer:
    return filled(QFormerTokenizer(tiny()))


def filled(tokenizer: QFormerTokenizer) -> QFormerTokenizer:
    """Random everywhere: an untrained one's residual branches are zero."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in [*tokenizer.parameters(), tokenizer.latent_mean]:
            value.normal_(std=0.2, generator=generator)
        tokenizer.latent_scale.fill_(0.7)
    return tokenizer.eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 3, 48, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1


@torch.no_grad()
def test_round_trip_has_the_promised_shapes(tokenizer: ImageTokenizer, images: torch.Tensor) -> None:
    ids = tokenizer.encode(images)
    assert (ids.shape, ids.dtype) == ((3, 8), torch.int64)
    made = tokenizer.decode(ids)
    assert made.shape == images.shape
    assert made.abs().max() <= 1
    assert tokenizer.codebook().shape == (32, 4)
    assert (tokenizer.config.size, tokenizer.config.n_tokens, tokenizer.config.n_codes) == (48, 8, 32)


@torch.no_grad()
def test_encoding_and_decoding_repeat(tokenizer: QFormerTokenizer, images: torch.Tensor) -> None:
    ids = tokenizer.encode(images)
    assert torch.equal(ids, tokenizer.encode(images))
    assert torch.equal(tokenizer.decode(ids), tokenizer.decode(ids))


@torch.no_grad()
def test_a_prefix_looks_at_nothing_behind_it(tokenizer: QFormerTokenizer) -> None:
    ids = torch.arange(8)[None]
    changed = ids.clone()
    changed[:, 5:] = 31
    assert torch.equal(tokenizer.decode_prefix(ids, 5), tokenizer.decode_prefix(changed, 5))
    assert not torch.equal(tokenizer.decode_prefix(ids, 6), tokenizer.decode_prefix(changed, 6))
    assert torch.equal(tokenizer.decode_prefix(ids, 8), tokenizer.decode(ids))
    assert tokenizer.decode_prefix(ids, 0).shape == (1, 3, 48, 48)


@pytest.mark.parametrize("count", [-1, 9])
def test_an_impossible_prefix_is_refused(tokenizer: QFormerTokenizer, count: int) -> None:
    with pytest.raises(ValueError, match="0 to 8 tokens"):
        tokenizer.decode_prefix(torch.zeros(1, 8, dtype=torch.int64), count)


@torch.no_grad()
def test_features_are_the_grid_that_pixels_are_made_of(tokenizer: QFormerTokenizer) -> None:
    ids = torch.arange(16).view(2, 8)
    grid = tokenizer.features(ids)
    assert grid.shape == (2, 6, 3, 3)
    again = tokenizer.vae.decode(grid.flatten(2).transpose(1, 2)).clamp(-1, 1)
    torch.testing.assert_close(again, tokenizer.decode(ids))


def test_another_image_size_is_refused(tokenizer: QFormerTokenizer) -> None:
    with pytest.raises(ValueError, match=r"must be \(B, 3, 48, 48\), not \(1, 3, 32, 32\)"):
        tokenizer.encode(torch.zeros(1, 3, 32, 32))


@torch.no_grad()
@pytest.mark.parametrize("encoder", [SMALL, DINO], ids=["small", "dinov3"])
def test_a_model_folder_brings_it_back(encoder: EncoderConfig, images: torch.Tensor, tmp_path: Path) -> None:
    made = filled(QFormerTokenizer(tiny(encoder)))
    checkpoint.save(tmp_path / "model", INFO, {"image_tokenizer": made}, REGISTRIES)
    loaded = checkpoint.load(tmp_path / "model", REGISTRIES).modules["image_tokenizer"]
    assert isinstance(loaded, QFormerTokenizer)
    assert loaded.config == made.config
    ids = made.encode(images)
    assert torch.equal(loaded.encode(images), ids)
    assert torch.equal(loaded.decode(ids), made.decode(ids))


@pytest.mark.parametrize(
    ("size", "n_tokens", "millions"), [(512, 1024, 985.9), (256, 256, 980.0)], ids=["512", "256"]
)
def test_the_paper_s_sizes_build_on_the_meta_device(size: int, n_tokens: int, millions: float) -> None:
    config = QFormerTokenizerConfig(vae=ImageVAEConfig(size=size), n_tokens=n_tokens)
    with torch.device("meta"):
        tokenizer = QFormerTokenizer(config)
    assert sum(p.numel() for p in tokenizer.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)
    assert sum(p.numel() for p in tokenizer.vae.encoder.parameters()) == 303_129_600  # DINOv3-L as published
    assert tokenizer.quantizer.codebook.weight.shape == (65_536, 64)
    assert tokenizer.encoder.queries.shape == (n_tokens, 1024)
    assert tokenizer.vae.decoder.latent_in.in_features == 832


@pytest.mark.parametrize("wrong", [{"n_tokens": 0}, {"align_layer": 25}])
def test_impossible_sizes_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"positive|decoder layer"):
        QFormerTokenizerConfig(**wrong)  # type: ignore[arg-type]
    assert list(KINDS) == ["qformer"]
