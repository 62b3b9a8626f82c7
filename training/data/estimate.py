"""What a data set of any size would cost, worked out from what the steps of a smaller one took.

    print(table(estimate(measured(Path("data")), Goal(pairs=120_000_000))))

The paper prepared 120 M image-3D pairs (Table 1); the cost of a step is all that it spent, rejected items
included, over the assets that came through to the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from training.data.pipeline import STEPS
from training.data.steps import DataError, Journal, Result

_DAY = 86_400.0
_OF_EDITS = ("edits", "edit_geometry")  # the paper has 116,309 edit pairs, not one per asset

_HEAD = "step", "items", "kept", "s/item, median", "mean", "s/asset", "CPU s", "KB/asset", "core-days", "TB"

ASSUMPTIONS = (
    "A worker holds one core while its item lasts, and so does the Blender that it starts; cores are as fast "
    "as those that wrote the journals.",
    "The assets are like the measured ones: as big, and as many of them rejected on the way.",
    "Every step grows in proportion, the duplicates step too: it compares neighbours alone.",
    "Captions cost what the captioner of the journals took. Minutes of a graphics card count as a core's.",
    "Nothing is lost to waiting for disks, network, or machines that fail. Sources, and fetching them, are "
    "not counted.",
)
_NO_EDITS = "No edit pairs are made."
_WITH_EDITS = "Every asset gets its edit pairs, and both sides of each their geometry."


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What is to be made, and with how much."""

    pairs: int = 120_000_000  # of an image and a shape
    pairs_per_asset: float | None = None  # None: the pictures that the views step made of each
    cores: int = 256
    edits: bool = False  # whether every asset gets its edit pairs too

    def __post_init__(self) -> None:
        if self.pairs < 1 or self.cores < 1 or not (self.pairs_per_asset is None or self.pairs_per_asset > 0):
            raise ValueError(f"pairs, pairs_per_asset and cores must be positive: {self}")


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """Of one step, as measured and as the goal needs it."""

    name: str
    items: int
    kept: int
    median_seconds: float  # of one item
    mean_seconds: float
    asset_seconds: float  # of one asset that came through
    asset_cpu_seconds: float  # of it, without the processes that a worker starts; the rest is waiting
    asset_bytes: float
    core_days: float
    terabytes: float


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The whole of it."""

    goal: Goal
    assets: int  # measured ones that came through
    pairs_per_asset: float
    assets_needed: float
    items_needed: float  # of the first step: files, rows or seeds
    steps: tuple[StepCost, ...]

    @property
    def core_days(self) -> float:
        return sum(step.core_days for step in self.steps)

    @property
    def terabytes(self) -> float:
        return sum(step.terabytes for step in self.steps)

    @property
    def days(self) -> float:
        return self.core_days / self.goal.cores


def measured(data: Path) -> dict[str, list[Result]]:
    """The newest result of every item of each step, in the order of the pipeline."""
    found: dict[str, list[Result]] = {}
    for path in data.rglob("journal.jsonl"):
        step = path.relative_to(data).parts[0]  # shards have a journal for each modality
        newest = {result.key: result for result in Journal(path).results()}
        for result in newest.values():
            of_edit = step == "geometry" and "/" in result.key  # ASSET/NUMBER-SIDE
            found.setdefault("edit_geometry" if of_edit else step, []).append(result)
    known = [name for name in STEPS if name in found]
    return {name: found[name] for name in (*known, *sorted(set(found) - set(known)))}


def estimate(results: Mapping[str, Sequence[Result]], goal: Goal) -> Estimate:
    """Raises DataError where no asset has come through to its views, or to `geometry` without views."""
    last = results.get("views") or results.get("geometry") or ()
    through = [result for result in last if result.rejected is None]
    if not through:
        raise DataError("No asset has come through to its views; run the pipeline on a few hundred first.")
    per_asset = goal.pairs_per_asset
    if per_asset is None:
        per_asset = sum(result.facts.get("views", 1) for result in through) / len(through)
    needed = goal.pairs / per_asset
    counted = {name: found for name, found in results.items() if goal.edits or name not in _OF_EDITS}
    costs = [_cost(name, found, len(through), needed) for name, found in counted.items() if found]
    return Estimate(
        goal=goal,
        assets=len(through),
        pairs_per_asset=per_asset,
        assets_needed=needed,
        items_needed=needed * costs[0].items / len(through),
        steps=tuple(costs),
    )


def _cost(name: str, results: Sequence[Result], assets: int, needed: float) -> StepCost:
    seconds = [result.seconds for result in results]
    each = sum(seconds) / assets
    size = sum(result.bytes for result in results) / assets
    return StepCost(
        name=name,
        items=len(results),
        kept=sum(result.rejected is None for result in results),
        median_seconds=median(seconds),
        mean_seconds=sum(seconds) / len(seconds),
        asset_seconds=each,
        asset_cpu_seconds=sum(result.cpu_seconds for result in results) / assets,
        asset_bytes=size,
        core_days=each * needed / _DAY,
        terabytes=size * needed / 1e12,
    )


def table(found: Estimate) -> str:
    """For people: a Markdown table, what it comes to, and what it rests on."""
    goal, steps = found.goal, found.steps
    seconds, cpu = sum(step.asset_seconds for step in steps), sum(step.asset_cpu_seconds for step in steps)
    size = sum(step.asset_bytes for step in steps) / 1e3
    total = ["all", "", f"{found.assets:,}", "", "", f"{seconds:.3f}", f"{cpu:.3f}", f"{size:,.1f}"]
    return "\n".join(
        [
            *_markdown(
                _HEAD, [*map(_row, steps), [*total, f"{found.core_days:,.1f}", f"{found.terabytes:,.2f}"]]
            ),
            "",
            f"{goal.pairs:,} pairs are {found.assets_needed:,.0f} assets with {found.pairs_per_asset:g} "
            f"pictures each, from {found.items_needed:,.0f} sources.",
            f"That is {found.core_days / 365.25:,.1f} core-years and {found.terabytes:,.2f} TB: "
            f"{_duration(found.days)} on {goal.cores:,} cores, which write "
            f"{found.terabytes * 1e6 / (found.days * _DAY):,.0f} MB/s together.",
            "",
            "This assumes:",
            *(f"- {line}" for line in ASSUMPTIONS + ((_WITH_EDITS,) if goal.edits else (_NO_EDITS,))),
        ]
    )


def _duration(days: float) -> str:
    return f"{days:,.1f} days" if days >= 2 else f"{days * 24:,.1f} hours"


def _row(step: StepCost) -> list[str]:
    return [
        step.name,
        f"{step.items:,}",
        f"{step.kept:,}",
        f"{step.median_seconds:.3f}",
        f"{step.mean_seconds:.3f}",
        f"{step.asset_seconds:.3f}",
        f"{step.asset_cpu_seconds:.3f}",
        f"{step.asset_bytes / 1e3:,.1f}",
        f"{step.core_days:,.1f}",
        f"{step.terabytes:,.2f}",
    ]


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The first column to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = []
    for first, *others in (head, *rows):
        cells = [first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]
        lines.append(f"| {' | '.join(cells)} |")
    rule = "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])])
    return [lines[0], f"|{rule}|", *lines[1:]]
