"""The shared token space and its sequences: what is fed, what is predicted, who sees whom."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from backend.sequence import (
    MODALITIES,
    NO_LABEL,
    VIEWS,
    Layout,
    Segment,
    TokenSequence,
    Vocabulary,
    batch,
    build,
    pack,
    segment_ids,
    visibility,
)

VOCABULARY = Vocabulary(n_shape_codes=10, n_image_codes=7, n_views=6)
SHAPE, IMAGE, LEFT = Segment("shape"), Segment("image"), Segment("image", "left")
SEGMENTS = st.one_of(
    st.just(SHAPE), st.just(IMAGE), st.sampled_from(VIEWS).map(lambda v: Segment("image", v))
)
LAYOUTS = st.builds(
    lambda prefix, targets: Layout(prefix=tuple(prefix), targets=tuple(targets)),
    st.lists(SEGMENTS, max_size=3),
    st.lists(SEGMENTS, min_size=1, max_size=4),
)


def random_codes(layout: Layout, seed: int = 0) -> list[Tensor]:
    """1 to 4 codes of each segment."""
    rng = torch.Generator().manual_seed(seed)
    sizes = torch.randint(1, 5, (len(layout.segments),), generator=rng).tolist()
    return [
        torch.randint(VOCABULARY.n_codes(segment.modality), (size,), generator=rng)
        for segment, size in zip(layout.segments, sizes, strict=True)
    ]


def targets_of(sequence: TokenSequence, layout: Layout) -> list[list[int]]:
    """The codes that a sequence's labels ask for, segment by segment."""
    runs: list[list[int]] = [[]]
    for label in [*sequence.labels[sequence.prefix :].tolist(), NO_LABEL]:
        runs[-1].append(label) if label != NO_LABEL else runs.append([])
    return runs[: len(layout.targets)]


def test_published_ids_come_first_then_images_then_views() -> None:
    assert VOCABULARY.codes("shape") == range(0, 10)
    assert VOCABULARY.start(SHAPE) == 10  # BOS; 11 and 12 are EOS and padding
    assert VOCABULARY.codes("image") == range(13, 20)
    assert VOCABULARY.start(IMAGE) == 20
    assert [VOCABULARY.start(Segment("image", view)) for view in VIEWS] == list(range(23, 29))
    assert VOCABULARY.size == 29


def test_a_model_without_images_or_views_says_so() -> None:
    plain = Vocabulary(n_shape_codes=10)
    assert (plain.size, plain.modalities) == (13, ("shape",))
    with pytest.raises(ValueError, match="no image tokens"):
        plain.start(IMAGE)
    with pytest.raises(ValueError, match="view 'left'"):
        Vocabulary(n_shape_codes=10, n_image_codes=7).start(LEFT)


def test_only_pictures_have_views_and_only_known_ones() -> None:
    for modality, view in (("shape", "front"), ("image", "inside")):
        with pytest.raises(ValueError, match=view):
            Segment(modality, view)  # type: ignore[arg-type]


def test_each_position_is_fed_the_code_before_the_one_it_predicts() -> None:
    sequence = build(Layout(targets=(SHAPE,)), [torch.tensor([4, 5, 6])], VOCABULARY)
    assert sequence.inputs.tolist() == [10, 4, 5]
    assert sequence.labels.tolist() == [4, 5, 6]


def test_a_chain_predicts_neither_start_tokens_nor_sources() -> None:
    layout = Layout(prefix=(IMAGE,), targets=(SHAPE, LEFT))
    codes = [torch.tensor([1, 2]), torch.tensor([3]), torch.tensor([4, 5])]
    sequence = build(layout, codes, VOCABULARY)
    assert sequence.inputs.tolist() == [20, 14, 15, 10, 3, 25, 17]
    assert sequence.labels.tolist() == [NO_LABEL] * 3 + [3, NO_LABEL, 4, 5]
    assert [MODALITIES[m] if m >= 0 else "" for m in sequence.modalities] == [
        *["", "", "", "shape", "", "image", "image"]
    ]
    assert sequence.prefix == 3


@given(LAYOUTS, st.integers(0, 99))
def test_every_layout_gives_its_targets_back(layout: Layout, seed: int) -> None:
    codes = random_codes(layout, seed)
    sequence = build(layout, codes, VOCABULARY)
    wanted = codes[len(layout.prefix) :]
    assert targets_of(sequence, layout) == [own.tolist() for own in wanted]
    pairs = zip(layout.segments, codes, strict=True)
    whole = torch.cat([segment_ids(segment, own, VOCABULARY) for segment, own in pairs])
    assert torch.equal(sequence.inputs, whole[:-1])
    assert (sequence.labels[: sequence.prefix] == NO_LABEL).all()


@given(LAYOUTS, st.integers(0, 99))
def test_each_label_is_within_the_head_that_is_due(layout: Layout, seed: int) -> None:
    rows = batch([build(layout, random_codes(layout, seed), VOCABULARY)])
    due = rows.due(VOCABULARY)
    assert not (due["shape"] & due["image"]).any()
    assert torch.equal(due["shape"] | due["image"], rows.labels != NO_LABEL)
    for modality, where in due.items():
        assert (rows.labels[where] < VOCABULARY.n_codes(modality)).all()


@given(st.integers(1, 20).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_prefix_sees_itself_whole_and_targets_see_no_later_one(sizes: tuple[int, int]) -> None:
    prefix, length = sizes
    seen = visibility(prefix, length)
    for row in range(length):
        last = max(row, prefix - 1) if row < prefix else row
        assert seen[row].tolist() == [column <= last for column in range(length)]


@given(st.lists(LAYOUTS, min_size=1, max_size=4))
def test_batching_pads_at_the_end_where_nobody_looks(layouts: list[Layout]) -> None:
    sequences = [build(layout, random_codes(layout), VOCABULARY) for layout in layouts]
    rows = batch(sequences)
    for row, sequence in enumerate(sequences):
        own = len(sequence.inputs)
        assert torch.equal(rows.inputs[row, :own], sequence.inputs)
        assert (rows.labels[row, own:] == NO_LABEL).all()
        assert torch.equal(rows.visible[row, :own, :own], visibility(sequence.prefix, own))
        assert not rows.visible[row, :own, own:].any()


@given(st.lists(LAYOUTS, min_size=1, max_size=6))
def test_a_pack_holds_each_sample_once_and_nothing_else(layouts: list[Layout]) -> None:
    sequences = [build(layout, random_codes(layout), VOCABULARY) for layout in layouts]
    packed = pack(sequences)
    assert len(packed) == len(sequences)
    assert len(packed.inputs) == sum(len(sequence.inputs) for sequence in sequences)
    for sample, sequence in enumerate(sequences):
        own = packed.samples == sample
        assert torch.equal(packed.inputs[own], sequence.inputs)
        assert torch.equal(packed.following[own], sequence.labels)
        assert torch.equal(packed.positions[own], torch.arange(len(sequence.inputs)))
        assert packed.n_targets[sample] == (sequence.labels != NO_LABEL).sum()
    for stack in packed.stacks:
        rows = packed.samples[stack.start : stack.stop].view(-1, stack.length)
        assert torch.equal(rows, stack.samples[:, None].expand_as(rows))
        assert {sequences[sample].prefix for sample in stack.samples.tolist()} == {stack.prefix}


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="prefix of 7"):
        visibility(7, 6)
    with pytest.raises(ValueError, match="codes of 2"):
        build(Layout(targets=(SHAPE,)), [torch.tensor([1])] * 2, VOCABULARY)
    with pytest.raises(ValueError, match="0 to 9"):
        build(Layout(targets=(SHAPE,)), [torch.tensor([10])], VOCABULARY)
    with pytest.raises(ValueError, match="needs a sample"):
        pack([])
    with pytest.raises(ValueError, match="needs a target"):
        Layout(targets=())


def test_positions_and_codes_of_the_longest_chain() -> None:
    posed = tuple(Segment("image", view) for view in VIEWS)
    layout = Layout(targets=(*posed, SHAPE))
    lengths = {"image": 1024, "shape": 1024}
    assert layout.n_codes(lengths) == 7 * 1024  # type: ignore[arg-type]
    assert layout.n_positions(lengths) == 7 * 1024 + 6  # type: ignore[arg-type]
