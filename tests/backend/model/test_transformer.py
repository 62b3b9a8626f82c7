"""The backbone: published numerics, causality, and rows that keep to themselves."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from backend.engine import Engine
from backend.model.config import TransformerConfig
from backend.model.transformer import DualStreamTransformer
from backend.sampling import SamplingSettings
from backend.sequence import target_inputs, visibility

SHARED = Path(os.environ.get("OMNI123_SHARED", Path(__file__).resolve().parents[4] / "shared"))
GOLDEN = SHARED / "golden" / "cube3d-small"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden vectors are not on this machine")

SMALL = TransformerConfig(
    n_dual=2,
    n_single=1,
    width=32,
    n_heads=2,
    n_shape_codes=16,
    shape_code_dim=4,
    n_shape_tokens=6,
    text_width=8,
    text_tokens=5,
)


@pytest.fixture(scope="module")
def small() -> DualStreamTransformer:
    torch.manual_seed(0)
    model = DualStreamTransformer(SMALL).eval()
    model.set_shape_codebook(torch.randn(16, 4))
    return model


@pytest.fixture(scope="module")
def published() -> tuple[DualStreamTransformer, dict[str, torch.Tensor]]:
    config = TransformerConfig(
        n_dual=3,
        n_single=2,
        width=64,
        n_heads=2,
        rope_theta=10000.0,
        n_shape_codes=256,
        shape_code_dim=8,
        n_shape_tokens=24,
        text_width=48,
        text_tokens=11,
        learned_null_text=False,
        use_bbox=True,
    )
    model = DualStreamTransformer(config).eval()
    model.load_state_dict(load_file(GOLDEN / "shape_gpt.safetensors"), strict=True)
    with np.load(GOLDEN / "expected.npz") as arrays:
        expected = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    model.set_shape_codebook(expected["codebook"])
    return model, expected


@needs_golden
def test_teacher_forced_logits_are_the_published_ones(published) -> None:  # type: ignore[no-untyped-def]
    model, expected = published
    with torch.no_grad():
        logits = model(
            target_inputs(expected["shape_ids"], model.config.bos),
            expected["text_embeddings"],
            bbox=expected["bbox"],
        )
    torch.testing.assert_close(logits, expected["teacher_forced_logits"], atol=1e-4, rtol=0)


@needs_golden
def test_cached_greedy_ids_are_the_published_uncached_ones(published) -> None:  # type: ignore[no-untyped-def]
    model, expected = published
    engine = Engine(model, torch.device("cpu"), null_text=expected["null_text_embeddings"][0])
    settings = SamplingSettings(guidance=3.0, guidance_schedule="linear")
    for row, wanted in enumerate(expected["greedy_ids"]):
        *_, (_, ids) = engine.shape_tokens(
            expected["text_embeddings"][row], None, settings, bbox=expected["bbox"][row]
        )
        assert ids.tolist() == wanted.tolist()


def test_a_target_never_sees_a_later_one(small: DualStreamTransformer) -> None:
    ids, text = torch.randint(16, (1, 6)), torch.randn(1, 5, 8)
    changed = ids.clone()
    changed[0, 4:] = (changed[0, 4:] + 1) % 16
    with torch.no_grad():
        before, after = small(ids, text), small(changed, text)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_every_prefix_position_sees_the_whole_prefix(small: DualStreamTransformer) -> None:
    ids, text = torch.randint(16, (1, 6)), torch.randn(1, 5, 8)
    changed = ids.clone()
    changed[0, 2] = (changed[0, 2] + 1) % 16
    seen = visibility(3, 6)
    with torch.no_grad():
        before, after = small(ids, text, visible=seen), small(changed, text, visible=seen)
    assert not torch.isclose(before[0, 0], after[0, 0]).all()


def test_padding_and_neighbours_change_no_logit(small: DualStreamTransformer) -> None:
    ids, text = torch.randint(16, (2, 6)), torch.randn(2, 5, 8)
    mask = torch.tensor([[True, True, True, False, False], [True] * 5])
    with torch.no_grad():
        together = small(ids, text, mask)
        alone = small(ids[:1], text[:1, :3])
    torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=0)


def test_a_wrong_codebook_is_refused(small: DualStreamTransformer) -> None:
    with pytest.raises(ValueError, match="expects"):
        small.set_shape_codebook(torch.randn(15, 4))


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    model = DualStreamTransformer(replace(SMALL, token_dropout=0.1))
    model.set_shape_codebook(torch.randn(16, 4))
    drop = torch.tensor([True, False])
    model(torch.randint(16, (2, 6)), torch.randn(2, 5, 8), drop=drop).logsumexp(-1).sum().backward()
    assert not [name for name, weight in model.named_parameters() if weight.grad is None]
