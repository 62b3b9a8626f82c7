"""Fidelity of images: the definitions on pictures whose figures are known, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

from backend.image_tokenizer.encoder import EncoderConfig
from backend.image_tokenizer.tokenizer import QFormerTokenizer, QFormerTokenizerConfig
from backend.image_tokenizer.vae import ImageVAEConfig
from training.cli import app
from training.evaluation.images import compare, prefixes
from training.image_tokenizer import ImageTokenizerRecipe
from training.loop import LoopSettings, save_recipe


def test_identical_pictures_are_perfect() -> None:
    images = torch.rand(2, 3, 32, 32) * 2 - 1
    assert compare(images, images) == {"psnr": 60.0, "object": 60.0, "ssim": pytest.approx(1.0)}


def test_an_even_error_has_the_decibels_of_its_size() -> None:
    images = torch.ones(1, 3, 32, 32)
    images[:, :, :16] = -1.0  # the object; the rest is white ground
    made = images.clone()
    made[:, :, :16] = -1 + 2 * 51 / 255  # off by a fifth of the range
    figures = compare(images, made)
    assert figures["object"] == pytest.approx(-20 * np.log10(0.2))
    assert figures["psnr"] == pytest.approx(-20 * np.log10(0.2) + 10 * np.log10(2))
    assert 0 < figures["ssim"] < 1


def test_reported_prefixes_halve() -> None:
    assert prefixes(64) == {"tokens": 64, "1/2": 32, "1/4": 16, "1/8": 8}


@pytest.mark.usefixtures("graphics")
def test_command_reports_any_folder_of_pictures_and_the_four_groups(tmp_path: Path) -> None:
    encoder = EncoderConfig(kind="small", width=8, n_layers=1, n_heads=1, stem_width=4, shallow=(0,))
    vae = ImageVAEConfig(size=32, latent_dim=4, encoder=encoder, width=8, n_layers=1, n_heads=1, fine_width=4)
    config = QFormerTokenizerConfig(
        vae=vae, n_tokens=8, n_codes=8, code_dim=4, width=8, n_heads=1, n_encoder_layers=1, n_decoder_layers=3
    )
    run = tmp_path / "run"
    loop = LoopSettings(steps=2, batch=2, peak_lr=1e-3, warmup=1)
    save_recipe(run, ImageTokenizerRecipe(config=config, loop=loop))
    state = QFormerTokenizer(config).state_dict()
    save_file(
        {f"ema.tokenizer.{name}": value for name, value in state.items()}, run / "checkpoint.safetensors"
    )
    (run / "progress.json").write_text('{"step": 0}')
    Image.new("RGB", (40, 30), (200, 30, 30)).save(tmp_path / "a.png")
    out = tmp_path / "sheet.png"
    options = ["--run", str(run), "--pictures", str(tmp_path), "--out", str(out), "--groups", "1"]
    result = CliRunner().invoke(app, ["evaluate", "images", *options])
    assert result.exit_code == 0, result.output
    figures = json.loads(out.with_suffix(".json").read_text())
    of_files, of_groups = figures["tables"]
    assert {"vae", "tokens", "1/2", "1/4", "1/8"} == of_files["rows"].keys()
    assert {"PSNR", "object PSNR", "SSIM"} == of_files["rows"]["tokens"].keys()
    assert of_groups["rows"]["tokens: human"]["pictures"] == 1
    assert any("FID: not measured" in note for note in of_files["notes"])
    with Image.open(out) as sheet:
        assert sheet.width > 6 * 32
    wrong = CliRunner().invoke(app, ["evaluate", "images", "--run", str(run), "--out", str(out)])
    assert wrong.exit_code == 2
