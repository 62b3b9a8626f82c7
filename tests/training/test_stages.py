"""A stage: what its samples are, that its loss is that of Eq. 1, and on how many devices it is the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from backend.sequence import NO_LABEL, VIEWS, batch
from backend.tasks import TASKS, tasks_of
from tests.backend.small_model import Letters
from tests.training.token_shards import stage, stage_recipe, tokenizers
from training.data.shards.dataset import Dataset
from training.draws import Draw, draw, read
from training.loop import Machine
from training.recipes.tokens import tokens_per_sample
from training.stages import StageTask, load_stage
from training.token_pools import PICTURE, TokenPool, open_pools


def draws(task: StageTask, count: int) -> list[Draw]:
    return [draw(task.recipe, task.pools, np.random.default_rng((0, number))) for number in range(count)]


def pool_named(data: Path, name: str) -> TokenPool:
    return open_pools(Dataset(data), [name], "train", tokenizers().hashes)[name]


def test_a_pool_joins_the_tokens_of_an_asset(token_data: Path) -> None:
    pool = pool_named(token_data, "text, 6 posed images, 3D")
    assert len(pool) == 10
    for row in range(len(pool)):
        sample = pool.sample(row)
        number = int(sample.key.split()[1])
        assert sample.shape is not None
        assert sample.shape[0] == 7 * (number % 4)
        assert [int(sample.images[view][0]) for view in VIEWS] == [5 * (number // 4) + k for k in range(6)]
        assert sample.captions[0][1].split() == [("red", "blue", "green")[number // 4], sample.captions[0][0]]


def test_pairs_know_their_sides_and_pictures_their_captions(token_data: Path) -> None:
    pair = pool_named(token_data, "edits").sample(3)
    assert pair.source is not None
    assert pair.shape is not None
    assert ((pair.source.astype(int) + 1) % 32 == pair.shape).all()
    assert pair.captions == (("make it larger",),)
    picture = pool_named(token_data, "text-image").sample(0)
    assert list(picture.images) == [PICTURE]
    assert picture.captions == (("red paint",),)


def test_tokens_of_another_tokenizer_are_refused(token_data: Path) -> None:
    with pytest.raises(ValueError, match="made by another tokenizer"):
        open_pools(Dataset(token_data), ["text-3D"], "train", tokenizers(1).hashes)


def test_rare_categories_are_drawn_as_they_weigh(token_data: Path) -> None:
    pool, rng = pool_named(token_data, "text-3D"), np.random.default_rng(0)
    counts = Counter(pool.draw(rng) for _ in range(2000))
    assert sorted(counts) == list(range(10))
    assert max(counts.values()) < 1.5 * min(counts.values())


@pytest.mark.parametrize("name", TASKS)
def test_a_sample_has_the_segments_of_its_task(token_data: Path, name: str) -> None:
    """Tables 4 and 7, sections 4.5 and 5: what is given is a prefix, a picture carries its view's token."""
    task = stage(token_data, stage_recipe(name, prefix_dropout=0.0))
    for one in draws(task, 20):
        drawn = read(one, task.pools[one.pool])
        sample = task.pools[one.pool].sample(one.row)
        assert drawn.layout == TASKS[name].layout(one.image_views, one.views)
        posed = [segment.view for segment in drawn.layout.segments if segment.view]
        assert len(set(posed)) == len(posed)
        for segment, codes in zip(drawn.layout.segments, drawn.codes, strict=True):
            if segment.view is not None:
                assert (codes.numpy() == sample.images[segment.view]).all()
            elif segment.modality == "image":
                unposed = [own for view, own in sample.images.items() if view not in VIEWS]
                assert any((codes.numpy() == own).all() for own in unposed)
        sequence = drawn.sequence(task.recipe.config.vocabulary)
        assert sequence.prefix == sum(len(own) + 1 for own in drawn.codes[: len(drawn.layout.prefix)])
        assert (sequence.labels[: sequence.prefix] == NO_LABEL).all()


def test_an_edit_goes_from_source_to_target(token_data: Path) -> None:
    task = stage(token_data, stage_recipe("edit_shape", prefix_dropout=0.0))
    drawn = read(draws(task, 1)[0], task.pools["edits"])
    assert torch.equal((drawn.codes[0] + 1) % 32, drawn.codes[1])


def test_three_regimes_where_there_is_a_source(token_data: Path) -> None:
    """Text and source, source only, neither; section 5, and the share of neither is the recipe's (I13)."""
    found = Counter(
        (one.sourced, one.worded) for one in draws(stage(token_data, stage_recipe("edit_shape")), 4000)
    )
    assert set(found) == {(True, True), (True, False), (False, False)}
    assert found[False, False] / 4000 == pytest.approx(0.1, abs=0.02)
    assert found[True, False] / 4000 == pytest.approx(0.09, abs=0.02)


def test_text_alone_is_dropped_as_often_as_the_recipe_says(token_data: Path) -> None:
    ones = draws(stage(token_data, stage_recipe("text_to_shape")), 4000)
    assert all(one.sourced for one in ones)
    assert sum(not one.worded for one in ones) / 4000 == pytest.approx(0.1, abs=0.02)


def test_an_unconditional_sample_has_neither_words_nor_source(token_data: Path) -> None:
    task = stage(token_data, stage_recipe("image_to_shape"))
    one = next(one for one in draws(task, 100) if not one.sourced)
    drawn = read(one, task.pools[one.pool])
    assert drawn.words is None
    assert drawn.layout.prefix == ()
    assert len(drawn.codes) == 1


def test_pools_tasks_and_directions_are_drawn_by_the_recipe(token_data: Path) -> None:
    tasks = ("image_to_shape", "shape_to_image", "text_to_shape", "edit_shape")
    task = stage(token_data, stage_recipe(*tasks))
    found = Counter(one.task for one in draws(task, 3000))
    assert {name: round(count / 3000, 1) for name, count in found.items()} == {
        "image_to_shape": 0.2,
        "shape_to_image": 0.2,
        "text_to_shape": 0.3,
        "edit_shape": 0.3,
    }


def test_chains_have_as_many_views_as_the_recipe_says(token_data: Path) -> None:
    six = draws(stage(token_data, stage_recipe("text_to_views_shape_views")), 60)
    assert {len(one.image_views) + len(one.views) for one in six} == {6}
    assert {len(one.image_views) for one in six} == {1, 2, 3, 4, 5, 6}
    few = draws(stage(token_data, stage_recipe("views_to_shape", views=(1, 3))), 60)
    assert {len(one.image_views) for one in few} == {1, 2, 3}


def test_samples_are_as_long_as_the_recipe_counts_them(token_data: Path) -> None:
    """What is trained is what the dry run counts (Table 6's tokens seen)."""
    tasks = tuple(task.name for task in tasks_of("sft"))
    task = stage(token_data, stage_recipe(*tasks, prefix_dropout=0.0, views=(1, 6)))
    lengths = task.recipe.config.lengths
    mean = np.mean([one.layout.n_codes(lengths) for one in draws(task, 3000)])
    assert mean == pytest.approx(tokens_per_sample(task.recipe), rel=0.03)


def test_tasks_of_pre_training_are_watched_on_the_same_samples_in_every_stage(token_data: Path) -> None:
    """So that their losses before and after continued training compare."""
    late = stage_recipe("image_to_shape", "image_to_view")
    early = stage_recipe("image_to_shape", name="pt1", config=replace(late.config, n_views=0))
    before, after = (stage(token_data, one)._watched["image_to_shape"] for one in (early, late))
    for one, other in zip(before, after, strict=True):
        assert (one.key, one.words, one.layout) == (other.key, other.words, other.layout)
        assert all(torch.equal(*pair) for pair in zip(one.codes, other.codes, strict=True))


def test_pools_without_data_are_left_out(token_data_without_edits: Path) -> None:
    task = stage(token_data_without_edits, stage_recipe("text_to_shape", "edit_shape"))
    assert task.notes == ["The data has nothing for the pool edits: it is left out."]
    assert {one.task for one in draws(task, 50)} == {"text_to_shape"} == set(task.trained)
    with pytest.raises(ValueError, match="no tokens of edits"):
        stage(token_data_without_edits, stage_recipe("edit_shape"))


def test_the_loss_is_the_mean_over_samples_of_means_over_targets(token_data: Path) -> None:
    """Eq. 1, against the padded forward pass."""
    task = stage(token_data, stage_recipe(*TASKS))
    model = task.transformer.eval()
    (part,) = task.parts(3, 0, 1)
    loss = task.loss(model, part)
    assert loss.value.item() == pytest.approx(_padded(task, 3), rel=1e-5)


def test_stages_of_one_seed_draw_other_samples(token_data: Path) -> None:
    tasks = tuple(task.name for task in tasks_of("pt"))
    first, second = (stage(token_data, stage_recipe(*tasks, name=name)) for name in ("pt1", "pt2"))
    assert [first.drawn(0, place) for place in range(8)] != [second.drawn(0, place) for place in range(8)]


def _padded(task: StageTask, step: int) -> float:
    vocabulary, means = task.recipe.config.vocabulary, []
    for place in range(task.recipe.loop.batch):
        one = task.drawn(step, place)
        drawn = read(one, task.pools[one.pool])
        rows = batch([drawn.sequence(vocabulary)])
        due = rows.due(vocabulary)
        drop = torch.tensor([drawn.words is None])
        text = task.captions.rows([drawn.words])
        logits = task.transformer(rows.inputs, text, drop=drop, visible=rows.visible, due=due)
        losses = [
            F.cross_entropy(own[:, : vocabulary.n_codes(m)], rows.labels[due[m]], reduction="none")
            for m, own in logits.items()
        ]
        means.append(torch.cat(losses).mean().item())
    return float(np.mean(means))


def test_devices_and_micro_batches_change_nothing(token_data: Path) -> None:
    recipe = stage_recipe(*TASKS)
    whole, small = stage(token_data, recipe), stage(token_data, recipe, machine=Machine(micro_tokens=40))
    model = whole.transformer.eval()
    (part,) = whole.parts(5, 0, 1)
    expected = whole.loss(model, part)
    parts = [part for rank in range(3) for part in small.parts(5, rank, 3)]
    assert all(len(own.tasks) == 1 or len(own.batch.inputs) <= 40 for own in parts)
    losses = [small.loss(model, own) for own in parts]
    assert sum(loss.samples for loss in losses) == expected.samples == recipe.loop.batch
    total = sum(loss.value.item() * loss.samples for loss in losses) / recipe.loop.batch
    assert total == pytest.approx(expected.value.item(), rel=1e-5)


def test_losses_are_told_by_task_and_by_modality(token_data: Path) -> None:
    task = stage(token_data, stage_recipe("text_to_image_shape", "image_to_shape"))
    (part,) = task.parts(0, 0, 1)
    figures = task.loss(task.transformer.eval(), part).figures
    counts = Counter(part.tasks)
    assert {
        name: weight
        for name, (_, weight) in figures.items()
        if name.startswith("loss/") and "tokens" not in name
    } == {f"loss/{name}": count for name, count in counts.items()}
    assert figures["loss/shape tokens"][1] == 6 * len(part.tasks)


def test_held_out_samples_are_watched_with_all_that_is_given(token_data: Path) -> None:
    task = stage(token_data, stage_recipe("text_to_shape", "shape_to_views", "edit_shape"))
    watched = task._watched
    assert {sample.key.partition("/")[0] for few in watched.values() for sample in few} == {
        "asset 04",
        "asset 09",
    }
    assert all(sample.words for few in watched.values() for sample in few)
    with torch.no_grad():
        figures = task.evaluate(task.transformer.eval())
    assert set(figures) == {"val/text_to_shape", "val/shape_to_views", "val/edit_shape"}


def test_every_parameter_gets_a_gradient_whatever_was_drawn(token_data: Path) -> None:
    """DDP waits for all of them."""
    task = stage(token_data, stage_recipe("text_to_shape"))
    (part,) = task.parts(0, 0, 1)
    task.loss(task.transformer, part).value.backward()
    lacking = [name for name, p in task.transformer.named_parameters() if p.grad is None]
    assert lacking == []


def test_changed_data_is_said_when_a_run_goes_on(
    token_data: Path, token_data_without_edits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.stages.trained_tokenizers", lambda shape_run, image_run: tokenizers())
    monkeypatch.setattr("training.stages.text_encoder", lambda name, device: Letters())
    recipe = stage_recipe("text_to_shape")
    for data, notes in ((token_data, 0), (token_data, 0), (token_data_without_edits, 1)):
        task = load_stage(recipe, data, tmp_path, shape_run=tmp_path)
        assert len(task.notes) == notes
    assert "data has changed" in task.notes[0]
