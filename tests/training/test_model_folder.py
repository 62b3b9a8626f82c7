"""Training goes on from a model folder as it does from a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from backend import checkpoint
from backend.model.quantized import block_linears, quantize_linears
from backend.model.transformer import DualStreamTransformer
from backend.models import REGISTRIES
from backend.shape_tokenizer.grid import GridShapeTokenizer
from tests.training.test_export import SHAPE, TRANSFORMER
from training.data.shards.tokens import weights_hash
from training.image_tokenizer import trained_image_tokenizer
from training.model_folder import module_of
from training.origin import Origin, origin_of, stages_done
from training.shape_tokenizer import trained_tokenizer
from training.starting_weights import fill, run_config, trained_transformer

INFO = checkpoint.ModelInfo(
    preset="tiny",
    text_encoder="letters",
    licence="CC0-1.0",
    provenance="training/recipes, stages pt1 (3 steps), sft (4 steps)",
    tasks=("text_to_shape", "image_to_shape"),
)


def made(seed: int = 0) -> tuple[DualStreamTransformer, GridShapeTokenizer]:
    torch.manual_seed(seed)
    return DualStreamTransformer(TRANSFORMER), GridShapeTokenizer(SHAPE)


def saved(folder: Path, transformer: nn.Module, shapes: nn.Module) -> Path:
    modules = {"transformer": transformer, "shape_tokenizer": shapes}
    checkpoint.save(folder, INFO, modules, REGISTRIES, dtype="float32")
    return folder


def test_a_stage_takes_over_the_transformer_of_a_model(tmp_path: Path) -> None:
    given, shapes = made()
    folder, fresh = saved(tmp_path / "model", given, shapes), made(1)[0]
    assert run_config(folder) == TRANSFORMER
    assert fill(fresh, folder) == []
    assert torch.equal(fresh.lm_head.weight, given.lm_head.weight)
    assert torch.equal(fresh.transformer.wte.weight[-3:], given.transformer.wte.weight[-3:])


def test_another_model_cannot_be_started_from(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", *made())
    with pytest.raises(ValueError, match="cannot be started from: its width"):
        fill(DualStreamTransformer(replace(TRANSFORMER, width=64)), folder)


def test_weights_held_in_int8_can_be_trained_on(tmp_path: Path) -> None:
    given, shapes = made()
    before = given.lm_head.weight.detach().clone()
    quantize_linears(given, block_linears(given))
    back = trained_transformer(saved(tmp_path / "model", given, shapes))
    assert all(parameter.requires_grad for parameter in back.parameters())
    assert {parameter.dtype for parameter in back.parameters()} == {torch.float32}
    torch.testing.assert_close(back.lm_head.weight, before, rtol=0, atol=float(before.abs().max()) / 127)


def test_what_a_model_was_trained_for_and_on_goes_with_it(tmp_path: Path) -> None:
    transformer, shapes = made()
    folder = saved(tmp_path / "model", transformer, shapes)
    assert origin_of(folder) == Origin(
        stages=("pt1 (3 steps), sft (4 steps)",),
        tasks=INFO.tasks,
        tokenizers={"shape": weights_hash(shapes)},
    )
    assert stages_done(folder) == origin_of(folder).stages
    assert weights_hash(trained_tokenizer(folder)) == weights_hash(shapes)


def test_what_a_model_lacks_is_one_sentence(tmp_path: Path) -> None:
    folder = saved(tmp_path / "model", *made())
    with pytest.raises(ValueError, match="has no image_tokenizer"):
        trained_image_tokenizer(folder)
    with pytest.raises(ValueError, match="is a GridShapeTokenizer, not a DualStreamTransformer"):
        module_of(folder, "shape_tokenizer", DualStreamTransformer)
    (folder / "config.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(ValueError, match="model format 99"):
        origin_of(folder)
