"""The paper's claim at our scale: few shapes and many pictures, X-to-X training against text_to_shape alone.

omni123-train experiment x-to-x --data data --shape-run runs/shape_decoder --image-run runs/image --out out

Every arm trains one small transformer on the same few shapes and as many steps; a seed chooses the shapes,
the initial weights and the draws, so arms are compared seed by seed. Each run has its own folder: a command
that was stopped goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from backend.model.config import TransformerConfig
from backend.tasks import TASKS
from training.data.shards.subset import Subset
from training.loop import LoopSettings
from training.recipes import mini, variants
from training.recipes.stages import StageRecipe

# The prompt's task, by whose loss on held-out shapes all arms are judged.
JUDGED = "text_to_shape"
WRITE_A_SHAPE = tuple(name for name, task in TASKS.items() if "shape" in task.targets)


@dataclass(frozen=True, kw_only=True)
class XToXSettings:
    """How large the experiment is; what it compares are the arms."""

    assets: int = 100  # shapes that every arm trains on, with their captions and views
    seeds: tuple[int, ...] = (0, 1, 2)
    steps: int = 300
    further: int = 60  # steps of the second question, after the X-to-X run of the same seed
    batch: int = 12  # samples of a step of X-to-X training
    width: int = 96
    n_dual: int = 2
    n_single: int = 1
    n_heads: int = 3
    peak_lr: float = 2e-3  # narrow matrices take larger steps (`training.recipes.mini.small_lr`)
    further_lr: float = 8e-4  # lower, as of every stage after the first (Table 6)
    evaluations: int = 4  # times that a run looks at the held-out prompts

    def __post_init__(self) -> None:
        if len(self.seeds) < 2 or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"error bars need different seeds, two at least, not {self.seeds}")


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to train, for all seeds."""

    name: str
    told: str  # for the table
    stage: Callable[[XToXSettings], StageRecipe]  # before the seed is known
    start: str | None = None  # the arm whose run of the same seed it goes on from


def small(stage: StageRecipe, settings: XToXSettings, *, batch: int, further: bool = False) -> StageRecipe:
    """A stage of `mini` with the experiment's widths and lengths, and nothing else changed."""
    steps = settings.further if further else settings.steps
    loop = LoopSettings(
        steps=steps,
        batch=batch,
        peak_lr=settings.further_lr if further else settings.peak_lr,
        warmup=steps // 10,
        ema=0.98,  # a run is short
        log_every=max(1, steps // 20),
        evaluate_every=max(1, steps // settings.evaluations),
        save_every=max(1, steps // settings.evaluations),
        sheet_every=steps,
    )
    return replace(stage, preset="x-to-x", config=_narrow(stage.config, settings), loop=loop)


def _narrow(config: TransformerConfig, settings: XToXSettings) -> TransformerConfig:
    return replace(
        config,
        width=settings.width,
        n_dual=settings.n_dual,
        n_single=settings.n_single,
        n_heads=settings.n_heads,
    )


def _x_to_x(settings: XToXSettings) -> StageRecipe:
    return small(mini.pt1(), settings, batch=settings.batch)


def _alone(settings: XToXSettings, *tasks: str) -> StageRecipe:
    """text_to_shape alone, as many samples in each step as X-to-X has of these tasks, to a whole one."""
    shares = mini.pt1().shares()
    batch = max(1, round(settings.batch * sum(shares.get(task, 0) for task in tasks)))
    return small(variants.shape_only(mini.pt1()), settings, batch=batch)


def _same_prompts(settings: XToXSettings) -> StageRecipe:
    return _alone(settings, JUDGED)


def _same_shapes(settings: XToXSettings) -> StageRecipe:
    return _alone(settings, *WRITE_A_SHAPE)


def _same_batch(settings: XToXSettings) -> StageRecipe:
    return _alone(settings, *mini.pt1().tasks)


def _more_of_the_same(settings: XToXSettings) -> StageRecipe:
    return small(mini.ct(), settings, batch=settings.batch, further=True)


def _interleaved(settings: XToXSettings) -> StageRecipe:
    return small(mini.sft(), settings, batch=settings.batch, further=True)


ARMS = (
    Arm(name="x_to_x", told="X-to-X (stage pt1: pictures, views and prompts)", stage=_x_to_x),
    Arm(name="3d_same_prompts", told="3D only, as many text-to-shape samples", stage=_same_prompts),
    Arm(
        name="3d_same_shapes",
        told="3D only, as many samples that write a shape",
        stage=_same_shapes,
    ),
    Arm(name="3d_same_batch", told="3D only, as many samples in all", stage=_same_batch),
    Arm(name="ct", told="X-to-X, then ct", stage=_more_of_the_same, start="x_to_x"),
    Arm(name="sft", told="X-to-X, then sft", stage=_interleaved, start="x_to_x"),
)
# What is compared seed by seed, first minus second: below zero, the first has the lower loss.
COMPARED = (
    ("x_to_x", "3d_same_prompts"),
    ("x_to_x", "3d_same_shapes"),
    ("x_to_x", "3d_same_batch"),
    ("sft", "ct"),
)


def recipe(arm: Arm, settings: XToXSettings, seed: int) -> StageRecipe:
    """The stage of one run."""
    stage = arm.stage(settings)
    return replace(
        stage, loop=replace(stage.loop, seed=seed), subset=Subset(assets=settings.assets, seed=seed)
    )
