"""Run folders to a model folder: what it holds, what it offers, and whose tokenizers it refuses."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from backend import checkpoint
from backend.image_tokenizer.encoder import EncoderConfig
from backend.image_tokenizer.tokenizer import QFormerTokenizer, QFormerTokenizerConfig
from backend.image_tokenizer.vae import ImageVAEConfig
from backend.model.transformer import DualStreamTransformer
from backend.models import REGISTRIES
from backend.shape_tokenizer.grid import GridShapeTokenizer, GridShapeTokenizerConfig
from tests.backend.small_model import CONFIG
from training.data.shards.tokens import weights_hash
from training.export import export
from training.loop import averaged_weights
from training.origin import Origin, origin_of

SHAPE = GridShapeTokenizerConfig(
    token_grid=2, n_codes=64, code_dim=4, width=8, mid_width=8, field_width=8, n_attention=0, n_heads=1
)
IMAGE = QFormerTokenizerConfig(
    vae=ImageVAEConfig(
        size=32,
        latent_dim=8,
        encoder=EncoderConfig(
            kind="small", width=16, n_layers=1, n_heads=2, n_registers=0, stem_width=8, shallow=(0,)
        ),
        texture_dim=8,
        semantic_dim=8,
        width=16,
        n_layers=1,
        n_heads=2,
        fine_width=8,
        n_fine=1,
    ),
    n_tokens=4,
    n_codes=16,
    code_dim=4,
    width=16,
    n_heads=2,
    n_encoder_layers=1,
    n_decoder_layers=2,
    align_layer=1,
)
TRANSFORMER = replace(CONFIG, use_bbox=False, n_shape_codes=64, n_shape_tokens=8, n_image_codes=16)


def run_of(folder: Path, module: nn.Module, prefix: str, recipe: dict[str, object]) -> Path:
    """A run's folder as training leaves it."""
    folder.mkdir()
    tensors = {f"ema.{prefix}{name}": value.clone() for name, value in module.state_dict().items()}
    save_file(tensors, folder / "checkpoint.safetensors")
    (folder / "recipe.json").write_text(json.dumps(recipe))
    (folder / "progress.json").write_text(json.dumps({"step": 40}))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, Path]:
    """Of both tokenizers and of a transformer that was edited last."""
    torch.manual_seed(0)
    shape, image = GridShapeTokenizer(SHAPE), QFormerTokenizer(IMAGE)
    transformer = DualStreamTransformer(TRANSFORMER)
    recipe = {"config": asdict(TRANSFORMER), "preset": "tiny", "text_encoder": "letters"}
    runs = {
        "shape": run_of(tmp_path / "shape", shape, "tokenizer.", {"config": asdict(SHAPE)}),
        "image": run_of(tmp_path / "image", image, "tokenizer.", {"config": asdict(IMAGE)}),
        "edit": run_of(tmp_path / "edit", transformer, "", recipe),
    }
    Origin(
        stages=("sft (6 steps)", "edit"),
        tasks=("edit_shape", "text_to_shape", "shape_to_views"),
        tokenizers={"shape": weights_hash(shape), "image": weights_hash(image)},
    ).save(runs["edit"])
    return runs


def test_a_model_folder_holds_all_parts_and_offers_what_was_trained(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    export(runs["edit"], runs["shape"], runs["image"], tmp_path / "model")
    loaded = checkpoint.load(tmp_path / "model", REGISTRIES)
    assert set(loaded.modules) == {"transformer", "shape_tokenizer", "image_tokenizer"}
    assert loaded.info.tasks == ("text_to_shape", "shape_to_views", "edit_shape")
    assert (loaded.info.preset, loaded.info.text_encoder) == ("tiny", "letters")
    assert "sft (6 steps), edit (40 steps)" in loaded.info.provenance
    transformer = loaded.modules["transformer"]
    assert transformer.config == TRANSFORMER
    trained = averaged_weights(runs["edit"])
    for name, own in transformer.state_dict().items():
        derived = transformer.derived_rows.get(name)
        assert torch.equal(own[derived:], trained[name][derived:].half().float()), name


def test_a_run_with_pictures_needs_its_image_tokenizer(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name the run of its image tokenizer"):
        export(runs["edit"], runs["shape"], None, tmp_path / "model")


def test_another_tokenizer_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    torch.manual_seed(1)
    other = run_of(tmp_path / "other", GridShapeTokenizer(SHAPE), "tokenizer.", {"config": asdict(SHAPE)})
    with pytest.raises(ValueError, match="another shape tokenizer"):
        export(runs["edit"], other, runs["image"], tmp_path / "model")


def test_edits_may_have_a_transformer_of_their_own(runs: dict[str, Path], tmp_path: Path) -> None:
    recipe = json.loads((runs["edit"] / "recipe.json").read_text())
    first = run_of(tmp_path / "sft", DualStreamTransformer(TRANSFORMER), "", recipe)
    origin_of(runs["edit"]).save(first)
    origin = json.loads((first / "origin.json").read_text())
    origin |= {"stages": ["sft"], "tasks": ["text_to_shape"]}
    (first / "origin.json").write_text(json.dumps(origin))
    made = export(first, runs["shape"], runs["image"], tmp_path / "model", edit_run=runs["edit"], int8=True)
    assert made.tasks == ("text_to_shape", "edit_shape")  # the second has learnt views too, and does not draw
    assert made.provenance.endswith("stages sft (40 steps); for edits: sft (6 steps), edit (40 steps)")
    again = export(*[tmp_path / "model"] * 3, tmp_path / "again")  # of the first transformer alone
    assert (again.tasks, again.provenance) == (("text_to_shape",), "training/recipes, stages sft (40 steps)")
    loaded = checkpoint.load(tmp_path / "model", REGISTRIES).modules
    for name, run in (("transformer", first), ("edit_transformer", runs["edit"])):
        head, trained = loaded[name].lm_head, averaged_weights(run)["lm_head.weight"]
        assert head.weight.dtype == torch.int8
        torch.testing.assert_close(
            head.weight * head.scale[:, None], trained, rtol=0, atol=float(trained.abs().max()) / 127
        )


def test_a_model_is_exported_again_as_it_is(runs: dict[str, Path], tmp_path: Path) -> None:
    model, again = tmp_path / "model", tmp_path / "again"
    first = export(runs["edit"], runs["shape"], runs["image"], model)
    assert export(model, model, model, again) == first
    assert (model / "model.safetensors.index.json").read_text() == (
        again / "model.safetensors.index.json"
    ).read_text()


def test_edits_trained_on_other_tokens_are_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    model = tmp_path / "model"
    export(runs["edit"], runs["shape"], runs["image"], model)
    origin = json.loads((runs["edit"] / "origin.json").read_text())
    origin["tokenizers"]["shape"] = "another"
    (runs["edit"] / "origin.json").write_text(json.dumps(origin))
    with pytest.raises(ValueError, match="edit was trained on tokens of another shape tokenizer"):
        export(model, model, model, tmp_path / "out", edit_run=runs["edit"])
