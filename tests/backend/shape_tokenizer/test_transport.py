"""Balanced assignment: even shares, the nearest code where that is balanced, the cheapest plan."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from backend.shape_tokenizer import transport
from backend.shape_tokenizer.quantizer import SphericalVectorQuantizer, nearest
from backend.shape_tokenizer.transport import OptimalTransport

EXACT = OptimalTransport(epsilon=0.005, iterations=2000)


def on_sphere(rows: int, dim: int, seed: int, centre: float = 0.0) -> Tensor:
    """Rows of length sqrt(dim), crowded around one direction as `centre` grows."""
    draws = torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))
    return F.normalize(draws + centre, dim=-1) * dim**0.5


def test_a_skewed_batch_uses_nearly_all_codes() -> None:
    rows, table = on_sphere(1024, 16, 0, centre=5.0), on_sphere(256, 16, 1)
    assert len(nearest(rows, table).unique()) < 16
    assert len(OptimalTransport().assign(rows, table).unique()) > 200


def test_every_code_receives_the_same_share_and_every_row_is_spent() -> None:
    plan = OptimalTransport(iterations=20).plan(on_sphere(512, 8, 0, centre=2.0), on_sphere(64, 8, 1))
    torch.testing.assert_close(plan.sum(dim=1), torch.ones(512))
    torch.testing.assert_close(plan.sum(dim=0), torch.full((64,), 8.0), rtol=0.02, atol=0)


def test_without_iterations_it_is_the_nearest_code() -> None:
    rows, table = on_sphere(300, 8, 0, centre=1.0), torch.randn(40, 8)  # codes of any length
    assert torch.equal(OptimalTransport(iterations=0).assign(rows, table), nearest(rows, table))


def test_as_epsilon_falls_a_balanced_batch_gets_its_nearest_codes() -> None:
    table = on_sphere(32, 8, 1)
    rows = F.normalize(table.repeat(4, 1) + 0.1 * torch.randn(128, 8), dim=-1) * 8**0.5
    for epsilon in (0.1, 0.03, 0.01):
        ids = OptimalTransport(epsilon=epsilon, iterations=20).assign(rows, table)
        assert torch.equal(ids, nearest(rows, table))


def test_as_epsilon_falls_it_is_the_cheapest_balanced_assignment() -> None:
    rows, table = on_sphere(24, 4, 0, centre=1.0), on_sphere(24, 4, 1)
    _, best = linear_sum_assignment(torch.cdist(rows, table).square().numpy())
    assert EXACT.assign(rows, table).tolist() == best.tolist()


def test_memory_is_bounded_by_parts_that_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, table = on_sphere(100, 8, 0), on_sphere(64, 8, 1)
    whole = OptimalTransport().assign(rows, table)
    monkeypatch.setattr(transport, "_ENTRIES_AT_ONCE", 64 * 7)
    parts = list(OptimalTransport()._scores(rows, table))
    assert {part.shape for part in parts} == {(7, 64), (2, 64)}
    assert torch.equal(OptimalTransport().assign(rows, table), whole)


@pytest.mark.parametrize("epsilon", [1e-4, 1e3])
def test_no_epsilon_overflows_and_equal_rows_are_no_error(epsilon: float) -> None:
    rows = torch.ones(16, 4)
    plan = OptimalTransport(epsilon=epsilon).plan(rows, on_sphere(8, 4, 0))
    assert torch.isfinite(plan).all()
    assert torch.isfinite(OptimalTransport(epsilon=epsilon).plan(rows, torch.ones(8, 4))).all()


def test_the_assignment_repeats_and_ignores_autocast() -> None:
    rows, table = on_sphere(256, 8, 0, centre=1.0), on_sphere(64, 8, 1)
    first = OptimalTransport().assign(rows, table)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(OptimalTransport().assign(rows, table), first)


@pytest.mark.parametrize("settings", [{"epsilon": 0.0}, {"iterations": -1}])
def test_impossible_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="epsilon must be positive"):
        OptimalTransport(**settings)


def quantizer(transported: bool) -> SphericalVectorQuantizer:
    torch.manual_seed(0)
    q = SphericalVectorQuantizer(width=12, n_codes=64, code_dim=6)
    q.transport = OptimalTransport() if transported else None
    return q


def test_training_transports_with_gradients_and_inference_takes_the_nearest() -> None:
    q, h = quantizer(True), torch.randn(4, 50, 12) + 1.0
    h.requires_grad_()
    out = q(h)
    (out.embedding.square().sum() + out.codebook_loss).backward()
    assert h.grad is not None
    assert h.grad.abs().sum() > 0
    assert q.codebook.weight.grad is not None
    assert len(out.ids.unique()) > len(q.encode_ids(h).unique())
    assert torch.equal(q.eval()(h).ids, q.encode_ids(h))


def codes_used_after_training(transported: bool) -> tuple[int, float]:
    """Nearest codes in use, and the error, after an autoencoder of crowded vectors has trained."""
    q, data = quantizer(transported), 0.3 * on_sphere(512, 12, 3)[None] + 2.0
    encode, decode = torch.nn.Linear(12, 12), torch.nn.Linear(12, 12)
    parameters = [p for part in (q, encode, decode) for p in part.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=3e-3)
    for _ in range(300):
        out = q(encode(data))
        loss = F.mse_loss(decode(out.embedding), data)
        optimizer.zero_grad()
        (loss + out.codebook_loss + 0.25 * out.commitment_loss).backward()
        optimizer.step()
    q.eval()
    ids = q.encode_ids(encode(data))
    return len(ids.unique()), float((F.mse_loss(decode(q.embed(ids)), data) / data.var()).detach())


def test_training_with_nearest_codes_collapses_and_with_transport_does_not() -> None:
    (few, coarse), (many, fine) = codes_used_after_training(False), codes_used_after_training(True)
    assert few < 16
    assert many > 48
    assert fine < 0.9 * coarse
