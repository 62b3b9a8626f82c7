"""Means over seeds, their 95 % intervals, and differences seed by seed, as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student

from training.evaluation.tables import Row as Cells
from training.evaluation.tables import Table, Value
from training.experiments.x_to_x import ARMS, COMPARED, JUDGED, WRITE_A_SHAPE

Row = dict[str, Any]
HELD_OUT = "held out"
_MEASURES: dict[str, Callable[[Row], float]] = {
    "held-out loss": lambda row: row["figures"][HELD_OUT],
    "lowest on the way (a quarter of the prompts)": lambda row: min(row["curve"].values()),
    "loss on shapes trained on": lambda row: row["figures"]["trained on"],
    "told by words": lambda row: row["figures"]["told by words"],
    "own caption likelier": lambda row: row["figures"]["own caption likelier"],
}


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, standard deviation, and half the width of the 95 % interval of the mean (Student's t)."""
    found = np.asarray(values, dtype=np.float64)
    if len(found) < 2:
        raise ValueError(f"an interval needs two values at least, not {len(found)}")
    deviation = float(found.std(ddof=1))
    reach = float(student.ppf(0.975, len(found) - 1)) * deviation / len(found) ** 0.5
    return float(found.mean()), deviation, reach


def arms_table(rows: Sequence[Row]) -> Table:
    """Every arm: what it saw, and its figures over the seeds."""
    lines: dict[str, Cells] = {}
    for arm in ARMS:
        own = [row for row in rows if row["arm"] == arm.name]
        samples = own[0]["samples"]
        cells: dict[str, Value] = {
            "steps": own[0]["steps"],
            "samples": own[0]["steps"] * own[0]["batch"],
            f"{JUDGED} samples": samples.get(JUDGED, 0),
            "samples that write a shape": sum(samples.get(name, 0) for name in WRITE_A_SHAPE),
            "tokens read": f"{own[0]['tokens']:,}",
        }
        for name, of in _MEASURES.items():
            mean, deviation, _ = interval([of(row) for row in own])
            cells[name] = f"{mean:.3f} ± {deviation:.3f}"
        lines[arm.told] = cells
    return Table(title="Arms", rows=lines, notes=[f"mean ± standard deviation over seeds {_seeds(rows)}"])


def differences_table(rows: Sequence[Row]) -> Table:
    """The first arm minus the second, seed by seed."""
    told = {arm.name: arm.told for arm in ARMS}
    lines: dict[str, Cells] = {}
    for first, second in COMPARED:
        cells: dict[str, Value] = {}
        for name, of in _MEASURES.items():
            mean, _, reach = interval(paired(rows, first, second, of))
            cells[name] = f"{mean:+.3f} [{mean - reach:+.3f}, {mean + reach:+.3f}]"
        lines[f"{told[first]} minus {told[second]}"] = cells
    note = f"mean of the differences seed by seed [95 % interval, Student's t], seeds {_seeds(rows)}"
    return Table(title="Differences", rows=lines, notes=[note])


def paired(rows: Sequence[Row], first: str, second: str, of: Callable[[Row], float]) -> list[float]:
    """Of every seed that both arms have."""
    by = {(row["arm"], row["seed"]): of(row) for row in rows}
    seeds = sorted({row["seed"] for row in rows})
    return [
        by[first, seed] - by[second, seed] for seed in seeds if (first, seed) in by and (second, seed) in by
    ]


def _seeds(rows: Sequence[Row]) -> str:
    return ", ".join(str(seed) for seed in sorted({row["seed"] for row in rows}))
