"""The X-to-X experiment: what its arms share, what they differ in, and that a stopped one goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.backend.small_model import Letters
from tests.training.token_shards import LOOP, stage, stage_recipe, tokenizers
from training.caption_embeddings import CaptionEmbeddings
from training.data.shards.subset import Subset
from training.experiments.held_out import exchanged
from training.experiments.running import Bench, Row, run_all
from training.experiments.x_to_x import ARMS, COMPARED, WRITE_A_SHAPE, Arm, XToXSettings, recipe
from training.experiments.x_to_x_report import arms_table, differences_table, interval, paired
from training.loop import Machine
from training.recipes.stages import StageRecipe

SETTINGS = XToXSettings(seeds=(0, 1), assets=4)


def small(*tasks: str, views: bool = False) -> StageRecipe:
    made = stage_recipe(*tasks, name="ct" if views else "pt1", loop=replace(LOOP, steps=3, batch=4))
    return made if views else replace(made, config=replace(made.config, n_views=0))


SMALL = (
    Arm(name="x_to_x", told="", stage=lambda _: small("text_to_image", "text_to_shape")),
    Arm(name="sft", told="", stage=lambda _: small("text_to_shape_view", views=True), start="x_to_x"),
)


def keys(data: Path, pool: str, subset: Subset | None) -> set[str]:
    task = stage(
        data, replace(stage_recipe("text_to_shape", "shape_to_views", "text_to_image"), subset=subset)
    )
    return {task.pools[pool].sample(row).key for row in range(len(task.pools[pool]))}


def test_a_subset_is_the_same_in_every_pool_and_leaves_pictures(token_data: Path) -> None:
    few = keys(token_data, "text-3D", Subset(assets=4))
    assert len(few) == 4
    assert few == keys(token_data, "text, 6 posed images, 3D", Subset(assets=4))
    assert few < keys(token_data, "text-3D", Subset(assets=5))
    assert few != keys(token_data, "text-3D", Subset(assets=4, seed=1))
    pictures = keys(token_data, "text-image", None)
    assert keys(token_data, "text-image", Subset(assets=1)) == pictures


def test_a_subset_larger_than_the_data_is_refused(token_data: Path) -> None:
    with pytest.raises(ValueError, match="has 10 shapes to train on, not 11"):
        keys(token_data, "text-3D", Subset(assets=11))


@pytest.mark.parametrize("seed", SETTINGS.seeds)
def test_arms_have_the_same_shapes_steps_and_rate(seed: int) -> None:
    found = {arm.name: recipe(arm, SETTINGS, seed) for arm in ARMS}
    assert {stage.subset for stage in found.values()} == {Subset(assets=4, seed=seed)}
    assert {stage.loop.seed for stage in found.values()} == {seed}
    for first, second in COMPARED:
        a, b = found[first], found[second]
        assert a.loop == replace(b.loop, batch=a.loop.batch)
        assert (a.config.width, a.config.n_dual) == (b.config.width, b.config.n_dual)


def test_arms_without_pictures_are_equal_to_x_to_x_in_one_count_each() -> None:
    seen = {}
    for arm in ARMS:
        found = recipe(arm, SETTINGS, 0)
        shares = {task: found.loop.batch * share for task, share in found.shares().items()}
        written = sum(shares.get(task, 0) for task in WRITE_A_SHAPE)
        seen[arm.name] = shares.get("text_to_shape"), written, found.loop.batch
    assert seen["3d_same_prompts"][0] == pytest.approx(seen["x_to_x"][0], rel=0.05)
    assert seen["3d_same_shapes"][1] == pytest.approx(seen["x_to_x"][1], rel=0.05)
    assert seen["3d_same_batch"][2] == seen["x_to_x"][2]


def test_a_stopped_experiment_repeats_no_run(token_data: Path, tmp_path: Path) -> None:
    given = Bench(
        data=token_data,
        tokenizers=tokenizers(),
        captions=CaptionEmbeddings(Letters()),
        out=tmp_path,
        machine=Machine(precision="no"),
    )
    rows, said = run_all(SETTINGS, given, lambda line: None, SMALL), []
    assert [(row["arm"], row["seed"]) for row in rows] == [
        ("x_to_x", 0),
        ("sft", 0),
        ("x_to_x", 1),
        ("sft", 1),
    ]
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert run_all(SETTINGS, given, said.append, SMALL) == rows
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")} == written
    with pytest.raises(ValueError, match="other settings"):
        run_all(replace(SETTINGS, assets=5), given, said.append, SMALL)
    assert rows[0]["figures"]["held out"] == pytest.approx(list(rows[0]["curve"].values())[-1], abs=1.0)
    assert json.loads(json.dumps(rows)) == rows


def test_every_shape_gets_the_words_of_another(token_data: Path) -> None:
    given = Bench(
        data=token_data,
        tokenizers=tokenizers(),
        captions=CaptionEmbeddings(Letters()),
        out=token_data,
        machine=Machine(),
    )
    own = given.seen(Subset(assets=10))
    other = exchanged(own)
    assert sorted(str(one.words) for one in own) == sorted(str(one.words) for one in other)
    assert [one.key for one in own] == [one.key for one in other]
    assert all(a.words != b.words for a, b in zip(own, other, strict=True))


def rows_of(shift: float) -> list[Row]:
    """Three seeds that differ by more than the arms do."""
    figures = {"trained on": 1.0, "told by words": 0.1, "own caption likelier": 0.6}
    return [
        {
            "arm": arm.name,
            "seed": seed,
            "steps": 10,
            "batch": 2,
            "tokens": 4000,
            "samples": {"text_to_shape": 20},
            "curve": {"10": 2.0 + seed},
            "figures": figures | {"held out": 2.0 + seed + (shift if arm.name == "x_to_x" else 0.0)},
        }
        for seed in range(3)
        for arm in ARMS
    ]


def test_intervals_are_those_of_students_t() -> None:
    mean, deviation, reach = interval([1.0, 2.0, 3.0])
    assert (mean, deviation) == (2.0, 1.0)
    assert reach == pytest.approx(4.303 / np.sqrt(3), rel=1e-3)


def test_arms_are_compared_seed_by_seed() -> None:
    rows = rows_of(-0.2)
    of = [row["figures"]["held out"] for row in rows if row["arm"] == "x_to_x"]
    assert np.std(of) > 0.5
    found = paired(rows, "x_to_x", "3d_same_batch", lambda row: float(row["figures"]["held out"]))
    assert found == pytest.approx([-0.2] * 3)
    assert "-0.200 [-0.200, -0.200]" in differences_table(rows).markdown()
    assert "2.800 ± 1.000" in arms_table(rows).markdown()
