"""What SIGKILL, SIGTERM and several ranks do to a run, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from training.loop import TIMINGS

pytestmark = pytest.mark.timeout(300)
ROOT = Path(__file__).parents[3]


def play(what: str, folder: Path) -> None:
    """Let `processes.py` play what its docstring names; raises where that fails."""
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("processes.py")), what]
    here = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, str(folder)], env=here, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr


def rows(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name not in TIMINGS} for row in lines]


def logged(run: Path) -> list[dict[str, float]]:
    """Without the evaluations, which also come where a run is told to end."""
    return [row for row in rows(run) if "loss" in row]


def test_a_run_killed_twice_and_stopped_once_logs_the_same_to_the_last_digit(tmp_path: Path) -> None:
    play("killed", tmp_path)
    assert rows(tmp_path / "killed") == rows(tmp_path / "straight")
    straight, killed = (
        load_file(tmp_path / name / "checkpoint.safetensors") for name in ("straight", "killed")
    )
    assert straight.keys() == killed.keys()
    assert all(straight[name].equal(killed[name]) for name in straight)
    # SIGTERM came while step 7 was computed: it was ended, and saved out of turn.
    assert json.loads((tmp_path / "stopped").read_text())["step"] == 8


def test_two_processes_train_as_one_does_sharded_or_not(tmp_path: Path) -> None:
    """The second has no sample of one kind, so that some parameters have gradients on the first alone."""
    play("ranks", tmp_path)
    one = logged(tmp_path / "one")
    for name in ("two", "sharded"):
        assert logged(tmp_path / name) == [pytest.approx(row, abs=1e-5) for row in one]
    weights = [load_file(tmp_path / name / "checkpoint.safetensors") for name in ("one", "sharded")]
    assert weights[0].keys() == weights[1].keys()
    assert all(a.allclose(weights[1][name], atol=1e-5) for name, a in weights[0].items())
