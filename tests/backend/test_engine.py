"""Cached decoding against its slow twin, which feeds the whole sequence anew for every token."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from backend.engine import Engine
from backend.failures import Cancelled
from backend.model.config import TextInput, TransformerConfig
from backend.model.text import TextEmbeddings
from backend.model.transformer import DualStreamTransformer
from backend.sampling import SamplingSettings, choose, guided
from backend.sequence import Segment, segment_ids

CPU = torch.device("cpu")
CONFIG = TransformerConfig(
    n_dual=3,
    n_single=2,
    width=32,
    n_heads=2,
    n_shape_codes=24,
    shape_code_dim=8,
    n_shape_tokens=12,
    text=(TextInput(width=16, tokens=7),),
    causal_text=False,
)


@pytest.fixture(scope="module")
def model() -> DualStreamTransformer:
    torch.manual_seed(0)
    model = DualStreamTransformer(CONFIG).eval()
    torch.nn.init.normal_(model.lm_head.weight, std=0.5)  # logits that differ, so that a wrong cache shows
    model.set_codebooks(torch.randn(24, 8), None)
    return model


@pytest.fixture(scope="module")
def text() -> tuple[Tensor, Tensor]:
    mask = torch.tensor([True, True, True, True, False, False, False])
    return torch.randn(7, 16, generator=torch.Generator().manual_seed(1)), mask


def embeddings(text: tuple[Tensor, Tensor]) -> TextEmbeddings:
    return TextEmbeddings((text[0][None],), (text[1][None],))


def uncached(model: DualStreamTransformer, text: tuple[Tensor, Tensor], settings: SamplingSettings) -> Tensor:
    """The slow twin."""
    generator = torch.Generator().manual_seed(settings.seed)
    ids = torch.zeros(1, 0, dtype=torch.long)
    total = model.config.n_shape_tokens
    for index in range(total):
        fed = segment_ids(Segment("shape"), ids[0], model.vocabulary)[None]
        with torch.no_grad():
            rows = [
                model(fed, embeddings(text), drop=torch.tensor([drop]))["shape"] for drop in (False, True)
            ]
        cond, uncond = (row[-1, : model.config.n_shape_codes] for row in rows)
        mixed = guided(cond, uncond, settings.guidance_at(index, total))
        ids = torch.cat((ids, choose(mixed, settings, generator)[None, None]), dim=1)
    return ids[0]


def decode(engine: Engine, text: tuple[Tensor, Tensor], settings: SamplingSettings) -> Tensor:
    *_, (_, ids) = engine.shape_tokens(*text, settings)
    return ids


@pytest.mark.parametrize(
    "settings",
    [
        SamplingSettings(guidance=0.0),
        SamplingSettings(guidance=3.0),
        SamplingSettings(guidance=3.0, guidance_schedule="linear"),
        SamplingSettings(guidance=2.0, temperature=1.0, top_p=0.9, top_k=12, seed=5),
    ],
)
def test_cached_equals_uncached_token_by_token(
    model: DualStreamTransformer, text: tuple[Tensor, Tensor], settings: SamplingSettings
) -> None:
    assert torch.equal(decode(Engine(model, CPU), text, settings), uncached(model, text, settings))


def test_cached_logits_equal_uncached_at_every_step(
    model: DualStreamTransformer, text: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, seen = Engine(model, CPU), []
    step = engine._step
    monkeypatch.setattr(engine, "_step", lambda *args: seen.append(step(*args)) or seen[-1])
    ids = decode(engine, text, SamplingSettings(guidance=1.0))
    with torch.no_grad():
        fed = segment_ids(Segment("shape"), ids[:-1], model.vocabulary)[None]
        full = model(fed, embeddings(text))["shape"][:, :24]
    torch.testing.assert_close(torch.stack([logits[0] for logits in seen]), full, atol=1e-5, rtol=0)


def test_padding_of_the_prompt_changes_nothing(
    model: DualStreamTransformer, text: tuple[Tensor, Tensor]
) -> None:
    settings = SamplingSettings(guidance=3.0)
    bare = (text[0][:4], torch.ones(4, dtype=torch.bool))
    engine = Engine(model, CPU)
    assert torch.equal(decode(engine, bare, settings), decode(engine, text, settings))


def test_same_seed_same_shape_and_another_seed_another(
    model: DualStreamTransformer, text: tuple[Tensor, Tensor]
) -> None:
    engine, settings = Engine(model, CPU), SamplingSettings(temperature=1.0, seed=1)
    first, again = decode(engine, text, settings), decode(engine, text, settings)
    assert torch.equal(first, again)
    assert not torch.equal(first, decode(engine, text, replace(settings, seed=2)))


def test_cancel_takes_effect_between_two_tokens(
    model: DualStreamTransformer, text: tuple[Tensor, Tensor]
) -> None:
    done: list[int] = []
    tokens = Engine(model, CPU).shape_tokens(*text, SamplingSettings(), cancelled=lambda: len(done) == 3)
    with pytest.raises(Cancelled):
        done.extend(index for index, _ in tokens)
    assert done == [0, 1, 2]


def test_model_without_null_text_asks_for_the_empty_prompt() -> None:
    model = DualStreamTransformer(replace(CONFIG, learned_null_text=False))
    with pytest.raises(ValueError, match="empty prompt"):
        Engine(model, CPU)
