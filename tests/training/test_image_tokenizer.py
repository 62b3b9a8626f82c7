"""Both stages of the image tokenizer on coloured squares: they learn, resume, and keep to their parts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from backend.image_tokenizer.encoder import EncoderConfig
from backend.image_tokenizer.tokenizer import QFormerTokenizerConfig
from backend.image_tokenizer.vae import ImageVAE, ImageVAEConfig
from training.image_tokenizer import (
    ImageTokenizerRecipe,
    ImageTokenizerTask,
    ImageVAERecipe,
    ImageVAETask,
    drawn,
    trained_image_tokenizer,
    trained_vae,
)
from training.loop import LoopSettings, Machine, save_recipe, train
from training.recipes import image_tokenizer as recipes

EXACT = Machine(precision="no")
LOOP = LoopSettings(steps=30, batch=8, peak_lr=0.01, warmup=2, log_every=1, save_every=100, ema=0.8)
VAE = ImageVAEConfig(
    size=32,
    latent_dim=8,
    encoder=EncoderConfig(kind="small", width=16, n_layers=1, n_heads=2, stem_width=8, shallow=(0,)),
    texture_dim=8,
    semantic_dim=8,
    width=16,
    n_layers=1,
    n_heads=2,
    fine_width=8,
    n_fine=1,
)
STAGE_1 = ImageVAERecipe(config=VAE, loop=LOOP, kind_weight=0.1)
STAGE_2 = ImageTokenizerRecipe(
    config=QFormerTokenizerConfig(
        vae=VAE,
        n_tokens=4,
        n_codes=16,
        code_dim=4,
        width=16,
        n_heads=2,
        n_encoder_layers=1,
        n_decoder_layers=2,
        align_layer=1,
    ),
    loop=LOOP,
    quantise_from=10,
    restart_every=4,
)


class Squares:
    """Squares of one of three colours somewhere on white."""

    kinds = ("red", "green", "blue")

    def __len__(self) -> int:
        return 300

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        return rng.integers(len(self), size=count)

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        pixels = np.full((len(rows), 32, 32, 3), 255, np.uint8)
        for picture, row in zip(pixels, rows, strict=True):
            top, left = row % 10, row // 30
            picture[top : top + 16, left : left + 16] = np.eye(3)[row % 3] * 200
        return pixels

    def kind(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return rows % 3


def first(recipe: ImageVAERecipe = STAGE_1) -> ImageVAETask:
    return ImageVAETask(recipe, Squares(), Squares())


def second(recipe: ImageTokenizerRecipe = STAGE_2) -> ImageTokenizerTask:
    torch.manual_seed(1)
    return ImageTokenizerTask(recipe, ImageVAE(VAE), Squares(), Squares())


def losses(folder: Path, name: str = "loss") -> list[float]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [row[name] for row in rows if name in row]


def test_the_vae_learns(tmp_path: Path) -> None:
    train(first(), LOOP, tmp_path, EXACT, quiet=True)
    figures = losses(tmp_path)
    assert np.mean(figures[-3:]) < 0.6 * np.mean(figures[:3])
    assert losses(tmp_path, "edges")[-1] < losses(tmp_path, "edges")[0]


def test_the_tokens_learn_and_the_vae_gets_no_gradient(tmp_path: Path) -> None:
    task = second(replace(STAGE_2, quantise_from=0))
    before = {name: value.clone() for name, value in task._compression.tokenizer.vae.state_dict().items()}
    task.loss(task.model, task.parts(0, 0, 1)[0]).value.backward()
    tokenizer = task._compression.tokenizer
    assert all(p.grad is None for p in tokenizer.vae.parameters())
    assert all(p.grad is not None for p in tokenizer.encoder.parameters())
    assert all(p.grad is not None for p in tokenizer.decoder.parameters())
    train(task, LOOP, tmp_path, EXACT, quiet=True)
    after = tokenizer.vae.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    features = losses(tmp_path, "features")
    assert np.mean(features[-5:]) < 0.8 * np.mean(features[:5])


@pytest.mark.parametrize("cut", [5, 10, 17])
def test_a_cut_run_ends_as_an_uncut_one(tmp_path: Path, cut: int) -> None:
    """Before the codes are discrete, at the switch, and between two restarts of unused codes."""
    settings = replace(STAGE_2, loop=replace(LOOP, steps=20))
    train(second(settings), settings.loop, tmp_path / "straight", EXACT, quiet=True)
    for stop in (cut, None):
        train(second(settings), settings.loop, tmp_path / "cut", EXACT, stop_after=stop, quiet=True)
    straight, again = (load_file(tmp_path / run / "checkpoint.safetensors") for run in ("straight", "cut"))
    assert all(torch.equal(straight[name], again[name]) for name in straight)


def test_both_stages_follow_each_other(tmp_path: Path) -> None:
    save_recipe(tmp_path / "vae", STAGE_1)
    train(first(), LOOP, tmp_path / "vae", EXACT, stop_after=3, quiet=True)
    task = ImageTokenizerTask(STAGE_2, trained_vae(tmp_path / "vae"), Squares(), Squares())
    save_recipe(tmp_path / "tokens", STAGE_2)
    train(task, LOOP, tmp_path / "tokens", EXACT, stop_after=12, quiet=True)
    tokenizer = trained_image_tokenizer(tmp_path / "tokens")
    assert tokenizer.config == STAGE_2.config
    assert not tokenizer.training
    images, _ = drawn(Squares(), 2, np.random.default_rng(0), 0.0)
    assert tokenizer.decode(tokenizer.encode(images)).shape == images.shape
    assert losses(tmp_path / "tokens", "tokens_psnr")
    assert losses(tmp_path / "tokens", "1/8_ssim")


def test_latents_are_standardised_by_one_scale() -> None:
    task = second()
    latents = task._compression.tokenizer.standardised(task._latents(64, 1)).flatten(0, 1)
    assert float(latents.square().mean()) == pytest.approx(1.0, abs=0.2)
    assert float(latents.mean(dim=0).abs().max()) < 0.3


def test_batches_repeat_and_are_mirrored_and_recoloured() -> None:
    images, kinds = drawn(Squares(), 64, np.random.default_rng(3), 0.5)
    again, _ = drawn(Squares(), 64, np.random.default_rng(3), 0.5)
    assert torch.equal(images, again)
    plain, _ = drawn(Squares(), 64, np.random.default_rng(3), 0.0)
    assert 10 < (images != plain).flatten(1).any(dim=1).sum() < 54
    assert kinds.unique().tolist() == [0, 1, 2]
    assert images.max() == 1.0


def test_recipes_hold_the_paper_s_numbers() -> None:
    large, small = recipes.full_tokenizer(512).config, recipes.full_tokenizer(256).config
    assert (large.n_tokens, small.n_tokens) == (1024, 256)
    assert (large.n_codes, large.code_dim, large.vae.latent_dim) == (65_536, 64, 832)
    assert recipes.full_vae().config == large.vae
    assert recipes.mini_tokenizer().config.vae == recipes.mini_vae().config
