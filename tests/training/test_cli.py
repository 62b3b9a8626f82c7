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


def test_pictures_join_a_folder_of_shards(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "mine").mkdir()
    Image.new("RGB", (80, 80), (9, 9, 9)).save(tmp_path / "mine" / "a.png")
    (tmp_path / "mine" / "a.txt").write_text("a dark square")
    data = tmp_path / "data"
    run("data", "pictures", "--source", tmp_path / "mine", "--data", data, "--processes", 1)
    assert "text-image" in run("data", "stats", "--data", data)


def test_a_folder_without_shards_is_one_sentence(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["tokens", "--data", str(tmp_path), "--shape-run", str(tmp_path)])
    assert result.exit_code == 1
    assert "holds no dataset.json" in result.stderr
    assert "Traceback" not in result.output
