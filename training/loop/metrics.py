"""Figures of a run: summed over an interval and over ranks, kept in `metrics.jsonl`, shown, and tracked."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training.loop.task import Figures

# Names in a row that a resumed run does not repeat; everything else it does, to the last digit.
TIMINGS = ("seconds", "tokens_per_second", "utilisation")


class Sums:
    """Running (sum, weight) of each figure on this rank; tensors stay on their device until read."""

    def __init__(self, state: Mapping[str, Sequence[float]] | None = None) -> None:
        self._sums: dict[str, tuple[Tensor | float, float]] = {
            name: (value, weight) for name, (value, weight) in (state or {}).items()
        }

    def add(self, figures: Figures) -> None:
        for name, (value, weight) in figures.items():
            before, so_far = self._sums.get(name, (0.0, 0.0))
            self._sums[name] = (before + _wide(value), so_far + weight)

    def state(self) -> dict[str, tuple[float, float]]:
        """As numbers, for a checkpoint or for other ranks."""
        return {name: (float(value), float(weight)) for name, (value, weight) in self._sums.items()}


def _wide(value: Tensor | float) -> Tensor | float:
    if not isinstance(value, Tensor):
        return value
    return value.detach().to(torch.float32 if value.device.type == "mps" else torch.float64)


def merged(states: Sequence[Mapping[str, Sequence[float]]]) -> Sums:
    """The sums of several ranks as those of one."""
    sums = Sums()
    for state in states:
        sums.add({name: (value, weight) for name, (value, weight) in state.items()})
    return sums


def averages(sums: Sums) -> dict[str, float]:
    """Each figure's sum over its weight; those that nothing contributed to are left out."""
    return {name: value / weight for name, (value, weight) in sums.state().items() if weight}


@dataclass
class Pace:
    """How fast a run goes, since it was started or resumed."""

    flops_per_token: float | None  # of forward and backward
    peak: float | None  # FLOP per second of all devices together
    began: float = 0.0
    since: float = 0.0  # seconds after `began` when the interval began

    def __post_init__(self) -> None:
        self.began = time.monotonic()

    def figures(self, tokens: float) -> dict[str, float]:
        """Of the interval that ends now, in which the ranks together read so many tokens."""
        now = time.monotonic() - self.began
        rate = tokens / max(now - self.since, 1e-9)
        self.since = now
        figures = {"tokens_per_second": round(rate, 1)}
        if self.flops_per_token is not None and self.peak is not None:
            figures["utilisation"] = round(rate * self.flops_per_token / self.peak, 4)
        return figures


class MetricsFile:
    """`metrics.jsonl`, a row per line."""

    def __init__(self, folder: Path, start: int) -> None:
        self.path = folder / "metrics.jsonl"
        self._rewind(start)

    def _rewind(self, start: int) -> None:
        """Drop a line cut short and the rows after the checkpoint, whose steps are about to run again."""
        if self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= start]
            partial = self.path.with_suffix(".partial")
            partial.write_text("".join(kept), encoding="utf-8")
            partial.replace(self.path)

    def write(self, row: Mapping[str, float]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def line(row: Mapping[str, float], steps: int, left: float) -> str:
    """A row as people read it, with the seconds that are left."""
    shown = {name: value for name, value in row.items() if name not in {"step", *TIMINGS}}
    parts = [f"step {row['step']:,.0f}/{steps:,}", *(f"{name} {value:.4g}" for name, value in shown.items())]
    if "tokens_per_second" in row:
        parts.append(f"{row['tokens_per_second']:,.0f} tokens/s")
    if "utilisation" in row:
        parts.append(f"{row['utilisation']:.0%} of the matrix speed")
    return "  ".join([*parts, f"{_duration(left)} left"])


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
