"""What a training stage is: one frozen dataclass for each of the five (sections 4.4 to 5, Tables 4 to 7)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from backend.model.config import TransformerConfig
from backend.sequence import VIEWS
from backend.tasks import TASKS
from training.data.shards.pools import POOLS, pool_of
from training.data.shards.subset import Subset
from training.loop import LoopSettings

Stage = Literal["pt1", "pt2", "ct", "sft", "edit"]
STAGES: tuple[Stage, ...] = get_args(Stage)  # each starts from the weights of the one before
_POOLS = {pool.name for pool in POOLS}


@dataclass(frozen=True, kw_only=True)
class StageRecipe:
    """Everything that decides what a stage learns; what its devices decide is kept apart from it.

    A sample is drawn in this order: its pool, by `pools`; its task, uniformly among those of `tasks` that the
    pool serves; its views; its caption. A sample's loss is the mean over its target tokens, a step's loss the
    mean over samples: every task weighs the same (Eq. 1).
    """

    name: Stage
    preset: str  # of `training.recipes.registry`
    config: TransformerConfig
    text_encoder: str  # as `backend.model.text.text_encoder` reads it
    loop: LoopSettings
    pools: dict[str, float]  # how often each pool is drawn; pools that a dataset lacks are left out
    tasks: tuple[str, ...]  # of `backend.tasks`
    text_dropout: float = 0.1  # of captions, replaced by the learned null (sections 4.4, 4.6 and 5)
    # Of the samples with a source, this share loses source and caption: the unconditional one of the three
    # regimes of sections 4.4 and 5. They name it and give the text's probability alone, so this is the same.
    prefix_dropout: float = 0.1
    # Captions that tasks which need none are given: Table 4's (T+). The paper prints no share, Table 1 no
    # text beside pairs of image and shape.
    optional_text: float = 0.5
    # Fewest and most posed images of a chain: N of Table 7's third and fourth task, N + M of its fifth. Only
    # six in each gives Table 6's tokens seen (0.151 T; from one to six would give 0.106 T), and there are no
    # more view tokens.
    views: tuple[int, int] = (len(VIEWS), len(VIEWS))
    subset: Subset | None = None  # of the assets, for experiments with few; pictures all stay
    image_pixels: int  # sides of an image before it is tokenised
    devices: int  # that the recipe is meant for; any number trains the same effective batch

    def __post_init__(self) -> None:
        if unknown := [*(self.pools.keys() - _POOLS), *(task for task in self.tasks if task not in TASKS)]:
            raise ValueError(f"stage {self.name}: there is no pool or task {unknown[0]!r}")
        if min(self.pools.values()) <= 0 or not math.isclose(sum(self.pools.values()), 1, abs_tol=1e-9):
            raise ValueError(f"stage {self.name}: pools must be above 0 and sum to 1, not {self.pools}")
        served = {pool_of(task).name for task in self.tasks}
        if odd := served ^ self.pools.keys():
            raise ValueError(f"stage {self.name}: pools without tasks, or the reverse: {', '.join(odd)}")
        for chance in (self.text_dropout, self.prefix_dropout, 1 - self.optional_text):
            if not 0 <= chance < 1:
                raise ValueError(f"stage {self.name}: dropout is {chance}, it must be in [0, 1)")
        fewest, most = self.views
        if not 1 <= fewest <= most <= len(VIEWS):
            raise ValueError(f"stage {self.name}: views are {self.views}, they must be from 1 to 6")
        if self.subset is not None and "edits" in self.pools:
            raise ValueError(f"stage {self.name}: a subset of the assets leaves pairs of edits undecided")
        self._check_modalities()

    def _check_modalities(self) -> None:
        for task in (TASKS[name] for name in self.tasks):
            if "image" in task.modalities and not self.config.n_image_codes:
                raise ValueError(f"stage {self.name}: {task.name} needs images and the model has none")
            if task.uses_views and not self.config.n_views:
                raise ValueError(f"stage {self.name}: {task.name} needs view tokens and the model has none")

    def tasks_of(self, pool: str) -> tuple[str, ...]:
        """Tasks that samples of a pool may train, each as often as the others."""
        return tuple(task for task in self.tasks if pool_of(task).name == pool)

    def shares(self) -> dict[str, float]:
        """How often each task is drawn."""
        return {
            task: self.pools[pool_of(task).name] / len(self.tasks_of(pool_of(task).name))
            for task in self.tasks
        }
