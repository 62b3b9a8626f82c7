"""The commands that read data folders."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from training.cli import app


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
    arguments = ["shape-tokenizer", "--data", str(tmp_path), "--run", str(tmp_path / "run")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "holds no dataset.json" in result.stderr
