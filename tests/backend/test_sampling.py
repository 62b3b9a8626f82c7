"""Sampling: guidance, nucleus and top-k do what their names say."""

from __future__ import annotations

import pytest
import torch

from backend.sampling import SamplingSettings, choose, guided, keep_top_k, keep_top_p

LOGITS = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()


def kept(logits: torch.Tensor) -> list[int]:
    return logits.isfinite().nonzero().flatten().tolist()


@pytest.mark.parametrize(
    ("p", "ids"), [(0.4, [0]), (0.5, [0]), (0.6, [0, 1]), (0.81, [0, 1, 2]), (1.0, [0, 1, 2, 3])]
)
def test_nucleus_keeps_the_id_that_reaches_p(p: float, ids: list[int]) -> None:
    assert kept(keep_top_p(LOGITS[[2, 0, 3, 1]], p)) == sorted([1, 3, 0, 2][i] for i in ids)


def test_top_k_keeps_k() -> None:
    assert kept(keep_top_k(LOGITS, 2)) == [0, 1]
    assert kept(keep_top_k(LOGITS, 0)) == [0, 1, 2, 3]


def test_guidance_moves_away_from_the_unconditional() -> None:
    cond, uncond = torch.tensor([1.0, 2.0]), torch.tensor([0.5, 3.0])
    torch.testing.assert_close(guided(cond, uncond, 3.0), 4 * cond - 3 * uncond)


def test_linear_schedule_falls_from_g_to_its_share() -> None:
    settings = SamplingSettings(guidance=3.0, guidance_schedule="linear")
    assert [settings.guidance_at(i, 3) for i in range(3)] == [3.0, 2.0, 1.0]


def test_temperature_zero_is_greedy_and_top_p_bounds_draws() -> None:
    generator = torch.Generator().manual_seed(0)
    assert choose(LOGITS, SamplingSettings(), generator) == 0
    nucleus = SamplingSettings(temperature=1.0, top_p=0.6)
    drawn = {int(choose(LOGITS, nucleus, generator)) for _ in range(200)}
    assert drawn == {0, 1}


@pytest.mark.parametrize(
    "field", [{"guidance": float("nan")}, {"temperature": -1.0}, {"top_p": 0.0}, {"seed": -1}, {"top_k": -2}]
)
def test_bad_setting_is_named(field: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(field)).replace("_", "-")):
        SamplingSettings(**field)
