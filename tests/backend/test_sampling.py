"""Sampling: guidance, nucleus and top-k do what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from backend.sampling import SamplingSettings, choose, guided, nucleus

PROBABILITIES = np.array([0.15, 0.5, 0.05, 0.3], dtype=np.float32)
LOGITS = np.log(PROBABILITIES)


def plain_nucleus(weights: np.ndarray, p: float) -> list[int]:
    """The slow twin: everything sorted."""
    order = np.argsort(-weights, kind="stable")
    before = np.cumsum(weights[order], dtype=np.float64) - weights[order]
    return sorted(order[before < p * weights.sum(dtype=np.float64)].tolist())


@pytest.mark.parametrize(
    ("p", "ids"), [(0.4, [1]), (0.49, [1]), (0.6, [1, 3]), (0.81, [1, 3, 0]), (0.97, [1, 3, 0, 2])]
)
def test_nucleus_keeps_the_id_that_reaches_p(p: float, ids: list[int]) -> None:
    assert nucleus(PROBABILITIES, p).tolist() == sorted(ids)


@pytest.mark.parametrize("spread", [1e-3, 1.0, 6.0])
@pytest.mark.parametrize("p", [0.05, 0.9, 0.999])
def test_nucleus_equals_sorting_everything_peaked_or_flat(spread: float, p: float) -> None:
    logits = spread * np.random.default_rng(0).standard_normal(4096, dtype=np.float32)
    weights = np.exp(logits - logits.max())
    kept, wanted = nucleus(weights, p).tolist(), plain_nucleus(weights, p)
    # Sums differ in rounding, which may move the end by one.
    assert len(set(kept) ^ set(wanted)) <= 1


def test_equally_likely_ids_stay_together() -> None:
    assert nucleus(np.ones(5000, dtype=np.float32), 0.5).tolist() == list(range(5000))


def test_top_k_of_a_large_vocabulary_are_its_largest() -> None:
    logits = np.random.default_rng(0).standard_normal(5000, dtype=np.float32)
    share = drawn(SamplingSettings(temperature=10.0, top_k=7), logits)
    assert set(np.flatnonzero(share)) == set(np.argsort(logits)[-7:])


def test_guidance_moves_away_from_what_each_row_lacks() -> None:
    full, source, none = np.float32([[1, 2], [0.5, 3], [4, 0]])
    np.testing.assert_allclose(guided([full, none], [3.0]), 4 * full - 3 * none)
    np.testing.assert_allclose(
        guided([full, source, none], [3.0, 2.0]), full + 3 * (full - source) + 2 * (source - none)
    )
    assert guided([full], []) is full


def test_linear_schedule_falls_from_g_to_its_share() -> None:
    settings = SamplingSettings(guidance_schedule="linear")
    assert [settings.schedule(i, 4) for i in range(4)] == [1.0, 0.75, 0.5, 0.25]
    assert SamplingSettings().schedule(3, 4) == 1.0


def drawn(settings: SamplingSettings, logits: np.ndarray = LOGITS, times: int = 4000) -> np.ndarray:
    """How often each id comes."""
    generator = np.random.default_rng(0)
    ids = [choose(logits, settings, generator) for _ in range(times)]
    return np.bincount(ids, minlength=len(logits)) / times


def test_temperature_zero_is_greedy() -> None:
    assert drawn(SamplingSettings(), times=3).tolist() == [0, 1, 0, 0]


def test_draws_follow_the_probabilities() -> None:
    np.testing.assert_allclose(drawn(SamplingSettings(temperature=1.0)), PROBABILITIES, atol=0.03)
    squared = PROBABILITIES**2 / (PROBABILITIES**2).sum()
    np.testing.assert_allclose(drawn(SamplingSettings(temperature=0.5)), squared, atol=0.03)


def test_top_p_and_top_k_bound_draws() -> None:
    for settings in (
        SamplingSettings(temperature=1.0, top_p=0.6),
        SamplingSettings(temperature=1.0, top_k=2),
        SamplingSettings(temperature=1.0, top_k=3, top_p=0.8),
    ):
        np.testing.assert_allclose(drawn(settings), [0, 0.625, 0, 0.375], atol=0.03)


def test_draws_reach_every_part_of_a_large_vocabulary() -> None:
    share = drawn(SamplingSettings(temperature=1.0), np.zeros(1000, dtype=np.float32))
    np.testing.assert_allclose([part.sum() for part in np.split(share, 10)], 0.1, atol=0.03)
    last = np.full(1000, -50, dtype=np.float32)
    last[-1] = 0
    assert drawn(SamplingSettings(temperature=1.0), last, 10)[-1] == 1


@pytest.mark.parametrize(
    "field",
    [
        {"guidance": float("nan")},
        {"source_guidance": -1.0},
        {"temperature": -1.0},
        {"top_p": 0.0},
        {"seed": -1},
        {"top_k": -2},
    ],
)
def test_bad_setting_is_named(field: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(field)).replace("top_", "top-").replace("_", " ")):
        SamplingSettings(**field)
