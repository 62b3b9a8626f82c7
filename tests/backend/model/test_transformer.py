"""The backbone: published numerics, causality, shared blocks, and rows that keep to themselves."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor

from backend.model.config import TextInput, TransformerConfig
from backend.model.text import TextEmbeddings
from backend.model.transformer import DualStreamTransformer
from backend.sequence import VIEWS, Layout, Segment, batch, build, pack, segment_ids

SHARED = Path(os.environ.get("OMNI123_SHARED", Path(__file__).resolve().parents[4] / "shared"))
GOLDEN = SHARED / "golden" / "cube3d-small"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden vectors are not on this machine")

SMALL = TransformerConfig(
    n_dual=2,
    n_single=2,
    width=32,
    n_heads=2,
    n_shape_codes=16,
    shape_code_dim=4,
    n_shape_tokens=6,
    n_image_codes=12,
    image_code_dim=5,
    n_image_tokens=4,
    n_views=6,
    text=(TextInput(width=8, tokens=5), TextInput(width=6, tokens=3)),
)
SHAPE, IMAGE, LEFT = Segment("shape"), Segment("image"), Segment("image", "left")
SEGMENTS = st.sampled_from([SHAPE, IMAGE, *(Segment("image", view) for view in VIEWS)])
LAYOUTS = st.builds(
    lambda prefix, targets: Layout(prefix=tuple(prefix), targets=tuple(targets)),
    st.lists(SEGMENTS, max_size=2),
    st.lists(SEGMENTS, min_size=1, max_size=2),
)


def fresh(config: TransformerConfig = SMALL) -> DualStreamTransformer:
    torch.manual_seed(0)
    model = DualStreamTransformer(config).eval()
    torch.nn.init.normal_(model.transformer.wte.weight)  # start tokens that matter
    image = torch.randn(12, 5) if config.n_image_codes and config.embed_image_codes == "projected" else None
    model.set_codebooks(torch.randn(16, 4) if config.embed_codes == "projected" else None, image)
    return model


@pytest.fixture(scope="module")
def small() -> DualStreamTransformer:
    return fresh()


def words(rows: int = 1, *, real: tuple[int, int] = (5, 3), seed: int = 1) -> TextEmbeddings:
    """Random text of both encoders, of which the first `real` embeddings count."""
    rng = torch.Generator().manual_seed(seed)
    sizes = [(text.tokens, text.width) for text in SMALL.text]
    return TextEmbeddings(
        tuple(torch.randn(rows, *size, generator=rng) for size in sizes),
        tuple((torch.arange(n) < k).repeat(rows, 1) for (n, _), k in zip(sizes, real, strict=True)),
    )


def random_codes(layout: Layout, seed: int = 0) -> list[Tensor]:
    rng = torch.Generator().manual_seed(seed)
    sizes = SMALL.lengths
    return [
        torch.randint(SMALL.vocabulary.n_codes(s.modality), (sizes[s.modality],), generator=rng)
        for s in layout.segments
    ]


@pytest.fixture(scope="module")
def published() -> tuple[DualStreamTransformer, dict[str, Tensor]]:
    config = TransformerConfig(
        n_dual=3,
        n_single=2,
        width=64,
        n_heads=2,
        rope_theta=10000.0,
        n_shape_codes=256,
        shape_code_dim=8,
        n_shape_tokens=24,
        text=(TextInput(width=48, tokens=11),),
        learned_null_text=False,
        use_bbox=True,
    )
    model = DualStreamTransformer(config).eval()
    model.load_state_dict(load_file(GOLDEN / "shape_gpt.safetensors"), strict=True)
    with np.load(GOLDEN / "expected.npz") as arrays:
        expected = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    model.set_codebooks(expected["codebook"], None)
    return model, expected


@needs_golden
@torch.no_grad()
def test_teacher_forced_logits_are_the_published_ones(published) -> None:  # type: ignore[no-untyped-def]
    model, expected = published
    text = expected["text_embeddings"]
    rows = batch([build(Layout(targets=(SHAPE,)), [ids], model.vocabulary) for ids in expected["shape_ids"]])
    logits = model(
        rows.inputs,
        TextEmbeddings((text,), (torch.ones(text.shape[:2], dtype=torch.bool),)),
        bbox=expected["bbox"],
        visible=rows.visible,
    )["shape"]
    wanted = expected["teacher_forced_logits"].flatten(0, 1)
    torch.testing.assert_close(logits, wanted, atol=1e-4, rtol=0)


@needs_golden
@torch.no_grad()
def test_uncached_greedy_ids_are_the_published_ones(published) -> None:  # type: ignore[no-untyped-def]
    model, expected = published
    embeddings = torch.cat((expected["text_embeddings"], expected["null_text_embeddings"].expand(2, -1, -1)))
    text = TextEmbeddings((embeddings,), (torch.ones(embeddings.shape[:2], dtype=torch.bool),))
    box = torch.cat((expected["bbox"], torch.zeros(2, 3)))
    ids = torch.full((2, 1), model.vocabulary.start(SHAPE))
    for index in range(24):
        hidden = model.hidden(ids.repeat(2, 1), text, bbox=box)[:, -1]
        conditional, unconditional = model.logits(hidden, "shape")[:, :256].chunk(2)
        guidance = 3.0 * (24 - index) / 24
        chosen = ((1 + guidance) * conditional - guidance * unconditional).argmax(dim=-1)
        ids = torch.cat((ids, chosen[:, None]), dim=1)
    assert torch.equal(ids[:, 1:], expected["greedy_ids"])


@settings(max_examples=25, deadline=None)
@given(layout=LAYOUTS, seed=st.integers(0, 99))
@torch.no_grad()
def test_a_target_never_sees_a_later_position(
    small: DualStreamTransformer, layout: Layout, seed: int
) -> None:
    sequence = build(layout, random_codes(layout, seed), small.vocabulary)
    length = len(sequence.inputs)
    at = sequence.prefix + seed % (length - sequence.prefix)
    changed = sequence.inputs.clone()
    changed[at] = (changed[at] + 1) % small.vocabulary.size
    seen = batch([sequence]).visible
    before, after = (small.hidden(ids[None], words(), visible=seen)[0] for ids in (sequence.inputs, changed))
    assert torch.equal(before[:at], after[:at])
    assert not torch.isclose(before[at:], after[at:]).all(dim=-1).any()


@settings(max_examples=25, deadline=None)
@given(layout=LAYOUTS.filter(lambda layout: bool(layout.prefix)), seed=st.integers(0, 99))
@torch.no_grad()
def test_every_position_sees_the_whole_prefix(
    small: DualStreamTransformer, layout: Layout, seed: int
) -> None:
    sequence = build(layout, random_codes(layout, seed), small.vocabulary)
    changed = sequence.inputs.clone()
    at = seed % sequence.prefix
    changed[at] = (changed[at] + 1) % small.vocabulary.size
    seen = batch([sequence]).visible
    before, after = (small.hidden(ids[None], words(), visible=seen)[0] for ids in (sequence.inputs, changed))
    assert not torch.isclose(before, after).all(dim=-1).any()


@settings(max_examples=25, deadline=None)
@given(layouts=st.lists(LAYOUTS, min_size=2, max_size=3))
@torch.no_grad()
def test_padding_and_neighbours_change_no_logit(small: DualStreamTransformer, layouts: list[Layout]) -> None:
    sequences = [build(layout, random_codes(layout), small.vocabulary) for layout in layouts]
    rows = batch(sequences)
    text = words(len(rows.inputs), real=(3, 2))
    together = small.hidden(rows.inputs, text, visible=rows.visible)
    for row, sequence in enumerate(sequences):
        one = batch([sequence])
        short = text.row(row)
        short = TextEmbeddings(
            (short.parts[0][:, :3], short.parts[1][:, :2]), (short.masks[0][:, :3], short.masks[1][:, :2])
        )
        alone = small(one.inputs, short, visible=one.visible, due=one.due(small.vocabulary))
        for modality, where in one.due(small.vocabulary).items():
            logits = small.logits(together[row, : len(sequence.inputs)][where[0]], modality)
            torch.testing.assert_close(logits, alone[modality], atol=1e-5, rtol=0)


@settings(max_examples=25, deadline=None)
@given(layouts=st.lists(LAYOUTS, min_size=1, max_size=5), seed=st.integers(0, 99))
@torch.no_grad()
def test_a_pack_gives_every_sample_the_logits_it_has_alone(
    small: DualStreamTransformer, layouts: list[Layout], seed: int
) -> None:
    sequences = [build(layout, random_codes(layout), small.vocabulary) for layout in layouts]
    samples = pack(sequences)
    rng = torch.Generator().manual_seed(seed)
    text = words(len(sequences), real=(3, 2), seed=seed)
    for mask in text.masks:
        mask[:] = torch.rand(mask.shape, generator=rng) < 0.6
    drop = torch.rand(len(sequences), generator=rng) < 0.3
    together = small(samples, text, drop=drop)
    for row, sequence in enumerate(sequences):
        one = batch([sequence])
        due = one.due(small.vocabulary)
        alone = small(one.inputs, text.row(row), drop=drop[row, None], visible=one.visible, due=due)
        for modality, logits in alone.items():
            mine = together[modality][samples.sample_of(modality) == row]
            torch.testing.assert_close(mine, logits, atol=1e-5, rtol=0)
            labels = samples.labels(modality)[samples.sample_of(modality) == row]
            assert torch.equal(labels, one.labels[due[modality]])


@torch.no_grad()
def test_only_the_due_head_answers_and_only_with_its_own_codes(small: DualStreamTransformer) -> None:
    layout = Layout(prefix=(IMAGE,), targets=(LEFT, SHAPE))
    rows = batch([build(layout, random_codes(layout), small.vocabulary)])
    logits = small(rows.inputs, words(), visible=rows.visible, due=rows.due(small.vocabulary))
    assert {modality: tuple(own.shape) for modality, own in logits.items()} == {
        "image": (4, 12 + 3),
        "shape": (6, 16 + 3),
    }
    before = {modality: own.clone() for modality, own in logits.items()}
    other = fresh()
    other.image_head.weight.zero_()
    after = other(rows.inputs, words(), visible=rows.visible, due=rows.due(small.vocabulary))
    assert torch.equal(after["shape"], before["shape"])
    assert not after["image"].any()


@torch.no_grad()
def test_prefilled_keys_and_values_are_those_of_a_full_pass(small: DualStreamTransformer) -> None:
    layout = Layout(prefix=(SHAPE, LEFT), targets=(IMAGE,))
    codes = random_codes(layout)
    pairs = zip(layout.prefix, codes, strict=False)
    ids = torch.cat([segment_ids(segment, own, small.vocabulary) for segment, own in pairs])
    text = words(real=(3, 2))
    seen: list[tuple[Tensor, Tensor]] = []
    blocks = [*small.transformer.dual_blocks, *small.transformer.single_blocks]
    projections = [b.attn.pre_x if hasattr(b.attn, "pre_x") else b.attn for b in blocks]
    hooks = [p.register_forward_hook(lambda _, __, out: seen.append(out[1:])) for p in projections]
    sequence = build(layout, codes, small.vocabulary)
    small.hidden(sequence.inputs[None], text, visible=batch([sequence]).visible)
    for hook in hooks:
        hook.remove()
    mine = small.prefill(ids, small.prompt_keys_values(text))
    assert len(mine) == len(seen) == 4
    for own, whole in zip(mine, seen, strict=True):
        for tensor, wanted in zip(own, whole, strict=True):
            torch.testing.assert_close(tensor, wanted[0, : len(ids)].transpose(0, 1), atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_dropped_prompt_is_the_same_for_every_prompt(small: DualStreamTransformer) -> None:
    ids, drop = torch.randint(16, (1, 6)), torch.tensor([True])
    one, other = (small.hidden(ids, words(seed=seed), drop=drop) for seed in (1, 2))
    assert torch.equal(one, other)
    boxed = fresh(replace(SMALL, use_bbox=True))
    for model in (small, boxed):
        (keys, _), *_ = model.prompt_keys_values(None, drop=True)
        assert keys.shape == (2, 8 + model.config.use_bbox, 16)
    with pytest.raises(ValueError, match="empty prompt"):
        fresh(replace(SMALL, learned_null_text=False)).prompt_keys_values(None, drop=True)


def test_text_never_enters_single_stream_layers(small: DualStreamTransformer) -> None:
    lengths: list[int] = []
    hooks = [
        block.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
        for block in small.transformer.single_blocks
    ]
    small(torch.randint(16, (1, 6)), words())
    for hook in hooks:
        hook.remove()
    assert lengths == [6, 6]


def test_layers_have_no_branch_for_a_modality(small: DualStreamTransformer) -> None:
    named = [
        name for name, _ in small.named_parameters() if any(m in name for m in ("image", "shape", "view"))
    ]
    assert {name.split(".")[0] for name in named} == {
        *("image_wte", "image_head", "image_proj", "shape_proj", "view_wte")
    }


def test_view_tokens_are_all_that_continued_training_adds() -> None:
    before, after = DualStreamTransformer(replace(SMALL, n_views=0)), DualStreamTransformer(SMALL)
    assert after.state_dict().keys() - before.state_dict().keys() == {"view_wte.weight"}
    assert after.view_wte.weight.shape == (6, 32)


def test_a_text_only_shape_model_has_the_published_names() -> None:
    plain = replace(
        SMALL, n_image_codes=0, image_code_dim=0, n_image_tokens=0, n_views=0, text=SMALL.text[:1]
    )
    names = DualStreamTransformer(replace(plain, learned_null_text=False)).state_dict().keys()
    outside = {name for name in names if not name.startswith("transformer.")}
    assert outside == {
        *("text_proj.weight", "text_proj.bias", "shape_proj.weight", "shape_proj.bias", "lm_head.weight")
    }


def test_a_wrong_codebook_is_refused() -> None:
    model = fresh()
    with pytest.raises(ValueError, match="shape codebook is"):
        model.set_codebooks(torch.randn(15, 4), torch.randn(12, 5))
    with pytest.raises(ValueError, match="image codebook is None"):
        model.set_codebooks(torch.randn(16, 4), None)
    with pytest.raises(ValueError, match="before the first use"):
        DualStreamTransformer(SMALL).embedding_table()


@pytest.mark.parametrize("embedding", ["projected", "learned"])
def test_every_parameter_learns(embedding: str) -> None:
    config = replace(SMALL, token_dropout=0.1, embed_codes=embedding, embed_image_codes=embedding)
    model = fresh(config).train()
    layout = Layout(targets=(LEFT, IMAGE, SHAPE))
    samples = pack([build(layout, random_codes(layout), model.vocabulary)] * 2)
    logits = model(samples, words(2), drop=torch.tensor([True, False]))
    torch.cat([own.logsumexp(-1) for own in logits.values()]).sum().backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert model.embedding_table().shape == (model.vocabulary.size, 32)


def test_dropout_zeroes_whole_tokens_while_training_only() -> None:
    model = fresh(replace(SMALL, token_dropout=0.5))
    ids = torch.randint(16, (1, 200))
    assert model.embed(ids).all(dim=-1).all()
    dropped = (model.train().embed(ids) == 0).all(dim=-1)
    assert 60 < dropped.sum() < 140
