"""Training curves: every figure of the log is drawn, an absent one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.evaluation.curves import plot, points


@pytest.fixture
def run(tmp_path: Path) -> Path:
    rows = ['{"step": 1, "loss": 4.0}', '{"step": 2, "loss": 2.0}', '{"step": 2, "val": 3.0}']
    (tmp_path / "metrics.jsonl").write_text("\n".join(rows))
    return tmp_path


def test_points_are_those_of_the_log(run: Path) -> None:
    assert points(run, "loss") == [(1, 4.0), (2, 2.0)]


def test_each_figure_becomes_a_line_with_its_name(run: Path) -> None:
    svg = plot(run, ["loss", "val"])
    assert svg.count("<polyline") == 2
    assert ">val<" in svg


def test_absent_figure_is_named(run: Path) -> None:
    with pytest.raises(ValueError, match="accuracy"):
        plot(run, ["accuracy"])
