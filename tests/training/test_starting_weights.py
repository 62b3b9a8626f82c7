"""What a stage takes over from the run before, and what may be new in it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from backend.model.config import TransformerConfig
from backend.model.transformer import DualStreamTransformer
from backend.sequence import VIEWS, Segment
from tests.backend.small_model import CONFIG
from tests.training.token_shards import tokenizers
from training.starting_weights import fill, point_heads, run_config, trained_transformer

WHOLE = replace(CONFIG, use_bbox=False)
PRE_TRAINED = replace(WHOLE, n_views=0)
SHAPES = replace(PRE_TRAINED, n_image_codes=0, image_code_dim=0, n_image_tokens=0)
IMAGE_PARTS = ["image_head.weight", "image_proj.bias", "image_proj.weight", "image_wte.weight"]


def made(config: TransformerConfig, seed: int = 0) -> DualStreamTransformer:
    torch.manual_seed(seed)
    return DualStreamTransformer(config)


def run_of(folder: Path, config: TransformerConfig) -> Path:
    """A run's folder with weights of its own."""
    weights = made(config, 1).state_dict()
    save_file({f"ema.{name}": value for name, value in weights.items()}, folder / "checkpoint.safetensors")
    (folder / "recipe.json").write_text(json.dumps({"config": asdict(config)}))
    return folder


@pytest.mark.parametrize(
    ("before", "now", "new"),
    [
        (WHOLE, WHOLE, []),
        (PRE_TRAINED, replace(PRE_TRAINED, n_image_tokens=9), []),  # pt1 to pt2: more tokens of each picture
        (PRE_TRAINED, WHOLE, ["view_wte.weight"]),  # ct
        (SHAPES, PRE_TRAINED, IMAGE_PARTS),  # pt1 from text_to_shape alone
        (SHAPES, WHOLE, [*IMAGE_PARTS, "view_wte.weight"]),
    ],
)
def test_only_what_the_stage_adds_is_new(
    tmp_path: Path, before: TransformerConfig, now: TransformerConfig, new: list[str]
) -> None:
    run, filled = run_of(tmp_path, before), made(now, 2)
    fresh = {name: value.clone() for name, value in filled.state_dict().items()}
    assert fill(filled, run) == new
    given = made(before, 1).state_dict()
    for name, value in filled.state_dict().items():
        if name != "view_wte.weight":
            assert torch.equal(value, fresh[name] if name in new else given[name])


def test_view_tokens_begin_as_the_start_of_any_picture(tmp_path: Path) -> None:
    filled = made(WHOLE)
    fill(filled, run_of(tmp_path, PRE_TRAINED))
    filled.set_codebooks(torch.zeros(32, 4), torch.zeros(32, 4))
    table, vocabulary = filled.embedding_table(), filled.vocabulary
    start = table[vocabulary.start(Segment("image"))]
    assert all(torch.equal(table[vocabulary.start(Segment("image", view))], start) for view in VIEWS)


@pytest.mark.parametrize(
    ("before", "now", "named"),
    [
        (replace(WHOLE, width=64), WHOLE, "width"),
        (replace(WHOLE, n_image_codes=64), WHOLE, "n_image_codes"),
        (WHOLE, PRE_TRAINED, "n_views"),
        (WHOLE, SHAPES, "n_image_codes"),
    ],
)
def test_another_model_cannot_be_started_from(
    tmp_path: Path, before: TransformerConfig, now: TransformerConfig, named: str
) -> None:
    with pytest.raises(ValueError, match=f"cannot be started from.*{named}"):
        fill(made(now), run_of(tmp_path, before))


def test_weights_that_are_missing_are_named(tmp_path: Path) -> None:
    run = run_of(tmp_path, WHOLE)
    weights = {f"ema.{name}": value for name, value in made(WHOLE).state_dict().items()}
    del weights["ema.lm_head.weight"]
    save_file(weights, run / "checkpoint.safetensors")
    with pytest.raises(ValueError, match=r"lacks .*lm_head\.weight"):
        fill(made(WHOLE), run)


def test_runs_from_before_there_were_images_are_read(tmp_path: Path) -> None:
    """Their recipe has neither pictures nor several text encoders."""
    run = run_of(tmp_path, SHAPES)
    raw = asdict(SHAPES)
    raw |= {"text_width": raw["text"][0]["width"], "text_tokens": raw["text"][0]["tokens"]}
    later = ("text", "n_image_codes", "image_code_dim", "n_image_tokens", "embed_image_codes", "n_views")
    old = {name: value for name, value in raw.items() if name not in later}
    (run / "recipe.json").write_text(json.dumps({"config": old}))
    assert run_config(run) == SHAPES
    assert trained_transformer(run).config == SHAPES
    assert fill(made(WHOLE), run) == [*IMAGE_PARTS, "view_wte.weight"]


def test_new_heads_begin_with_like_codes_alike(tmp_path: Path) -> None:
    own = tokenizers()
    assert own.image is not None
    filled, before = made(PRE_TRAINED), run_of(tmp_path, SHAPES)
    new = fill(filled, before)
    shape_head = filled.lm_head.weight.clone()
    point_heads(filled, new, own)
    assert torch.equal(filled.lm_head.weight, shape_head)  # taken over, not new
    rows = F.normalize(filled.image_head.weight[:32], dim=-1)
    codes = F.normalize(own.image.codebook(), dim=-1)
    torch.testing.assert_close(rows @ rows.T, codes @ codes.T, atol=1e-5, rtol=0)
