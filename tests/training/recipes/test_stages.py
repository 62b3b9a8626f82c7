"""The five stages: the paper's numbers, and small recipes that change sizes and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.tasks import TASKS, tasks_of
from training.recipes import mini, variants
from training.recipes.registry import RECIPES, recipe
from training.recipes.sizes import (
    OTHER_ARCHITECTURE,
    PARTS,
    TOKENIZER_PARTS,
    beyond_sizes,
    differences,
)
from training.recipes.stages import STAGES, StageRecipe
from training.recipes.tokens import layouts, tokens_per_sample, tokens_seen

PAPER = "omni123-2b"


def stage(name: str, preset: str = PAPER) -> StageRecipe:
    found = recipe(preset, name)
    assert isinstance(found, StageRecipe)
    return found


# Table 6, and section 5 for editing: peak learning rate, warm-up, steps, batch, pixels, image tokens, GPUs.
TABLE_6 = {
    "pt1": (5e-4, 5000, 400_000, 2048, 256, 256, 256),
    "pt2": (1e-4, 1000, 250_000, 1024, 512, 1024, 256),
    "ct": (1e-5, 1000, 120_000, 1024, 512, 1024, 256),
    "sft": (1e-6, 2000, 115_000, 256, 512, 1024, 256),
    "edit": (1e-5, 1000, 10_000, 128, 512, 1024, 32),
}


@pytest.mark.parametrize("name", STAGES)
def test_table_6(name: str) -> None:
    found = stage(name)
    loop = found.loop
    row = (loop.peak_lr, loop.warmup, loop.steps, loop.batch)
    assert (*row, found.image_pixels, found.config.n_image_tokens, found.devices) == TABLE_6[name]
    assert (loop.betas, loop.weight_decay, loop.clip) == ((0.9, 0.999), 0.1, 5.0)
    assert found.text_dropout == 0.1
    assert (found.config.n_views > 0) == (name not in ("pt1", "pt2"))


@pytest.mark.parametrize(("name", "seen"), [("pt1", 0.761), ("pt2", 0.401), ("ct", 0.198), ("sft", 0.151)])
def test_tokens_seen_are_those_of_table_6(name: str, seen: float) -> None:
    assert round(tokens_seen(stage(name)) / 1e12, 3) == seen


def test_editing_reads_and_writes_a_shape() -> None:
    assert tokens_per_sample(stage("edit")) == 2048
    assert round(stage("edit").loop.steps * stage("edit").loop.batch / 116_309, 1) == 11.0  # epochs


def test_pre_training_draws_table_5() -> None:
    shares = stage("pt1").shares()
    assert shares["text_to_image"] == 0.30
    assert shares["text_to_shape"] == 0.17
    assert shares["image_to_shape"] == shares["shape_to_image"] == pytest.approx(0.53 / 2)


@pytest.mark.parametrize("name", ["ct", "sft"])
def test_later_stages_draw_their_tasks_equally_often(name: str) -> None:
    shares = stage(name).shares()
    assert set(shares) == {task.name for task in tasks_of("ct" if name == "ct" else "sft")}
    assert list(shares.values()) == pytest.approx([1 / len(shares)] * len(shares))


@pytest.mark.parametrize("name", STAGES)
def test_mini_differs_in_sizes_only(name: str) -> None:
    assert beyond_sizes(stage(name), stage(name, "mini")) <= PARTS.keys()


@pytest.mark.parametrize("name", ["image_vae", "image_tokenizer"])
def test_image_tokenizers_differ_in_sizes_and_named_parts(name: str) -> None:
    assert beyond_sizes(recipe(PAPER, name), recipe("mini", name)) <= TOKENIZER_PARTS.keys()


def test_shape_tokenizers_share_their_loss_and_optimiser() -> None:
    large, small = recipe(PAPER, OTHER_ARCHITECTURE), recipe("mini", OTHER_ARCHITECTURE)
    changed = {name for name in differences(large, small) if not name.startswith(("config.", "transport"))}
    loop = {"loop.steps", "loop.batch", "loop.peak_lr", "loop.warmup", "loop.ema", "loop.save_every"}
    assert changed <= loop | {"kind", "points", "queries", "quantise_from"}


def test_another_optimiser_would_be_noticed() -> None:
    small = stage("pt1", "mini")
    other = replace(
        small,
        loop=replace(small.loop, clip=1.0),
        pools={"text-3D": 0.3, "image-3D": 0.7},
        tasks=("text_to_shape", "image_to_shape"),
    )
    assert beyond_sizes(stage("pt1"), other) >= {"clip", "pools", "tasks"}


def test_every_sequence_of_a_stage_is_one_of_its_tasks() -> None:
    for name in STAGES:
        found = stage(name, "mini")
        for task in found.tasks:
            chances = [chance for chance, _ in layouts(found, task)]
            assert sum(chances) == pytest.approx(1)
    counts = {len(layout.segments) for _, layout in layouts(stage("sft", "mini"), "views_to_shape")}
    assert counts == {2, 3, 4, 5, 6, 7}
    assert {len(layout.segments) for _, layout in layouts(stage("sft"), "text_to_views_shape_views")} == {7}


def test_rates_of_small_stages_keep_the_paper_s_order() -> None:
    rates = {name: stage(name, "mini").loop.peak_lr for name in STAGES}
    assert rates["pt1"] == 1e-3
    assert rates["pt1"] == rates["edit"] > rates["pt2"] > rates["ct"] > rates["sft"]


def test_rehearsal_keeps_the_tasks_of_earlier_stages() -> None:
    assert set(mini.edit_rehearsed().tasks) == TASKS.keys()
    found = variants.rehearsing(mini.edit(), mini.ct(), mini.sft(), share=0.4)
    assert found.shares()["edit_shape"] == pytest.approx(0.6)
    with pytest.raises(ValueError, match="share between 0 and 1"):
        variants.rehearsing(mini.edit(), mini.ct(), share=1.0)


def test_shapes_alone_need_no_images() -> None:
    found = mini.shape_only()
    assert found.config.vocabulary.modalities == ("shape",)
    assert found.shares() == {"text_to_shape": 1.0}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tasks": ("text_to_song",)}, "no pool or task"),
        ({"pools": {"text-3D": 1.0}}, "pools without tasks"),
        ({"pools": {"text-image": 0.5, "image-3D": 0.5, "text-3D": 0.5}}, "sum to 1"),
        ({"views": (2, 7)}, "from 1 to 6"),
        ({"text_dropout": 1.0}, "dropout is 1.0"),
        ({"config": mini.shape_only().config}, "needs images"),
    ],
)
def test_what_cannot_be_trained_is_refused(changed: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(stage("pt1", "mini"), **changed)  # type: ignore[arg-type]


def test_names_that_do_not_exist_are_answered_with_those_that_do() -> None:
    with pytest.raises(ValueError, match=", ".join(RECIPES)):
        recipe("huge", "pt1")
    with pytest.raises(ValueError, match="shape_tokenizer, image_vae"):
        recipe(PAPER, "pt3")
