"""The commands: what they take, and what they say when it does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from training.cli import app
from training.loop import Machine, save_recipe
from training.recipes import mini
from training.runs import Inputs, changes, task_of


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_stats_print_table_1_and_what_a_folder_serves(packed: Path) -> None:
    told = run("data", "stats", "--data", packed, "--shape", 216)
    assert "image-3D" in told
    assert "1,240" in told  # tokens of an image and a shape of `mini`
    assert "text_to_shape" in told
    assert "CC0-1.0 6" in told


def test_a_folder_without_shards_is_one_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["tokens", "--data", str(tmp_path), "--shape-run", str(tmp_path)])
    assert result.exit_code == 1
    assert "holds no dataset.json" in result.stderr
    assert "Traceback" not in result.output


def test_training_on_a_folder_without_shards_is_one_sentence(tmp_path: Path) -> None:
    arguments = ["train", "shape_tokenizer", "--data", str(tmp_path), "--run", str(tmp_path / "run")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "holds no dataset.json" in result.stderr


def refused(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    return result.stderr.strip()


def test_recipes_are_listed_in_their_order() -> None:
    lines = run("recipes", "--preset", "omni123-2b").splitlines()
    names = [line.split()[0] for line in lines[1:]]
    assert names[-5:] == ["pt1", "pt2", "ct", "sft", "edit"]
    assert "400,000  2,048    5,000     0.0005     7.61e+11" in lines[-5]


def test_a_dry_run_needs_no_data() -> None:
    told = run("train", "sft", "--dry-run", "--devices", 8, "--checkpoint-activations")
    assert "mini sft on 8 GPUs of 80 GB" in told
    assert "16 = 8 GPUs x 2" in told


def test_what_a_recipe_starts_from_must_be_named(tmp_path: Path) -> None:
    folders = ("--data", tmp_path, "--run", tmp_path / "run")
    assert "--shape-run" in refused("train", "pt2", *folders)
    assert "--image-run" in refused("train", "pt2", *folders, "--shape-run", tmp_path)
    tokenizers = ("--shape-run", tmp_path, "--image-run", tmp_path)
    assert "starts from a run of pt1" in refused("train", "pt2", *folders, *tokenizers)
    assert "starts from a run of image_vae" in refused("train", "image_tokenizer", *folders)
    assert "name its run with --start" in refused("train", "shape_decoder", *folders)
    assert "--data and --run" in refused("train", "pt1")


def test_recipes_that_do_not_exist_are_one_sentence() -> None:
    assert "choose from shape_tokenizer" in refused("train", "pt3", "--dry-run")
    assert "no function that can be imported" in refused("train", "nowhere:recipe", "--dry-run")
    assert "plans the stages" in refused("train", "image_vae", "--dry-run")


def test_a_recipe_of_one_s_own_is_a_function() -> None:
    assert "mini edit on 1 GPUs" in run("train", "training.recipes.mini:edit_rehearsed", "--dry-run")


def test_a_continued_run_says_what_has_changed(tmp_path: Path) -> None:
    before = mini.pt1()
    save_recipe(tmp_path, before)
    assert list(changes(tmp_path, before)) == []
    assert list(changes(tmp_path / "new", before)) == []
    steps = before.loop.steps
    longer = replace(before, loop=replace(before.loop, steps=9000))
    assert list(changes(tmp_path, longer)) == [f"loop.steps: {steps} before, 9000 from here on"]


def test_what_is_no_recipe_has_no_task(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="LoopSettings is no recipe"):
        task_of(mini.pt1().loop, Inputs(data=tmp_path, run=tmp_path), Machine())
