"""What a run shows: figures over their weights, lines, sheets, trackers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tests.training.loop.processes import EXACT, SETTINGS, Heads
from training.evaluation.sheets import Panel, Section
from training.loop import Loss, train
from training.loop.metrics import Sums, averages, line, merged
from training.loop.speed import matrix_speed

SHORT = replace(SETTINGS, steps=4, sheet_every=2)


class Shown(Heads):
    def sheet(self, model: nn.Module) -> list[Section]:
        assert not model.training
        return [Section(panels=[Panel(caption="grey", images=(np.full((16, 16, 3), 128, np.uint8),))])]


def test_figures_are_sums_over_weights_whatever_the_parts_and_ranks() -> None:
    first, second = Sums(), Sums()
    first.add({"a": (torch.tensor(6.0), 2), "tokens": (10, 0)})
    first.add({"a": (2.0, 2)})
    second.add({"a": (torch.tensor(0.0), 4), "b": (1.0, 1)})
    both = merged([first.state(), second.state()])
    assert averages(both) == {"a": 1.0, "b": 1.0}
    assert both.state()["tokens"] == (10, 0)


def test_a_line_tells_losses_speed_and_time_left() -> None:
    row = {"step": 1500, "seconds": 9, "loss/text_to_shape": 1.23456, "tokens_per_second": 2345.6}
    text = line(row | {"utilisation": 0.314}, 40_000, 3725)
    assert text.startswith("step 1,500/40,000  loss/text_to_shape 1.235  2,346 tokens/s  31%")
    assert text.endswith("1:02:05 left")


def test_rows_hold_the_pace_and_the_utilisation(tmp_path: Path) -> None:
    train(Heads(), SHORT, tmp_path, EXACT, quiet=True)
    row = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])
    assert row["tokens_per_second"] > 0
    assert 0 <= row["utilisation"] < 1
    assert matrix_speed(torch.device("cpu"), "no") > 1e8


def test_sheets_are_drawn_every_so_often(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(Shown(), SHORT, tmp_path, EXACT)
    assert [path.name for path in sorted((tmp_path / "sheets").iterdir())] == [
        "step-00000002.png",
        "step-00000004.png",
    ]
    with Image.open(tmp_path / "sheets" / "step-00000004.png") as page:
        assert page.width > 16
    assert "step 4/4  loss" in capsys.readouterr().out


def test_tensorboard_gets_figures_and_sheets(tmp_path: Path) -> None:
    train(Shown(), SHORT, tmp_path, replace(EXACT, trackers=("tensorboard",)), quiet=True)
    written = b"".join(path.read_bytes() for path in (tmp_path / "tracked").rglob("*tfevents*"))
    assert b"kind_0" in written
    assert b"samples" in written


def test_a_batch_of_another_size_than_the_recipes_is_refused(tmp_path: Path) -> None:
    class Short(Heads):
        def loss(self, model: nn.Module, part: tuple[int, torch.Tensor]) -> Loss:
            return replace(super().loss(model, part), samples=1)

    with pytest.raises(ValueError, match="2 samples a step where the recipe has 6"):
        train(Short(), SHORT, tmp_path, EXACT, quiet=True)
