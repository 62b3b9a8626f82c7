"""Sizes of published files from their tensors alone, and the published box."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from backend.failures import WeightsError
from backend.model.config import TextInput, TransformerConfig
from backend.model.transformer import DualStreamTransformer
from backend.published import preset, published_box, tokenizer_config, transformer_config
from backend.shape_tokenizer.perceiver import PerceiverShapeTokenizer, PerceiverShapeTokenizerConfig
from backend.shards import StoredTensor

V0_5: dict[str, Any] = {
    "n_dual": 23,
    "n_single": 1,
    "width": 1536,
    "n_heads": 12,
    "rope_theta": 10_000.0,
    "n_shape_codes": 16_384,
    "shape_code_dim": 32,
    "n_shape_tokens": 1024,
    "text": (TextInput(width=768, tokens=77),),
    "learned_null_text": False,
    "use_bbox": True,
}
GPT_SIZES: list[dict[str, Any]] = [
    V0_5,
    {**V0_5, "n_shape_tokens": 512, "use_bbox": False},
    {**V0_5, "n_dual": 1, "n_single": 0, "width": 48, "n_heads": 3, "shape_code_dim": 5},
    {**V0_5, "n_dual": 2, "n_single": 11, "width": 40, "n_heads": 2, "mlp_ratio": 3, "n_shape_codes": 7},
    {**V0_5, "n_dual": 12, "n_single": 2, "width": 32, "n_heads": 16, "bias": False},
]
TOKENIZER_SIZES: list[dict[str, Any]] = [
    {},
    {"n_latents": 512},
    {"n_latents": 5, "n_codes": 9, "code_dim": 3, "width": 24, "n_heads": 4, "n_freqs": 7, "point_feats": 6},
    {
        "width": 36,
        "n_heads": 3,
        "n_encoder_layers": 12,
        "cross_attention_levels": (0, 11),
        "n_decoder_layers": 1,
    },
    {
        "width": 32,
        "n_heads": 2,
        "n_encoder_layers": 1,
        "cross_attention_levels": (0,),
        "n_decoder_layers": 13,
    },
]


def header(module: torch.nn.Module) -> dict[str, StoredTensor]:
    return {name: StoredTensor(t.dtype, tuple(t.shape)) for name, t in module.state_dict().items()}


def gpt_header(config: TransformerConfig) -> dict[str, StoredTensor]:
    with torch.device("meta"):
        return header(DualStreamTransformer(config))


@pytest.mark.parametrize("sizes", GPT_SIZES)
def test_a_transformers_sizes_are_those_of_its_tensors(sizes: dict[str, Any]) -> None:
    config = TransformerConfig(**sizes)
    found = transformer_config(gpt_header(config), n_shape_tokens=config.n_shape_tokens, text_tokens=77)
    assert found == config


@pytest.mark.parametrize("sizes", TOKENIZER_SIZES)
def test_a_tokenizers_sizes_are_those_of_its_tensors(sizes: dict[str, Any]) -> None:
    config = PerceiverShapeTokenizerConfig(**sizes)
    with torch.device("meta"):
        given = header(PerceiverShapeTokenizer(config))
    assert tokenizer_config(given) == config
    for name in ("embedder.weight", "encoder.embedder.weight"):  # the third name is enough
        del given[name]
    assert tokenizer_config(given) == config


def test_published_models_are_known_by_their_sizes() -> None:
    v0_5, v0_1 = (TransformerConfig(**sizes) for sizes in GPT_SIZES[:2])
    long, short = (PerceiverShapeTokenizerConfig(**sizes) for sizes in TOKENIZER_SIZES[:2])
    assert preset(v0_5, long) == "cube3d-v0.5"
    assert preset(v0_1, short) == "cube3d-v0.1"
    assert preset(v0_1, long) == "cube3d"


GPT_SECTION = {
    "n_layer": 2,
    "n_single_layer": 11,
    "rope_theta": 1000,
    "n_head": 2,
    "n_embd": 40,
    "bias": True,
    "eps": 1e-5,
    "shape_model_vocab_size": 7,
    "text_model_embed_dim": 768,
    "use_pooled_text_embed": False,
    "shape_model_embed_dim": 32,
    "use_bbox": True,
}


def read_with(section: dict[str, Any]) -> TransformerConfig:
    given = gpt_header(TransformerConfig(**GPT_SIZES[3]))
    return transformer_config(given, n_shape_tokens=1024, text_tokens=77, raw=section)


def test_a_config_gives_what_tensors_do_not_hold() -> None:
    config = read_with(GPT_SECTION)
    assert (config.rope_theta, config.eps) == (1000.0, 1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_layer": 3}, "n_layer 3 against 2"),
        ({"use_bbox": False}, "use_bbox False against True"),
        ({"use_pooled_text_embed": True}, "use_pooled_text_embed"),
        ({"rope_theta": 0.5}, "rope_theta"),
    ],
)
def test_a_config_that_is_another_models_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        read_with({**GPT_SECTION, **change})


def test_a_config_without_the_rotation_is_refused() -> None:
    section = {key: value for key, value in GPT_SECTION.items() if key != "rope_theta"}
    with pytest.raises(WeightsError, match="lacks rope_theta"):
        read_with(section)


def test_another_file_is_told_by_what_it_lacks() -> None:
    with torch.device("meta"):
        tokenizer = header(PerceiverShapeTokenizer(PerceiverShapeTokenizerConfig()))
    with pytest.raises(WeightsError, match=r"no text_proj\.weight; is this the published file"):
        transformer_config(tokenizer, n_shape_tokens=1, text_tokens=77)
    with pytest.raises(WeightsError, match=r"no decoder\.positional_encodings"):
        tokenizer_config({"text_proj.weight": StoredTensor(torch.float32, (2, 2))})


def test_a_box_is_scaled_and_turned_to_the_models_frame() -> None:
    # Twice as tall as wide, Z up; the published frame has Y up.
    torch.testing.assert_close(published_box((1.0, 0.5, 2.0)), torch.tensor([0.9625, 1.925, 0.48125]))
    torch.testing.assert_close(published_box((1.0, 0.5, 2.0), "z"), torch.tensor([0.9625, 0.48125, 1.925]))
    torch.testing.assert_close(published_box((30.0, 30.0, 30.0)), torch.full((3,), 1.925))


@pytest.mark.parametrize("sides", [(0.0, 1.0, 1.0), (-1.0, 1.0, 1.0), (float("nan"), 1.0, 1.0)])
def test_a_flat_or_impossible_box_is_refused(sides: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        published_box(sides)
