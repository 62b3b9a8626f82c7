import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from backend.geometry.canonical import BOUNDS
from backend.module_state import fill
from backend.shape_tokenizer.interface import PrefixDecoder
from backend.shape_tokenizer.perceiver import (
    PerceiverShapeTokenizer,
    PerceiverShapeTokenizerConfig,
    paper,
    published_config,
    published_v01,
    published_v05,
)
from backend.shards import read_tensors

SHARED = Path(os.environ.get("OMNI123_SHARED", Path(__file__).parents[4] / "shared"))
GOLDEN = SHARED / "golden" / "cube3d-small"
TINY = PerceiverShapeTokenizerConfig(
    n_latents=6,
    n_codes=16,
    code_dim=4,
    width=16,
    n_heads=2,
    n_freqs=8,
    n_encoder_layers=3,
    cross_attention_levels=(0, 2),
    n_decoder_layers=1,
)
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the published-format vectors are not here")


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    with np.load(GOLDEN / "expected.npz", allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@pytest.fixture(scope="module")
def published() -> PerceiverShapeTokenizer:
    config = published_config(json.loads((GOLDEN / "config.json").read_text())["shape_model"])
    model = PerceiverShapeTokenizer(config).eval()
    fill(model, read_tensors(GOLDEN / "shape_tokenizer.safetensors"))
    return model.requires_grad_(False)


def tiny(**changes: Any) -> PerceiverShapeTokenizer:
    torch.manual_seed(0)
    return PerceiverShapeTokenizer(PerceiverShapeTokenizerConfig(**{**asdict(TINY), **changes}))


def samples() -> tuple[Tensor, Tensor]:
    points = torch.randn(2, 40, 3)
    return points, points / points.norm(dim=-1, keepdim=True)


@needs_golden
def test_encoding_matches_the_published_format(published: Any, golden: dict[str, Tensor]) -> None:
    points, normals = golden["surface_points"].split(3, dim=-1)
    torch.testing.assert_close(
        published.encoder(points, normals), golden["encoder_latents"], rtol=0, atol=1e-4
    )
    assert torch.equal(published.encode(points, normals), golden["encoder_ids"])
    torch.testing.assert_close(published.codebook(), golden["codebook"], rtol=0, atol=1e-6)


@needs_golden
def test_decoding_matches_the_published_format(published: Any, golden: dict[str, Tensor]) -> None:
    latents = published.decode(golden["shape_ids"])
    torch.testing.assert_close(latents, golden["decoded_latents"], rtol=0, atol=1e-4)
    logits = published.field(latents, golden["query_points"])
    torch.testing.assert_close(logits, golden["occupancy_logits"], rtol=0, atol=1e-4)
    axis = torch.linspace(-BOUNDS, BOUNDS, 17)
    grid = torch.cartesian_prod(axis, axis, axis).expand(2, -1, -1)
    torch.testing.assert_close(
        published.field(latents, grid).view(2, 17, 17, 17), golden["grid_logits"], rtol=0, atol=1e-4
    )


def test_published_v0_5_has_its_keys() -> None:
    with torch.device("meta"):
        assert len(PerceiverShapeTokenizer(published_v05()).state_dict()) == 485


@pytest.mark.parametrize(
    ("config", "count", "tokens", "code_dim"),
    [
        (published_v05(), 273_772_705, 1024, 32),
        (published_v01(), 272_986_273, 512, 32),
        (paper(), 273_473_617, 1024, 16),
    ],
)
def test_full_sizes_have_their_parameters(
    config: PerceiverShapeTokenizerConfig, count: int, tokens: int, code_dim: int
) -> None:
    with torch.device("meta"):
        model = PerceiverShapeTokenizer(config)
    assert sum(p.numel() for p in model.parameters()) == count
    assert (config.n_tokens, config.code_dim, config.n_codes) == (tokens, code_dim, 16_384)


def test_a_prefix_is_decoded_from_its_own_tokens_alone() -> None:
    model = tiny().eval()
    ids = torch.arange(12).view(2, 6)
    assert torch.equal(model.decode_prefix(ids, 6), model.decode(ids))
    early = model.decode_prefix(ids, 2)
    assert early.shape == (2, 2, 16)
    assert model.field(early, torch.randn(2, 5, 3)).shape == (2, 5)
    other = ids.clone()
    other[:, 2:] = 0  # what comes later is not looked at
    assert torch.equal(model.decode_prefix(other, 2), early)
    for count in (0, 7):
        with pytest.raises(ValueError, match="1 to 6"):
            model.decode_prefix(ids, count)


def test_previews_are_worth_showing_where_training_dropped_tails() -> None:
    assert isinstance(tiny(), PrefixDecoder)
    assert tiny().preview_stride == 6
    assert tiny(tail_dropout=0.5).preview_stride == 1
    assert PerceiverShapeTokenizerConfig().tail_dropout == 0


def test_the_embedder_is_one_tensor_under_three_names() -> None:
    model = tiny()
    assert model.encoder.embedder.weight is model.embedder.weight
    assert model.occupancy_decoder.embedder.weight is model.embedder.weight


def test_class_query_is_dropped_and_ids_fit_the_codebook() -> None:
    model = tiny()
    ids = model.encode(*samples())
    assert ids.shape == (2, 6)
    assert ids.dtype == torch.int64
    assert int(ids.max()) < 16
    assert model.decode(ids).shape == (2, 6, 16)


def test_order_of_surface_points_does_not_matter() -> None:
    model = tiny()
    points, normals = samples()
    torch.testing.assert_close(model.encoder(points, normals), model.encoder(points.flip(1), normals.flip(1)))


def test_field_is_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model, queries = tiny(), torch.randn(2, 30, 3)
    latents = model.decode(torch.zeros(2, 6, dtype=torch.int64))
    whole = model.field(latents, queries)
    monkeypatch.setattr("backend.shape_tokenizer.perceiver._QUERIES_AT_ONCE", 7)
    torch.testing.assert_close(model.field(latents, queries), whole)


def test_every_trainable_parameter_learns() -> None:
    model = tiny(shortcut=0.5).train()
    logits, quantized = model(*samples(), torch.randn(2, 30, 3))
    (logits.square().mean() + quantized.commitment_loss + quantized.codebook_loss).backward()
    idle = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert idle == []


def test_config_survives_json() -> None:
    assert PerceiverShapeTokenizerConfig(**json.loads(json.dumps(asdict(TINY)))) == TINY


@pytest.mark.parametrize(
    "change",
    [
        {"width": 15},
        {"cross_attention_levels": (0, 3)},
        {"cross_attention_levels": (1,)},
        {"n_codes": 0},
        {"tail_dropout": 1.5},
    ],
)
def test_impossible_sizes_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"divide|levels|first|positive|share"):
        PerceiverShapeTokenizerConfig(**{**asdict(TINY), **change})
