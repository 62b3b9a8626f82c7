"""How well a small transformer knows held-out shapes from their captions, by likelihood alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from backend.tasks import TASKS
from training.data.shards.pack import LEVELS
from training.draws import Drawn
from training.stages import StageTask
from training.token_pools import TokenPool

WATCHED = 4  # each fourth held-out prompt is watched while a run goes on; levels still take turns


class PromptedTask(StageTask):
    """A stage that is watched on held-out prompts alone and draws no sheet."""

    prompts: Sequence[Drawn] = ()

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return {"val/text_to_shape": float(self.sample_losses(model, self.prompts[::WATCHED]).mean())}

    def sheet(self, model: nn.Module) -> None:
        return None


def prompted(pool: TokenPool) -> list[Drawn]:
    """text_to_shape of each asset, given its first caption of one of three levels, by turns."""
    layout, found = TASKS["text_to_shape"].layout(), []
    for row in range(len(pool)):
        sample = pool.sample(row)
        turned = [sample.captions[(row + place) % len(sample.captions)] for place in range(len(LEVELS))]
        words = next((own[0] for own in turned if own), None)
        assert sample.shape is not None
        codes = (torch.from_numpy(sample.shape.astype(np.int64)),)
        found.append(Drawn(task="text_to_shape", key=sample.key, layout=layout, codes=codes, words=words))
    return [one for one in found if one.words]


def measure(
    task: StageTask, model: nn.Module, prompts: Sequence[Drawn], seen: Sequence[Drawn]
) -> dict[str, float]:
    """Losses in nats a shape token, of held-out shapes and of those trained on, and what words tell.

    What they tell is how much likelier shapes are by their own captions than by those of other shapes.
    """
    own = task.sample_losses(model, prompts)
    other = task.sample_losses(model, exchanged(prompts))
    return {
        "held out": float(own.mean()),
        "trained on": float(task.sample_losses(model, seen).mean()),
        "told by words": float((other - own).mean()),
        "own caption likelier": float((own < other).float().mean()),
    }


def exchanged(prompts: Sequence[Drawn], seed: int = 0) -> list[Drawn]:
    """The same shapes, each with the caption of another."""
    order = np.random.default_rng(seed).permutation(len(prompts))
    words = {int(a): prompts[int(b)].words for a, b in zip(order, np.roll(order, 1), strict=True)}
    return [replace(one, words=words[row]) for row, one in enumerate(prompts)]
