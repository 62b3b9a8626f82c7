"""Variants of stages that the paper does not have: functions from recipes to a recipe."""

from __future__ import annotations

from dataclasses import replace

from training.recipes.stages import StageRecipe


def shape_only(stage: StageRecipe) -> StageRecipe:
    """text_to_shape alone, by a model without images: what a stage is compared with that has them."""
    config = replace(stage.config, n_image_codes=0, image_code_dim=0, n_image_tokens=0, n_views=0)
    return replace(stage, config=config, pools={"text-3D": 1.0}, tasks=("text_to_shape",))


def rehearsing(stage: StageRecipe, *earlier: StageRecipe, share: float) -> StageRecipe:
    """A stage that spends a share of its samples on the tasks of earlier ones, each of these as often.

    The paper fine-tunes on a stage's own tasks alone, and edits with a model of their own; one model that is
    to do everything forgets less so.
    """
    if not 0 < share < 1 or not earlier:
        raise ValueError(f"rehearsal needs earlier stages and a share between 0 and 1, not {share}")
    pools = {name: (1 - share) * chance for name, chance in stage.pools.items()}
    for other in earlier:
        for name, chance in other.pools.items():
            pools[name] = pools.get(name, 0.0) + share * chance / len(earlier)
    tasks = dict.fromkeys(task for each in (*earlier, stage) for task in each.tasks)
    return replace(stage, pools=pools, tasks=tuple(tasks))
