"""Packed weights and static caches: the same model, stored once, row by row."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from backend.decode.torch_layer import packed
from backend.decode.torch_rows import TorchRows
from backend.model.config import TextInput, TransformerConfig
from backend.model.quantized import QuantizedLinear, block_linears, quantize_linears
from backend.model.text import TextEmbeddings
from backend.model.transformer import DualStreamTransformer

CONFIG = TransformerConfig(
    n_dual=2,
    n_single=1,
    width=32,
    n_heads=2,
    n_shape_codes=16,
    shape_code_dim=4,
    n_shape_tokens=6,
    text=(TextInput(width=8, tokens=5),),
    embed_codes="learned",
)


def random_model(*, int8: bool = False, bias: bool = True) -> DualStreamTransformer:
    torch.manual_seed(0)
    model = (
        DualStreamTransformer(TransformerConfig(**{**vars(CONFIG), "bias": bias}))
        .eval()
        .requires_grad_(False)
    )
    nn.init.normal_(model.lm_head.weight, std=0.5)
    if int8:
        quantize_linears(model, block_linears(model))
    return model


def random_text(tokens: int = 5) -> TextEmbeddings:
    generator = torch.Generator().manual_seed(tokens)
    return TextEmbeddings(
        (torch.randn(1, tokens, 8, generator=generator),), (torch.ones(1, tokens, dtype=torch.bool),)
    )


def test_packed_layers_give_each_layers_outputs_in_turn() -> None:
    joint, plain = nn.Linear(6, 8, bias=False), nn.Linear(6, 4)
    x = torch.randn(3, 6)
    with torch.no_grad():
        wanted = torch.cat((joint(x), plain(x)), dim=-1)
        torch.testing.assert_close(packed(joint, plain)(x), wanted)


def test_packed_weights_stay_the_layers_parameters() -> None:
    layers = nn.Linear(6, 4), nn.Linear(6, 3)
    before = [layer.weight.detach().clone() for layer in layers]
    whole = packed(*layers)
    assert all(torch.equal(layer.weight, old) for layer, old in zip(layers, before, strict=True))
    layers[1](torch.randn(2, 6)).sum().backward()
    assert layers[1].weight.grad is not None
    with torch.no_grad():
        layers[1].weight.add_(1.0)
    torch.testing.assert_close(whole.weight[4:], before[1] + 1.0)


def test_packed_int8_layers_keep_their_scales() -> None:
    pair = nn.ModuleDict({"a": nn.Linear(6, 4, bias=False), "b": nn.Linear(6, 3)})
    quantize_linears(pair, ["a", "b"])
    x = torch.randn(2, 6)
    wanted = torch.cat((pair["a"](x), pair["b"](x)), dim=-1)
    whole = packed(pair["a"], pair["b"])
    assert isinstance(whole, QuantizedLinear)
    assert whole.weight.dtype == torch.int8
    torch.testing.assert_close(whole(x), wanted)
    torch.testing.assert_close(torch.cat((pair["a"](x), pair["b"](x)), dim=-1), wanted)


@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_logits_of_rows_at_unlike_positions_equal_the_models(int8: bool, bias: bool) -> None:
    model = random_model(int8=int8, bias=bias)
    ids, texts = torch.randint(16, (2, 6)), [random_text(5), random_text(3)]
    with torch.no_grad():
        wanted = [model(ids[row, None], texts[row])["shape"][:, :16] for row in (0, 1)]
    rows = TorchRows(model)
    rows.reserve(2, 5, 6)
    seen: tuple[list, list] = ([], [])
    with torch.no_grad():
        for row in (0, 1):
            rows.join(row, model.prompt_keys_values(texts[row]))
    for turn in range(8):
        active = [row for row, begin in ((1, 2), (0, 0)) if begin <= turn < begin + 6]
        out = rows.step(active, [int(ids[row, len(seen[row])]) for row in active], ["shape"] * len(active))
        for row, logits in zip(active, out, strict=True):
            seen[row].append(logits)
    for row in (0, 1):
        torch.testing.assert_close(torch.stack(seen[row]), wanted[row], atol=1e-5, rtol=0)


def test_growing_and_moving_keep_what_rows_hold() -> None:
    model, ids = random_model(), [3, 1, 4, 1, 5, 9]
    text = random_text()
    with torch.no_grad():
        conditioning = model.prompt_keys_values(text)
        wanted = model(torch.tensor([ids]), text)["shape"][:, :16]
    rows, seen = TorchRows(model), []
    rows.reserve(2, 5, 6)
    for row in (7, 3):
        rows.join(row, conditioning)
    for turn, fed in enumerate(ids):
        if turn == 2:
            rows.reserve(3, 70, 100)
        if turn == 4:
            rows.leave(7)
        seen += rows.step([3], [fed], ["shape"])
    torch.testing.assert_close(torch.stack(seen), wanted, atol=1e-5, rtol=0)


def test_idle_caches_far_too_large_are_given_back() -> None:
    rows = TorchRows(random_model())
    rows.reserve(8, 64, 1000)
    rows.reserve(2, 64, 1000)
    assert rows.room == (8, 64, 1024)
    rows.reserve(1, 64, 64)
    assert rows.room == (1, 64, 64)


def test_no_head_is_computed_that_nobody_asks_for() -> None:
    model, text = random_model(), random_text()
    rows = TorchRows(model)
    with torch.no_grad():
        rows.join(0, model.prompt_keys_values(text))
    model.lm_head = None
    assert rows.step([0], [2], [None]) == [None]
