"""The grid tokenizer: shapes, stable ids, the splat, points out of bounds, independence of a batch's rows."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from backend.geometry.canonical import BOUNDS
from backend.shape_tokenizer.grid import GridShapeTokenizer, GridShapeTokenizerConfig, splat
from backend.shape_tokenizer.interface import PrefixDecoder

CONFIG = GridShapeTokenizerConfig(
    token_grid=2,
    n_codes=32,
    code_dim=8,
    width=16,
    mid_width=8,
    field_width=8,
    n_blocks=1,
    n_attention=1,
    n_heads=2,
)


@pytest.fixture
def tokenizer() -> GridShapeTokenizer:
    torch.manual_seed(0)
    tokenizer = GridShapeTokenizer(CONFIG).eval()
    for name, parameter in tokenizer.named_parameters():
        if name.endswith("conv_2.weight"):  # zero at first, which would hide their faults
            torch.nn.init.normal_(parameter, std=0.1)
    return tokenizer


def surfaces(rows: int, points: int = 200) -> tuple[Tensor, Tensor]:
    """Spheres of several sizes: points and normals (rows, points, 3)."""
    normals = torch.nn.functional.normalize(
        torch.randn(rows, points, 3, generator=torch.Generator().manual_seed(1)), dim=-1
    )
    return normals * torch.linspace(0.4, 0.9, rows)[:, None, None], normals


def queries(rows: int, count: int = 50) -> Tensor:
    return torch.empty(rows, count, 3).uniform_(-1, 1, generator=torch.Generator().manual_seed(2))


@torch.inference_mode()
def test_shapes_and_ranges(tokenizer: GridShapeTokenizer) -> None:
    ids = tokenizer.encode(*surfaces(3))
    assert (ids.shape, ids.dtype) == ((3, CONFIG.n_tokens), torch.int64)
    assert CONFIG.n_tokens == 8
    assert 0 <= ids.min() <= ids.max() < CONFIG.n_codes
    volume = tokenizer.decode(ids)
    assert volume.shape == (3, CONFIG.field_width, 8, 8, 8)
    assert tokenizer.field(volume, queries(3)).shape == (3, 50)
    table = tokenizer.codebook()
    assert table.shape == (CONFIG.n_codes, CONFIG.code_dim)
    assert torch.allclose(table.norm(dim=-1), torch.tensor(CONFIG.code_dim**0.5), atol=1e-3)


@torch.inference_mode()
def test_ids_do_not_depend_on_the_order_of_points(tokenizer: GridShapeTokenizer) -> None:
    points, normals = surfaces(2)
    order = torch.randperm(points.shape[1], generator=torch.Generator().manual_seed(3))
    ids = tokenizer.encode(points, normals)
    assert torch.equal(tokenizer.encode(points, normals), ids)
    assert torch.equal(tokenizer.encode(points[:, order], normals[:, order]), ids)


@torch.inference_mode()
def test_embedding_an_id_and_looking_it_up_again_gives_the_id(tokenizer: GridShapeTokenizer) -> None:
    ids = torch.arange(CONFIG.n_codes)
    distances = torch.cdist(tokenizer.codebook()[ids], tokenizer.codebook())
    assert torch.equal(distances.argmin(dim=-1), ids)


@torch.inference_mode()
def test_rows_of_a_batch_do_not_touch(tokenizer: GridShapeTokenizer) -> None:
    points, normals = surfaces(3)
    ids = tokenizer.encode(points, normals)
    logits = tokenizer.field(tokenizer.decode(ids), queries(3))
    for row in range(3):
        alone = tokenizer.encode(points[row : row + 1], normals[row : row + 1])
        assert torch.equal(alone[0], ids[row])
        single = tokenizer.field(tokenizer.decode(alone), queries(3)[row : row + 1])
        assert torch.allclose(single[0], logits[row], atol=1e-4)


@torch.inference_mode()
def test_different_ids_give_different_fields(tokenizer: GridShapeTokenizer) -> None:
    ids = torch.zeros(2, CONFIG.n_tokens, dtype=torch.int64)
    ids[1, 0] = 1
    logits = tokenizer.field(tokenizer.decode(ids), queries(1).expand(2, -1, -1))
    assert not torch.allclose(logits[0], logits[1], atol=1e-4)


def test_splat_of_one_point() -> None:
    points = torch.tensor([[[0.6 * BOUNDS, -0.4 * BOUNDS, -1.0 * BOUNDS]]])  # 3.2, 1.2, 0 in cells of 4
    normals = torch.tensor([[[0.0, 0.6, 0.8]]])
    cells = splat(points, normals, 4)
    assert cells.shape == (1, 7, 4, 4, 4)
    expected = torch.tensor([-0.3, -0.3, -0.5, 0.0, 0.6, 0.8, 2.0])
    expected[6] = expected[6].log()
    assert torch.allclose(cells[0, :, 0, 1, 3], expected, atol=1e-5)
    cells[0, :, 0, 1, 3] = 0
    assert not cells.any()


def test_splat_averages_points_of_a_cell() -> None:
    points = torch.tensor([[[0.1, 0.1, 0.1], [0.3, 0.1, 0.1]]]) * BOUNDS
    normals = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    cell = splat(points, normals, 2)[0, :, 1, 1, 1]
    expected = torch.tensor([-0.3, -0.4, -0.4, 0.5, 0.5, 0.0, 3.0])
    expected[6] = expected[6].log()
    assert torch.allclose(cell, expected, atol=1e-5)


def test_points_outside_the_box_count_to_the_nearest_cell() -> None:
    outside = torch.tensor([[[9.0, -9.0, 1.06], [BOUNDS, -BOUNDS, BOUNDS]]])
    cells = splat(outside, torch.zeros_like(outside), 4)
    assert torch.isfinite(cells).all()
    assert cells[0, 6, 3, 0, 3].item() == pytest.approx(torch.tensor(3.0).log().item())


@torch.inference_mode()
def test_queries_outside_the_box_read_its_wall(tokenizer: GridShapeTokenizer) -> None:
    volume = tokenizer.decode(tokenizer.encode(*surfaces(1)))
    far = torch.tensor([[[5.0, 0.2, 0.1], [BOUNDS, 0.2, 0.1]]])
    logits = tokenizer.field(volume, far)[0]
    assert logits[0].item() == pytest.approx(logits[1].item(), abs=1e-4)


def test_gradients_reach_encoder_codes_and_queries(tokenizer: GridShapeTokenizer) -> None:
    asked = queries(2).requires_grad_()
    quantized = tokenizer.quantizer(tokenizer.encoder(*surfaces(2)))
    field = tokenizer.field(tokenizer.decoder.volume(quantized.embedding), asked)
    (field.square().mean() + quantized.codebook_loss).backward()
    assert asked.grad is not None
    assert asked.grad.abs().sum() > 0
    silent = [
        name
        for name, parameter in tokenizer.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.any())
    ]
    assert silent == []


@torch.inference_mode()
def test_a_prefix_of_all_tokens_is_the_whole(tokenizer: GridShapeTokenizer) -> None:
    assert isinstance(tokenizer, PrefixDecoder)
    ids = tokenizer.encode(*surfaces(1))
    assert torch.equal(tokenizer.decode_prefix(ids, CONFIG.n_tokens), tokenizer.decode(ids))
    layer = tokenizer.decode_prefix(ids, tokenizer.preview_stride)
    other = ids.clone()
    other[:, tokenizer.preview_stride :] = 0  # what comes later is not looked at
    assert torch.equal(tokenizer.decode_prefix(other, tokenizer.preview_stride), layer)


def test_previews_after_the_first_encode_nothing_until_the_weights_may_change(
    tokenizer: GridShapeTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = tokenizer.eval().encode(*surfaces(1))
    calls: list[int] = []
    encode = tokenizer.encode
    monkeypatch.setattr(tokenizer, "encode", lambda *args: calls.append(1) or encode(*args))
    for _ in range(2):
        tokenizer.decode_prefix(ids, 1)
    assert len(calls) == 1
    tokenizer.train().eval()
    tokenizer.decode_prefix(ids, 1)
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [({"n_heads": 3}, "3 heads"), ({"token_grid": 0}, "positive"), ({"mid_width": 12}, "mid_width")],
)
def test_sizes_that_do_not_fit_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GridShapeTokenizerConfig(**{"width": 16, "n_heads": 2, **change})
