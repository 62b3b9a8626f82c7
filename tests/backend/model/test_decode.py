"""Packed decoding weights: the same model, stored once."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from backend.model.config import TextInput, TransformerConfig
from backend.model.decode import DecodeLayer, PackedLinear
from backend.model.text import TextEmbeddings
from backend.model.transformer import DualStreamTransformer


def test_packed_layers_give_each_layers_outputs_in_turn() -> None:
    joint, plain = nn.Linear(6, 8, bias=False), nn.Linear(6, 4)
    x = torch.randn(3, 6)
    with torch.no_grad():
        wanted = torch.cat((joint(x), plain(x)), dim=-1)
        torch.testing.assert_close(PackedLinear(joint, plain)(x), wanted)


def test_packed_weights_stay_the_layers_parameters() -> None:
    layer = nn.Linear(6, 4)
    before = layer.weight.detach().clone()
    packed = PackedLinear(layer)
    assert torch.equal(layer.weight, before)
    layer(torch.randn(2, 6)).sum().backward()
    with torch.no_grad():
        layer.weight.add_(1.0)
    assert layer.weight.grad is not None
    torch.testing.assert_close(packed.weight.t(), before + 1.0)


@pytest.mark.parametrize("bias", [True, False])
def test_packing_changes_no_logit(bias: bool) -> None:
    torch.manual_seed(0)
    model = DualStreamTransformer(
        TransformerConfig(
            n_dual=2,
            n_single=1,
            width=32,
            n_heads=2,
            bias=bias,
            n_shape_codes=16,
            shape_code_dim=4,
            n_shape_tokens=6,
            text=(TextInput(width=8, tokens=5),),
            embed_codes="learned",
        )
    ).eval()
    ids = torch.randint(16, (1, 6))
    text = TextEmbeddings((torch.randn(1, 5, 8),), (torch.ones(1, 5, dtype=torch.bool),))
    names = set(model.state_dict())
    with torch.no_grad():
        before = model(ids, text)["shape"]
        for layer in (*model.transformer.dual(), *model.transformer.single()):
            DecodeLayer(layer)
        torch.testing.assert_close(model(ids, text)["shape"], before, atol=1e-6, rtol=0)
    assert set(model.state_dict()) == names
