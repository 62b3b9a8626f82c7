"""The loop on a model of a dozen weights: what a crash, a resume and the schedule do to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tests.training.loop.processes import SETTINGS as STREAM
from tests.training.loop.processes import Heads, Streamed
from training.loop import (
    Averaged,
    LoopSettings,
    Loss,
    Machine,
    Stateless,
    averaged_weights,
    checkpoint,
    trainer,
)
from training.loop import train as train_on

EXACT = Machine(precision="no")
SETTINGS = LoopSettings(steps=9, batch=64, peak_lr=0.3, warmup=2, save_every=3, log_every=1, ema=0.9)


def train(*run: Any, **rest: Any) -> int:
    return train_on(*run, EXACT, quiet=True, **rest)


class PowerCutError(Exception):
    pass


class Counted(nn.Module):
    """A linear map under dropout, so that randomness matters, and a counter, so that integers do."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 1)
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.linear(nn.functional.dropout(x, 0.05, self.training))[:, 0]


class Regression(Stateless):
    """Fits a plane to points that depend on the step alone; `before` runs ahead of every step."""

    def __init__(self, before: Callable[[int], None] = lambda step: None) -> None:
        torch.manual_seed(0)
        self.model: nn.Module = Counted()
        self.before = before

    def before_step(self, step: int) -> None:
        self.before(step)

    def parts(self, step: int, rank: int, world: int) -> list[Tensor]:
        return [torch.randn(64, 3, generator=torch.Generator().manual_seed(step))]

    def loss(self, model: nn.Module, part: Tensor) -> Loss:
        return Loss((model(part) - part.sum(dim=1) - 2).square().mean(), 64, 64, {})

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return {"val": float((model(torch.ones(1, 3)) - 5).abs())}


def cut_at(fatal: int) -> Callable[[int], None]:
    def before(step: int) -> None:
        if step == fatal:
            raise PowerCutError

    return before


def losses(folder: Path) -> list[tuple[int, float]]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(row["step"], row["loss"]) for row in rows if "loss" in row]


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def straight(tmp_path: Path) -> Path:
    """A run that nothing disturbed."""
    train(Regression(), SETTINGS, tmp_path / "straight")
    return tmp_path / "straight"


def test_loss_falls(straight: Path) -> None:
    figures = losses(straight)
    assert [step for step, _ in figures] == list(range(1, 10))
    assert figures[-1][1] < figures[0][1] / 2


@pytest.mark.parametrize("fatal", [4, 6, 8])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(straight: Path, tmp_path: Path, fatal: int) -> None:
    folder = tmp_path / "killed"
    with pytest.raises(PowerCutError):
        train(Regression(cut_at(fatal)), SETTINGS, folder)
    with (folder / "metrics.jsonl").open("a") as log:
        log.write('{"step": 9, "lo')  # the cut came in the middle of a line
    train(Regression(), SETTINGS, folder)
    assert losses(folder) == losses(straight)
    assert same(load_file(folder / "checkpoint.safetensors"), load_file(straight / "checkpoint.safetensors"))


def test_a_finished_run_is_left_alone(straight: Path) -> None:
    before = (straight / "checkpoint.safetensors").stat().st_mtime_ns
    train(Regression(cut_at(9)), SETTINGS, straight)
    assert (straight / "checkpoint.safetensors").stat().st_mtime_ns == before


def test_stop_after_stops_there(tmp_path: Path) -> None:
    train(Regression(), SETTINGS, tmp_path, stop_after=5)
    assert losses(tmp_path)[-1][0] == 5
    assert json.loads((tmp_path / "progress.json").read_text())["step"] == 5


def test_a_checkpoint_cut_short_leaves_the_older_one(
    straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(tensors: dict[str, Tensor], path: Path, **rest: Any) -> None:
        path.write_bytes(b"\x00" * 100)
        raise PowerCutError

    folder = tmp_path / "cut"
    train(Regression(), SETTINGS, folder, stop_after=3)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", half)
        with pytest.raises(PowerCutError):
            train(Regression(), SETTINGS, folder)
    train(Regression(), SETTINGS, folder)
    assert losses(folder) == losses(straight)


def test_a_cut_after_the_checkpoint_does_not_repeat_its_steps(
    straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> None:
        raise PowerCutError

    folder = tmp_path / "cut"
    train(Regression(), SETTINGS, folder, stop_after=3)
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "replace_json", cut)  # progress.json still tells of step 3
        with pytest.raises(PowerCutError):
            train(Regression(), SETTINGS, folder)
    train(Regression(), SETTINGS, folder)
    assert losses(folder) == losses(straight)


def test_average_follows_the_formula_and_copies_integers() -> None:
    model = nn.Linear(1, 1, bias=False)
    model.register_buffer("calls", torch.tensor(0))
    nn.init.constant_(model.weight, 1.0)
    average = Averaged(model, decay=0.5)
    nn.init.constant_(model.weight, 3.0)
    model.calls.fill_(7)
    average.update(model, step=0)  # early steps decay less: 1 / 10
    assert average.tensors["weight"].item() == pytest.approx(0.1 * 1 + 0.9 * 3)
    assert average.tensors["calls"].item() == 7
    average.update(model, step=1000)
    assert average.tensors["weight"].item() == pytest.approx(0.5 * 2.8 + 0.5 * 3)


def test_averaged_weights_are_those_of_the_checkpoint(straight: Path, tmp_path: Path) -> None:
    weights, stored = averaged_weights(straight), load_file(straight / "checkpoint.safetensors")
    assert same(weights, {name: stored[f"ema.{name}"] for name in weights})
    assert not torch.equal(weights["linear.weight"], stored["model.linear.weight"])
    with pytest.raises(ValueError, match="no checkpoint; train first"):
        averaged_weights(tmp_path)


def test_evaluation_leaves_the_trained_weights_alone(straight: Path, tmp_path: Path) -> None:
    train(Regression(), replace(SETTINGS, evaluate_every=1), tmp_path / "often")
    assert losses(tmp_path / "often") == losses(straight)


def test_learning_rate_warms_up_then_falls_to_its_floor() -> None:
    settings = LoopSettings(steps=100, batch=1, peak_lr=1.0, warmup=10, final_lr=0.1)
    rates = [settings.lr(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1.0
    assert rates[55] == pytest.approx(0.55)
    assert rates[100] == pytest.approx(0.1)
    assert all(a > b for a, b in pairwise(rates[10:]))


@pytest.mark.parametrize("warmup", [-1, 9, 20])
def test_a_warm_up_longer_than_the_run_is_refused(warmup: int) -> None:
    with pytest.raises(ValueError, match=f"warm-up of {warmup} steps"):
        replace(SETTINGS, warmup=warmup)


def test_micro_batches_add_up_to_the_batch(tmp_path: Path) -> None:
    """Uneven parts weigh as many samples as they hold."""

    class Cut(Heads):
        def parts(self, step: int, rank: int, world: int) -> list[tuple[int, Tensor]]:
            return [
                (kind, piece)
                for kind, x in super().parts(step, rank, world)
                for piece in (x[:1], x[1:])
                if len(piece)
            ]

    train(Heads(), STREAM, tmp_path / "whole")
    train(Cut(), STREAM, tmp_path / "cut")
    assert [loss for _, loss in losses(tmp_path / "cut")] == pytest.approx(
        [loss for _, loss in losses(tmp_path / "whole")], abs=1e-5
    )


@pytest.mark.parametrize("stop", [4, 12])
def test_reading_ahead_changes_nothing(tmp_path: Path, stop: int) -> None:
    ahead = replace(EXACT, read_ahead=True)
    train(Streamed(0.1), STREAM, tmp_path / "straight")
    train_on(Streamed(0.1), STREAM, tmp_path / "ahead", ahead, stop_after=stop, quiet=True)
    train_on(Streamed(0.1), STREAM, tmp_path / "ahead", ahead, quiet=True)
    assert losses(tmp_path / "ahead") == losses(tmp_path / "straight")


def test_so_many_checkpoints_stay(tmp_path: Path) -> None:
    train_on(Heads(), STREAM, tmp_path, replace(EXACT, keep=2), quiet=True)
    names = sorted(path.name for path in tmp_path.glob("checkpoint*"))
    assert names == [
        "checkpoint-00000009.safetensors",
        "checkpoint-00000012.safetensors",
        "checkpoint.safetensors",
    ]


def test_without_an_average_the_trained_weights_are_exported(tmp_path: Path) -> None:
    train(Regression(), replace(SETTINGS, ema=0.0), tmp_path)
    stored = load_file(tmp_path / "checkpoint.safetensors")
    assert not any(name.startswith("ema.") for name in stored)
    assert torch.equal(averaged_weights(tmp_path)["linear.weight"], stored["model.linear.weight"])


def test_a_checkpoint_of_another_model_is_refused(straight: Path) -> None:
    task = Regression()
    task.model.other = nn.Linear(1, 1)
    with pytest.raises(ValueError, match=r"of another model: .*other\.bias"):
        train(task, SETTINGS, straight)


def test_streams_of_other_processes_are_not_guessed(tmp_path: Path) -> None:
    train(Streamed(), STREAM, tmp_path, stop_after=3)
    state = checkpoint.State(*_parts_of(Streamed()))
    checkpoint.load(tmp_path, state)
    ranks = [{"data": {"place": 3}, "sums": {}}] * 2
    checkpoint.save(tmp_path, 3, state, ranks, main=True)
    with pytest.raises(ValueError, match="saved by 2 processes"):
        train(Streamed(), STREAM, tmp_path)


def _parts_of(task: Heads) -> tuple[nn.Module, torch.optim.Optimizer, Averaged]:
    return task.model, torch.optim.AdamW(task.model.parameters()), Averaged(task.model, 0.9)


def test_sharding_needs_layers_to_shard(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without fsdp"):
        train_on(Regression(), SETTINGS, tmp_path, replace(EXACT, fsdp=True), quiet=True)


def test_repeated_layers_are_compiled_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place, so that names in checkpoints stay; the whole model where it names no layers."""
    compiled: list[str] = []
    monkeypatch.setattr(nn.Module, "compile", lambda module: compiled.append(type(module).__name__))
    for task, settings in ((Heads(), STREAM), (Regression(), SETTINGS)):
        folder = tmp_path / type(task).__name__
        train_on(task, settings, folder, replace(EXACT, compile=True), stop_after=1, quiet=True)
    assert compiled == ["Layer", "Layer", "Counted"]
