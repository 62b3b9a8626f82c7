"""The named models have the published sizes, to the parameter."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend import presets
from backend.checkpoint import config_from_dict, read_config
from backend.model.config import Embedding, TransformerConfig
from backend.presets import PRESETS, cache_elements, modules, parameters, transformer_size
from backend.server.cli import BUNDLED
from backend.shape_tokenizer.grid import GridShapeTokenizerConfig


def free_size(config: TransformerConfig) -> float:
    """Billions of parameters, without the null text and the table rows that a projection overwrites."""
    count = transformer_size(replace(presets.omni123_2b(), transformer=config))
    overwritten = config.n_shape_codes if config.embed_codes == "projected" else 0
    return (count - (overwritten + config.text_tokens) * config.width) / 1e9


def test_the_papers_blocks_are_counted_to_the_digit() -> None:
    model = modules(presets.omni123_2b())["transformer"]
    blocks = [(name, p) for name, p in model.named_parameters() if "_blocks." in name]
    assert sum(p.numel() for _, p in blocks) == 2_006_313_856
    last = sum(p.numel() for name, p in blocks if "dual_blocks.23." in name)
    single = sum(p.numel() for name, p in blocks if "single_blocks.0." in name)
    assert (last, single) == (42_487_680, 37_765_888)


@pytest.mark.parametrize(
    ("shapes", "images", "billions"),
    [
        ("learned", "learned", 2.2609),  # A
        ("learned", "projected", 2.1602),  # C
        ("projected", "learned", 2.2356),  # D
        ("projected", "projected", 2.1350),  # E
    ],
)
def test_every_reading_of_table_3_comes_to_its_total(
    shapes: Embedding, images: Embedding, billions: float
) -> None:
    config = replace(presets.omni123_2b().transformer, embed_codes=shapes, embed_image_codes=images)
    assert free_size(config) == pytest.approx(billions, abs=1.5e-4)


def test_the_preset_is_the_papers_2_2_billion() -> None:
    assert round(transformer_size(presets.omni123_2b()) / 1e9, 1) == 2.2
    first = presets.omni123_2b(image_tokens=256, views=False)
    assert first.transformer.lengths == {"shape": 1024, "image": 256}
    assert first.image_tokenizer is not None
    assert first.image_tokenizer.size == 256
    assert transformer_size(presets.omni123_2b()) - transformer_size(first) == 6 * 1536


@pytest.mark.parametrize(
    ("name", "transformer", "tokenizer"),
    [("cube3d-v0.5", 1_793_531_520, 273_772_705), ("cube3d-v0.1", 1_793_525_376, 272_986_273)],
)
def test_published_models_have_their_files_sizes(name: str, transformer: int, tokenizer: int) -> None:
    preset = PRESETS[name]()
    assert transformer_size(preset) == transformer
    assert parameters(preset)["shape_tokenizer"] == tokenizer


@pytest.mark.parametrize("name", PRESETS)
def test_text_encoder_and_tokenizer_fit_the_transformer(name: str) -> None:
    preset = PRESETS[name]()
    assert preset.name == name
    tokens, config = preset.shape_tokenizer, preset.transformer
    assert (tokens.n_codes, tokens.code_dim, tokens.n_tokens) == (
        *(config.n_shape_codes, config.shape_code_dim, config.n_shape_tokens),
    )
    pictures = preset.image_tokenizer
    if pictures is None:
        assert config.n_image_codes == 0
    else:
        assert (pictures.n_codes, pictures.code_dim, pictures.n_tokens) == (
            *(config.n_image_codes, config.image_code_dim, config.n_image_tokens),
        )
    assert len(preset.text_encoder.split("+")) == len(config.text)


def test_the_bundled_model_is_mini() -> None:
    info, described = read_config(BUNDLED)
    preset = presets.mini(images="image_tokenizer" in described)
    assert (info.preset, info.text_encoder) == (preset.name, preset.text_encoder)
    assert config_from_dict(TransformerConfig, described["transformer"][1]) == preset.transformer
    found = config_from_dict(GridShapeTokenizerConfig, described["shape_tokenizer"][1])
    assert found == preset.shape_tokenizer


def test_a_row_of_the_longest_chain_caches_every_layer() -> None:
    config = presets.omni123_2b().transformer
    positions = 7 * 1024 + 6
    assert cache_elements(config, positions) == 2 * 1536 * (24 * (333 + positions) + 6 * positions)
