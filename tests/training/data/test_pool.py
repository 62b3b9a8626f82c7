"""A pool whose workers hang, crash or run out of memory loses the item, not the run."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from training.data.pool import DataError, LocalPool, Outcome, PoolSettings


def _run(function: Callable[[Any], Any], items: Sequence[Any], **settings: Any) -> list[Outcome]:
    pool = LocalPool(PoolSettings(**{"processes": 1, **settings}))
    return sorted(pool.run(function, items), key=lambda outcome: outcome.index)


def _reasons(outcomes: list[Outcome]) -> list[str | None]:
    return [outcome.rejected.reason if outcome.rejected else None for outcome in outcomes]


def test_every_item_has_its_outcome() -> None:
    assert [outcome.result for outcome in _run(abs, [-1, 2, -3], processes=2, seconds=20)] == [1, 2, 3]


def test_an_error_is_a_reason_and_the_worker_goes_on() -> None:
    outcomes = _run(len, ["a", 1, "abc"])
    assert [outcome.result for outcome in outcomes] == [1, None, 3]
    assert _reasons(outcomes) == [None, "failed", None]
    assert "TypeError" in str(outcomes[1].rejected)


def test_a_result_that_cannot_travel_is_a_reason() -> None:
    outcomes = _run(eval, ["lambda: 1", "2"])
    assert _reasons(outcomes) == ["failed", None]


def test_a_hanging_worker_is_replaced() -> None:
    assert _reasons(_run(time.sleep, [30, 0], seconds=1)) == ["timeout", None]


def test_a_crashing_worker_is_replaced() -> None:
    outcomes = _run(os._exit, [7, 7])
    assert _reasons(outcomes) == ["crashed"] * 2
    assert "code 7" in str(outcomes[0].rejected)


class _Unreadable:
    """A function that ends whoever unpacks it."""

    def __call__(self, item: Any) -> None: ...

    def __reduce__(self) -> tuple[Callable[[int], Any], tuple[int]]:
        return os._exit, (3,)


def test_workers_that_never_start_end_the_run_in_a_sentence() -> None:
    with pytest.raises(DataError, match=r"Workers do not start: the last ended with code 3\."):
        _run(_Unreadable(), ["a", "b"])


def test_a_worker_that_dies_idle_costs_no_item() -> None:
    outcomes = []
    for outcome in LocalPool(PoolSettings(processes=1)).run(_answer_then_die, ["a", "b"]):
        outcomes.append(outcome.result)
        time.sleep(0.6)
    assert outcomes == ["a", "b"]


def _answer_then_die(item: str) -> str:
    threading.Timer(0.3, os._exit, [1]).start()
    return item


def test_memory_is_limited() -> None:
    assert _reasons(_run(np.ones, [(1 << 32,)], memory=4 << 30)) == ["too_much_memory"]


def test_workers_share_the_cores() -> None:
    wanted = os.environ.get("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // 2, 1)))
    before = dict(os.environ)
    (outcome,) = _run(os.getenv, ["OMP_NUM_THREADS"], processes=2)
    assert (outcome.result, dict(os.environ)) == (wanted, before)
