"""The cluster's pool makes of every item what the local one makes, and outlives its workers."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.data.cluster import RayPool, RaySettings
from training.data.pool import LocalPool, Outcome, PoolSettings
from training.data.steps import DataError, Item, Step, run

pytest.importorskip("ray", reason="the extra `ray` is not installed")


@pytest.fixture(scope="module")
def pool() -> Iterator[RayPool]:
    with RayPool(RaySettings(processes=2, seconds=20, attempts=2, poll_seconds=0.2)) as pool:
        yield pool


def with_settings(pool: RayPool, **settings: object) -> RayPool:
    """On the cluster that is up."""
    return RayPool(RaySettings(**{**vars(pool.settings), **settings}))


def dies_once(mark: Path) -> str:
    """As a worker does that the system kills."""
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return mark.name


def verdicts(outcomes: Iterator[Outcome]) -> dict[int, tuple[object, str | None]]:
    return {o.index: (o.result, o.rejected and str(o.rejected)) for o in outcomes}


# First, while no cluster is up.
def test_an_address_where_nobody_listens_is_one_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(DataError, match=rf"No Ray cluster at '127.0.0.1:{port}' for us \(.*refused\)"):
            next(RayPool(RaySettings(address=f"127.0.0.1:{port}")).run(abs, [1]))


def test_outcomes_equal_those_of_the_local_pool(pool: RayPool) -> None:
    items = ["a", 1, "abc", None, "ab"]
    assert verdicts(pool.run(len, items)) == verdicts(LocalPool(PoolSettings(processes=1)).run(len, items))


def test_a_killed_worker_is_replaced_and_its_item_tried_again(pool: RayPool, tmp_path: Path) -> None:
    marks = [tmp_path / name for name in "abc"]
    marks[0].touch()
    assert verdicts(with_settings(pool, processes=1).run(dies_once, marks)) == {
        i: (name, None) for i, name in enumerate("abc")
    }


def test_an_item_that_kills_every_worker_has_its_reason(pool: RayPool) -> None:
    (outcome,) = pool.run(os._exit, [7])
    assert str(outcome.rejected) == "crashed: Its worker died 2 times."


def test_a_hanging_item_ends_and_the_others_go_on(pool: RayPool) -> None:
    found = verdicts(with_settings(pool, processes=1, seconds=1.0).run(time.sleep, [30, 0, 0]))
    assert found == {0: (None, "timeout: It took over 1 seconds."), 1: (None, None), 2: (None, None)}


def test_memory_is_limited(pool: RayPool) -> None:
    outcomes = list(with_settings(pool, processes=1, memory=4 << 30).run(np.ones, [(1 << 32,), (2,)]))
    assert [o.rejected and o.rejected.reason for o in sorted(outcomes, key=lambda o: o.index)] == [
        "too_much_memory",
        None,
    ]


def test_a_cluster_without_the_room_says_so(pool: RayPool) -> None:
    starved = with_settings(pool, gpus=64.0, start_seconds=0.5)
    with pytest.raises(DataError, match=r"has 2 CPUs and 0 GPUs.* asks for 1 CPUs and 64 GPUs"):
        list(starved.run(abs, [1]))


def write_number(item: Item, settings: RaySettings, data: Path, product: Path) -> dict[str, Any]:
    if item.key == "n2":
        dies_once(data / "mark")
    product.write_text(f"{item.inputs['number'] ** 2}", encoding="ascii")
    return {"digits": len(str(item.inputs["number"]))}


def test_a_step_makes_the_same_products_on_a_cluster(pool: RayPool, tmp_path: Path) -> None:
    step = Step(name="square", version=1, make=write_number, suffix=".txt")
    items = [Item(key=f"n{number}", inputs={"number": number}) for number in range(6)]
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (here / "mark").touch()  # no worker dies
    local = run(step, pool.settings, items, here, LocalPool())
    cluster = run(step, pool.settings, items, there, pool)
    assert (there / "mark").exists()  # one has died
    assert [(r.key, r.facts, r.product) for r in cluster] == [(r.key, r.facts, r.product) for r in local]
    assert [(there / str(r.product)).read_text() for r in cluster] == ["0", "1", "4", "9", "16", "25"]
