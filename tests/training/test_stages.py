"""A stage: what its samples are, that its losses are those of Eq. 1, and what it may start from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backend.tasks import TASKS
from tests.backend.small_model import CONFIG, Letters
from tests.training.token_shards import tokenizers, write_token_shards
from training.data.shards.pools import pool_of
from training.loop import LoopSettings
from training.recipes.stages import StageRecipe
from training.stages import StageTask

LOOP = LoopSettings(steps=40, batch=8, peak_lr=0.01, warmup=2, save_every=1000, log_every=1)
ALL = replace(CONFIG, use_bbox=False, token_dropout=0.1)


def recipe(*tasks: str, name: str = "ct", **fields: object) -> StageRecipe:
    pools = dict.fromkeys(pool_of(task).name for task in tasks)
    return StageRecipe(
        name=name,
        preset="tiny",
        config=ALL,
        text_encoder="letters",
        loop=LOOP,
        tasks=tasks,
        pools={pool: 1 / len(pools) for pool in pools},
        image_pixels=8,
        devices=1,
        **fields,
    )


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_token_shards(tmp_path_factory.mktemp("tokens"))


def stage(data: Path, one: StageRecipe, **options: object) -> StageTask:
    return StageTask(one, data, tokenizers(), text=Letters(), **options)


def test_smoke(data: Path) -> None:
    task = stage(data, recipe(*TASKS))
    for step in range(3):
        for part in task.parts(step, 0, 1):
            loss = task.loss(task.model, part)
            loss.value.backward()
            print({k: float(a) / b for k, (a, b) in loss.figures.items()}, part.tasks)
    with torch.no_grad():
        print(task.evaluate(task.model.eval()))
