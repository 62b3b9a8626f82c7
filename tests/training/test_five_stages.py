"""The five stages one after another on a small data set: golden losses, sheets, and the model they export."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from backend.tasks import TASKS, tasks_of
from backend.tasks import Stage as TaskStage
from tests.training.token_shards import LOOP, stage, stage_recipe
from training.evaluation.sheets import sheet
from training.loop import Machine, save_recipe, train
from training.recipes.stages import STAGES, Stage, StageRecipe

OF: dict[Stage, TaskStage] = {"pt1": "pt", "pt2": "pt", "ct": "ct", "sft": "sft", "edit": "edit"}


def small(name: Stage) -> StageRecipe:
    """A stage of the paper with its tasks, on a model as large as a thumbnail."""
    tasks = tuple(task.name for task in tasks_of(OF[name]))
    recipe = stage_recipe(*tasks, name=name)
    views = {} if name not in ("pt1", "pt2") else {"n_views": 0}
    return replace(recipe, config=replace(recipe.config, **views), loop=replace(LOOP, steps=6))


@pytest.fixture(scope="session")
def runs(token_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The run folder of each stage, by one thread: the rounding of more moves the last losses by 0.016."""
    root, made, start = tmp_path_factory.mktemp("runs"), {}, None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for name in STAGES:
        task, made[name] = stage(token_data, small(name), start=start), root / name
        task.origin().save(made[name])
        save_recipe(made[name], task.recipe)
        train(task, task.recipe.loop, made[name], Machine(precision="no"), quiet=True)
        start = made[name]
    torch.set_num_threads(threads)
    return made


def losses(run: Path, name: str = "loss") -> list[float]:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [row[name] for row in rows if name in row]


# A change of these numbers is a change of the model, of its samples or of its training: say why where you
# renew them.
GOLDEN: dict[Stage, list[float]] = {
    "pt1": [3.43471, 3.22874, 3.35858, 2.95197, 2.77111, 2.75399],
    "pt2": [2.74154, 2.47807, 2.83993, 2.32907, 2.23754, 1.89696],
    "ct": [2.62926, 2.35003, 2.15476, 2.6266, 2.42238, 2.26384],
    "sft": [2.28288, 2.34581, 2.09151, 1.91718, 1.84745, 2.10219],
    "edit": [2.34591, 2.17121, 1.95555, 1.62383, 1.26666, 1.63577],
}


@pytest.mark.parametrize("name", STAGES)
def test_golden_losses(runs: dict[str, Path], name: Stage) -> None:
    assert losses(runs[name]) == pytest.approx(GOLDEN[name], abs=2e-3)


def test_losses_of_each_task_are_watched(runs: dict[str, Path]) -> None:
    for name in STAGES:
        for task in small(name).tasks:
            assert len(losses(runs[name], f"val/{task}")) == 1


def test_each_stage_learns_from_where_the_one_before_ended(runs: dict[str, Path]) -> None:
    assert losses(runs["pt2"])[0] < losses(runs["pt1"])[0] - 0.05
    origin = json.loads((runs["edit"] / "origin.json").read_text())
    assert origin["stages"] == ["pt1 (6 steps)", "pt2 (6 steps)", "ct (6 steps)", "sft (6 steps)", "edit"]
    assert set(origin["tasks"]) == set(TASKS)


def test_a_stage_shows_what_it_makes_of_held_out_samples(
    runs: dict[str, Path], token_data: Path, graphics: None
) -> None:
    task = stage(token_data, small("sft"), start=runs["ct"])
    sections = task.sheet(task.transformer.eval())
    assert sections is not None
    assert [section.heading for section in sections] == list(small("sft").tasks)
    assert all(panel.images and panel.caption for section in sections for panel in section.panels)
    assert sheet(sections, columns=2).width > 0
