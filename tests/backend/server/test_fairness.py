"""Turn by turn between owners, in order within one."""

from __future__ import annotations

import pytest

from backend.server.fairness import FairQueue


def filled() -> FairQueue:
    queue = FairQueue()
    for owner, job in [
        ("ann", "a1"),
        ("ann", "a2"),
        ("ann", "a3"),
        ("bob", "b1"),
        ("cy", "c1"),
        ("cy", "c2"),
    ]:
        queue.push(owner, job)
    return queue


def test_a_late_owner_does_not_wait_for_all_of_an_early_ones_jobs() -> None:
    queue = filled()
    order = list(queue)
    assert order == ["a1", "b1", "c1", "a2", "c2", "a3"]
    assert [queue.pop() for _ in range(len(queue))] == order


def test_first_goes_before_everything() -> None:
    queue = filled()
    queue.pop()
    queue.push("cy", "again", first=True)
    assert next(iter(queue)) == "again"


def test_removed_jobs_do_not_run() -> None:
    queue = filled()
    queue.remove("bob", "b1")
    assert "b1" not in queue
    with pytest.raises(KeyError):
        queue.remove("bob", "b1")


def test_an_empty_queue_has_nothing_to_give() -> None:
    with pytest.raises(IndexError):
        FairQueue().pop()
