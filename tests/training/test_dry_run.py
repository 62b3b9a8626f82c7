"""Plans for many GPUs, made without one."""

from __future__ import annotations

import pytest

from backend.model.transformer import DualStreamTransformer
from backend.presets import mini, omni123_2b
from backend.tasks import TASKS
from training.dry_run import GB, Cluster, dry_run, meta_model, report, sharded
from training.flops import parts_of, sample_flops
from training.recipes.registry import recipe


def test_a_shard_is_its_part_and_the_odd_rows() -> None:
    config = mini().transformer
    whole = sum(parameter.numel() for parameter in DualStreamTransformer(config).parameters())
    shares = sharded(config, 8)
    assert shares.total == whole
    assert whole / 8 <= shares.largest < whole / 8 + 32 * config.width + 40 * config.width
    assert sharded(config, 1).largest == whole


def test_the_paper_s_first_stage_fits_and_takes_under_a_day() -> None:
    stage = recipe("omni123-2b", "pt1")
    cluster = Cluster(devices=256)
    plan = dry_run(stage, cluster)
    assert plan.shares.total == 2_160_694_144
    assert (plan.at_once, plan.accumulation) == (8, 1)
    assert sum(plan.memory.values()) < 80 * GB
    assert plan.replicated == 20 * plan.shares.total
    assert 0.5 < plan.days < 1.5
    text = report(stage, cluster, plan)
    assert "0.761 T" in text
    assert "2,160,694,144" in text
    assert "2,048 = 256 GPUs x 8" in text


def test_fewer_devices_accumulate_to_the_same_batch() -> None:
    stage = recipe("mini", "pt1")
    one, four = (dry_run(stage, Cluster(devices=n, memory=0.5 * GB)) for n in (1, 4))
    assert one.at_once * one.accumulation >= 16 > one.at_once * (one.accumulation - 1)
    assert four.accumulation <= one.accumulation
    assert four.days == pytest.approx(one.days / 4)


def test_checkpointing_keeps_less() -> None:
    stage = recipe("mini", "sft")
    kept, checkpointed = (
        dry_run(stage, Cluster(devices=1, checkpoint_activations=on)) for on in (False, True)
    )
    assert checkpointed.memory["activations"] < kept.memory["activations"] / 2


def test_a_gpu_that_holds_no_sample_is_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"one sample of sft needs .* GB, a GPU has 0.2"):
        dry_run(recipe("mini", "sft"), Cluster(devices=1, memory=0.2 * GB))
    with pytest.raises(ValueError, match="no such cluster"):
        Cluster(devices=0)


def test_flops_are_six_per_weight_and_token_where_attention_is_short() -> None:
    config = omni123_2b(image_tokens=256, views=False).transformer
    parts = parts_of(meta_model(config))
    weights = 256 * parts["generation blocks"] + config.text_tokens * parts["conditioning blocks"]
    flops = sample_flops(config, parts, TASKS["text_to_image"].layout())
    assert 1 < flops / (6 * weights) < 1.15
