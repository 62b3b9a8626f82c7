"""What one sample of a step trains: its pool, task, views, words and regime, drawn from its own generator.

Section 4.4 (Table 4, Eq. 2), 4.5, 4.6 (Table 7) and 5. A draw depends on (seed, step, place in the step's
batch) alone, so it is the same on any number of devices and after any interruption.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from backend.sequence import VIEWS, Layout, Segment, TokenSequence, Vocabulary, build
from backend.tasks import TASKS, Task
from training.data.shards.pools import pool_of
from training.recipes.stages import StageRecipe
from training.token_pools import Codes, TokenPool, TokenSample

# How often the source of continued training's image_to_view carries its own view token (section 4.5). Not
# always: a picture that an artist brings has no view that anyone knows. Those of pre-training never do.
POSED = 0.5


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Enough to know a sample's length; `read` fetches it."""

    pool: str
    task: str
    row: int  # of the pool
    image_views: tuple[str, ...]
    views: tuple[str, ...]
    worded: bool  # has its caption, if there is one
    sourced: bool  # has its sources; without, and without words, it is the unconditional regime
    rng: np.random.Generator  # for the rest: which picture, which caption

    @property
    def layout(self) -> Layout:
        """Segments that the transformer reads."""
        whole = TASKS[self.task].layout(self.image_views, self.views)
        return whole if self.sourced else Layout(targets=whole.targets)


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A sample as the transformer reads it."""

    task: str
    key: str  # of the asset, picture or pair
    layout: Layout
    codes: tuple[Tensor, ...]  # local ids (n,) of every segment
    words: str | None  # None: the null text

    def sequence(self, vocabulary: Vocabulary) -> TokenSequence:
        return build(self.layout, self.codes, vocabulary)


def draw(recipe: StageRecipe, pools: Mapping[str, TokenPool], rng: np.random.Generator) -> Draw:
    """A draw from these pools, of which the recipe's shares are renormalised."""
    shares = np.array([recipe.pools[name] for name in pools])
    name = list(pools)[int(rng.choice(len(shares), p=shares / shares.sum()))]
    tasks = recipe.tasks_of(name)
    task = TASKS[tasks[int(rng.integers(len(tasks)))]]
    return draw_of(recipe, task, pools[name].draw(rng), rng)


def draw_of(recipe: StageRecipe, task: Task, row: int, rng: np.random.Generator) -> Draw:
    """A draw of one task and row."""
    image_views, views = _views(recipe, task, rng)
    sourced = not task.prefix or rng.random() >= recipe.prefix_dropout
    optional = task.needs_text or rng.random() < recipe.optional_text
    return Draw(
        pool=pool_of(task.name).name,
        task=task.name,
        row=row,
        image_views=image_views,
        views=views,
        worded=sourced and optional and rng.random() >= recipe.text_dropout,
        sourced=sourced,
        rng=rng,
    )


def _views(
    recipe: StageRecipe, task: Task, rng: np.random.Generator
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Views of given or first drawn pictures, and of those drawn after them, none of them twice."""
    order = [VIEWS[index] for index in rng.permutation(len(VIEWS))]
    fewest, most = recipe.views
    count = int(rng.integers(fewest, most + 1))
    slots = {*task.prefix, *task.targets}
    if "views before" in slots:  # N and M of Table 7's last row: at least one comes first
        first = int(rng.integers(1, count + 1))
        return tuple(order[:first]), tuple(order[first:count])
    posed = "given" in slots and task.stage == "ct" and rng.random() < POSED
    given = count if "given views" in slots else int(bool(posed))
    made = count if "views" in slots else int("view" in slots)
    return tuple(order[:given]), tuple(order[given : given + made])


def read(drawn: Draw, pool: TokenPool) -> Drawn:
    """Fetches the codes and the words of a draw."""
    sample, layout = pool.sample(drawn.row), drawn.layout
    codes = [
        _codes(sample, segment, place < len(layout.prefix), drawn.rng)
        for place, segment in enumerate(layout.segments)
    ]
    return Drawn(
        task=drawn.task,
        key=sample.key,
        layout=layout,
        codes=tuple(torch.from_numpy(own.astype(np.int64)) for own in codes),
        words=sample.caption(drawn.rng) if drawn.worded else None,
    )


def _codes(sample: TokenSample, segment: Segment, source: bool, rng: np.random.Generator) -> Codes:
    if segment.modality == "image":
        return sample.unposed(rng) if segment.view is None else sample.images[segment.view]
    shape = sample.source if source and sample.source is not None else sample.shape
    assert shape is not None
    return shape
