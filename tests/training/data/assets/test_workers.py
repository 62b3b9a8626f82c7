"""A pool whose workers hang, crash or run out of memory loses the item, not the run."""

from __future__ import annotations

import os
import time

import numpy as np

from training.data.assets.workers import PoolSettings, run_items


def test_every_item_has_its_outcome() -> None:
    settings = PoolSettings(processes=2, seconds=20)
    results = {outcome.index: outcome.result for outcome in run_items(abs, [-1, 2, -3], settings)}
    assert results == {0: 1, 1: 2, 2: 3}


def test_an_error_is_a_reason_and_the_worker_goes_on() -> None:
    outcomes = sorted(run_items(len, ["a", 1, "abc"], PoolSettings(processes=1)), key=lambda o: o.index)
    assert [outcome.result for outcome in outcomes] == [1, None, 3]
    assert outcomes[1].rejected is not None
    assert outcomes[1].rejected.reason == "failed"
    assert "TypeError" in outcomes[1].rejected.detail


def test_a_hanging_worker_is_replaced() -> None:
    outcomes = sorted(
        run_items(time.sleep, [30, 0], PoolSettings(processes=1, seconds=1)), key=lambda o: o.index
    )
    assert [outcome.rejected and outcome.rejected.reason for outcome in outcomes] == ["timeout", None]


def test_a_crashing_worker_is_replaced() -> None:
    outcomes = list(run_items(os._exit, [7, 7], PoolSettings(processes=1)))
    assert [outcome.rejected and outcome.rejected.reason for outcome in outcomes] == ["crashed"] * 2
    assert "code 7" in str(outcomes[0].rejected)


def test_memory_is_limited() -> None:
    (outcome,) = run_items(np.ones, [(1 << 32,)], PoolSettings(processes=1, memory=4 << 30))
    assert outcome.rejected is not None
    assert outcome.rejected.reason == "too_much_memory"
