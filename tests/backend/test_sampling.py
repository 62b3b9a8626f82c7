"""Sampling: guidance, nucleus and top-k do what their names say, as their slow twin does."""

from __future__ import annotations

import numpy as np
import pytest

from backend.sampling import SamplingSettings, choose

PROBABILITIES = np.array([0.15, 0.5, 0.05, 0.3], dtype=np.float32)
LOGITS = np.log(PROBABILITIES)


def plain_probabilities(logits: np.ndarray, settings: SamplingSettings) -> np.ndarray:
    """The slow twin of a draw: everything in float64 and sorted."""
    p = np.exp((logits.astype(np.float64) - logits.max()) / settings.temperature)
    if settings.top_k:
        p[p < np.sort(p)[-settings.top_k]] = 0
    p /= p.sum()
    order = np.argsort(-p, kind="stable")
    before = np.cumsum(p[order]) - p[order]
    p[order[before >= settings.top_p]] = 0
    return p / p.sum()


def drawn(settings: SamplingSettings, logits: np.ndarray = LOGITS, times: int = 4000) -> np.ndarray:
    """How often each id comes."""
    generator = np.random.default_rng(0)
    ids = [choose([logits], [], settings, generator) for _ in range(times)]
    return np.bincount(ids, minlength=len(logits)) / times


@pytest.mark.parametrize(
    "settings",
    [
        SamplingSettings(temperature=1.0),
        SamplingSettings(temperature=0.5),
        SamplingSettings(temperature=1.0, top_p=0.6),
        SamplingSettings(temperature=1.0, top_p=0.49),
        SamplingSettings(temperature=1.0, top_p=0.81),
        SamplingSettings(temperature=1.0, top_k=2),
        SamplingSettings(temperature=2.0, top_k=3, top_p=0.8),
    ],
)
def test_draws_follow_the_probabilities_that_are_kept(settings: SamplingSettings) -> None:
    np.testing.assert_allclose(drawn(settings), plain_probabilities(LOGITS, settings), atol=0.03)


@pytest.mark.parametrize("spread", [1e-3, 1.0, 6.0])
@pytest.mark.parametrize(
    "limits", [{"top_p": 0.05}, {"top_p": 0.9}, {"top_k": 7}, {"top_k": 40, "top_p": 0.5}]
)
def test_ids_kept_of_a_large_vocabulary_are_the_likeliest(spread: float, limits: dict[str, float]) -> None:
    logits = spread * np.random.default_rng(0).standard_normal(1500, dtype=np.float32)
    settings = SamplingSettings(temperature=1.0, **limits)
    seen = drawn(settings, logits, times=20_000) > 0
    wanted = plain_probabilities(logits, settings)
    # Sums differ in rounding, which may move the end by one; rare ids may not come.
    assert np.count_nonzero(seen & (wanted == 0)) <= 1
    assert seen[wanted > 5e-4].all()


def test_temperature_zero_is_greedy_and_takes_the_first_of_equals() -> None:
    logits = np.zeros(1000, dtype=np.float32)
    logits[[301, 302, 900]] = 2.0
    assert drawn(SamplingSettings(), logits, times=1)[301] == 1


def test_guidance_moves_away_from_what_each_row_lacks() -> None:
    full, source, none = np.random.default_rng(1).standard_normal((3, 600), dtype=np.float32)
    generator = np.random.default_rng(0)

    def chosen(rows: list[np.ndarray], scales: list[float]) -> int:
        return choose(rows, scales, SamplingSettings(), generator)

    assert chosen([full], []) == full.argmax()
    assert chosen([full, none], [3.0]) == (4 * full - 3 * none).argmax()
    mixed = full + 3 * (full - source) + 2 * (source - none)
    assert chosen([full, source, none], [3.0, 2.0]) == mixed.argmax()


def test_linear_schedule_falls_from_g_to_its_share() -> None:
    settings = SamplingSettings(guidance_schedule="linear")
    assert [settings.schedule(i, 4) for i in range(4)] == [1.0, 0.75, 0.5, 0.25]
    assert SamplingSettings().schedule(3, 4) == 1.0


def test_equally_likely_ids_all_come() -> None:
    flat = np.zeros(1000, dtype=np.float32)
    for settings in (SamplingSettings(temperature=1.0), SamplingSettings(temperature=1.0, top_p=0.5)):
        share = drawn(settings, flat)
        np.testing.assert_allclose([part.sum() for part in np.split(share, 10)], 0.1, atol=0.03)


def test_the_last_id_can_come() -> None:
    logits = np.full(1000, -50, dtype=np.float32)
    logits[-1] = 0
    assert drawn(SamplingSettings(temperature=1.0), logits, times=10)[-1] == 1


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
