"""Tokens that a stage sees, as Table 6 counts them: codes of sources and targets, neither text nor starts."""

from __future__ import annotations

from collections.abc import Iterator

from backend.sequence import VIEWS, Layout
from backend.tasks import TASKS
from training.recipes.stages import StageRecipe


def layouts(stage: StageRecipe, task: str) -> Iterator[tuple[float, Layout]]:
    """Sequences of a task and how often each is drawn. Which views they are changes no length."""
    row, (fewest, most) = TASKS[task], stage.views
    posed = stage.config.n_views > 0
    if {"given views", "views", "views before"} & {*row.prefix, *row.targets}:
        for count in range(fewest, most + 1):
            split = range(1, count + 1) if "views before" in row.targets else (count,)
            for before in split:
                named = (VIEWS[:before], VIEWS[before:count])
                if row.prefix == ("shape",):
                    named = ((), VIEWS[:count])
                yield 1 / (most + 1 - fewest) / len(split), row.layout(*named)
        return
    given = VIEWS[:1] if "given" in row.prefix and posed else ()
    yield 1.0, row.layout(given, VIEWS[1:2] if "view" in row.targets else ())


def drawn(stage: StageRecipe) -> Iterator[tuple[float, Layout]]:
    """Every sequence of a stage and how often it is drawn; dropped sources are counted as if they were there,
    as Table 6's figures seem to be."""
    for task, share in stage.shares().items():
        for chance, layout in layouts(stage, task):
            yield share * chance, layout


def tokens_per_sample(stage: StageRecipe) -> float:
    """Mean over a stage's samples."""
    return sum(chance * layout.n_codes(stage.config.lengths) for chance, layout in drawn(stage))


def tokens_seen(stage: StageRecipe) -> float:
    """Of the whole stage: Table 6's last row."""
    return stage.loop.steps * stage.loop.batch * tokens_per_sample(stage)
