"""Packs in training: gradients of the padded twin, memory, the paper's longest sequence, other precisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from backend.model import attention
from backend.model.attention import ShortAttention
from backend.model.config import TextInput, TransformerConfig
from backend.model.text import TextEmbeddings
from backend.model.transformer import DualStreamTransformer
from backend.sequence import VIEWS, Layout, Modality, TokenSequence, batch, build, pack, visibility
from backend.tasks import TASKS

SMALL = TransformerConfig(
    n_dual=2,
    n_single=2,
    width=16,
    n_heads=2,
    n_shape_codes=16,
    shape_code_dim=4,
    n_shape_tokens=6,
    n_image_codes=12,
    image_code_dim=4,
    n_image_tokens=4,
    n_views=6,
    text=(TextInput(width=8, tokens=5),),
)
CHAINS = (
    TASKS["text_to_image"].layout(),
    TASKS["image_to_shape"].layout(),
    TASKS["text_to_views_shape_views"].layout(VIEWS[:2], VIEWS[2:3]),
    TASKS["image_to_shape"].layout(VIEWS[:1]),
    TASKS["edit_shape"].layout(),
)


def fresh(config: TransformerConfig = SMALL) -> DualStreamTransformer:
    torch.manual_seed(0)
    model = DualStreamTransformer(config)
    torch.nn.init.normal_(model.transformer.wte.weight)
    model.set_codebooks(torch.randn(config.n_shape_codes, 4), torch.randn(config.n_image_codes, 4))
    return model


def samples_of(config: TransformerConfig, layouts: tuple[Layout, ...]) -> list[TokenSequence]:
    rng = torch.Generator().manual_seed(1)
    return [
        build(
            layout,
            [
                torch.randint(
                    config.vocabulary.n_codes(s.modality), (config.lengths[s.modality],), generator=rng
                )
                for s in layout.segments
            ],
            config.vocabulary,
        )
        for layout in layouts
    ]


def words(config: TransformerConfig, rows: int) -> TextEmbeddings:
    (part,) = config.text
    known = torch.arange(rows) % part.tokens
    return TextEmbeddings(
        (torch.randn(rows, part.tokens, part.width),), (torch.arange(part.tokens) <= known[:, None],)
    )


def gradients(model: DualStreamTransformer, run: Callable[[], dict[Modality, Tensor]]) -> dict[str, Tensor]:
    model.zero_grad()
    torch.cat([logits.logsumexp(dim=-1) for logits in run().values()]).sum().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_a_pack_has_the_gradients_of_padded_rows() -> None:
    model, sequences, text = fresh(), samples_of(SMALL, CHAINS), words(SMALL, len(CHAINS))
    drop = torch.tensor([False, True, False, False, True])
    rows = batch(sequences)
    due = rows.due(SMALL.vocabulary)
    wanted = gradients(model, lambda: model(rows.inputs, text, drop=drop, visible=rows.visible, due=due))
    model.checkpoint_activations = True
    for checkpoint in (False, True):
        model.checkpoint_activations = checkpoint
        mine = gradients(model, lambda: model(pack(sequences), text, drop=drop))
        assert mine.keys() == wanted.keys()
        for name, gradient in mine.items():
            torch.testing.assert_close(gradient, wanted[name], atol=1e-4, rtol=1e-4, msg=name)


def test_every_parameter_has_a_gradient_in_every_step() -> None:
    model = fresh()
    sequences = samples_of(SMALL, CHAINS[:1])  # no shape, and no text that is dropped
    logits = model(pack(sequences), words(SMALL, 1), drop=torch.tensor([False]))
    torch.cat([own.flatten() for own in logits.values()]).sum().backward()
    assert not [name for name, parameter in model.named_parameters() if parameter.grad is None]


@torch.no_grad()
def test_the_longest_sequence_of_the_paper_fits_and_is_not_padded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six views and a shape of 1,024 tokens each (O74), beside a sample of one picture."""
    config = replace(SMALL, n_dual=1, n_single=1, width=8, n_shape_tokens=1024, n_image_tokens=1024)
    longest = TASKS["text_to_views_shape_views"].layout(VIEWS[:3], VIEWS[3:])
    sequences = samples_of(config, (longest, TASKS["text_to_image"].layout()))
    packed = pack(sequences)
    assert [stack.length for stack in packed.stacks] == [7 * 1024 + 6, 1024]
    assert len(packed.inputs) == 7174 + 1024
    sizes: list[int] = []
    model, short = fresh(config).eval(), ShortAttention.apply
    monkeypatch.setattr(attention, "ShortAttention", Recorded(sizes, short))
    logits = model(packed, words(config, 2))
    assert len(logits["image"]) == 7 * 1024
    assert len(logits["shape"]) == 1024
    assert max(sizes) <= attention.SHORT  # scores of the long sample are never whole in memory


class Recorded:
    """Notes how many scores a head keeps."""

    def __init__(self, sizes: list[int], apply: Callable[..., Tensor]) -> None:
        self.sizes, self._apply = sizes, apply

    def apply(self, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        self.sizes.append(q.shape[-2] * k.shape[-2])
        return self._apply(q, k, v, bias)


def test_each_later_modality_sees_all_earlier_ones() -> None:
    """O75: in a chain every target sees the targets before it, whole; sources see each other alone."""
    layout = Layout(
        prefix=TASKS["views_to_shape"].layout(VIEWS[:2]).prefix,
        targets=TASKS["text_to_image_shape"].layout().targets,
    )
    (sequence,) = samples_of(SMALL, (layout,))
    (stack,) = pack([sequence]).stacks
    seen = visibility(stack.prefix, stack.length)
    sizes = [1 + SMALL.lengths[segment.modality] for segment in layout.segments]
    ends = torch.tensor(sizes).cumsum(0).clamp(max=stack.length).tolist()
    for number, end in enumerate(ends):
        begin = end - sizes[number] if end < stack.length else ends[number - 1]
        assert seen[begin:end, :begin].all()
        sources = number < len(layout.prefix)
        assert bool(seen[begin:end, end:].any()) == (sources and end < stack.prefix)


def test_half_precision_stays_close() -> None:
    model, sequences, text = fresh(), samples_of(SMALL, CHAINS), words(SMALL, len(CHAINS))
    full = gradients(model, lambda: model(pack(sequences), text))
    with torch.autocast("cpu", torch.bfloat16):
        half = gradients(model, lambda: model(pack(sequences), text))
    for name, gradient in half.items():
        assert gradient.dtype == torch.float32
        assert torch.cosine_similarity(gradient.flatten(), full[name].flatten(), dim=0) > 0.98, name


@pytest.mark.parametrize("causal", [False, True])
def test_kept_probabilities_give_the_fused_kernels_gradients(causal: bool) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, size, 8, dtype=torch.float64, requires_grad=True) for size in (5, 7, 7))
    seen = torch.ones(5, 7, dtype=torch.bool).tril(2) if causal else torch.ones(5, 7, dtype=torch.bool)
    bias = torch.zeros(5, 7, dtype=torch.float64).masked_fill(~seen, -torch.inf)
    assert torch.autograd.gradcheck(lambda *x: ShortAttention.apply(*x, bias), (q, k, v))
    fused = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
    torch.testing.assert_close(ShortAttention.apply(q, k, v, bias), fused)
