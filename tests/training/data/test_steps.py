"""Steps do nothing twice, and continue after workers, disks and whole runs have failed."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from tests.training.data.here import Here
from training.data.assets.asset import Rejected
from training.data.pool import LocalPool, PoolSettings
from training.data.steps import DataError, Item, Journal, Result, Step, item_hash, run, seed_of


@dataclass(frozen=True, kw_only=True)
class Squares:
    power: int = 2


def make_square(item: Item, settings: Squares, data: Path, product: Path) -> dict[str, Any]:
    """An array of one number; item.where says what goes wrong on the way."""
    number = item.inputs["number"]
    save_file({"number": np.array([number**settings.power])}, product)
    with (data / "made.txt").open("a", encoding="ascii") as made:
        made.write(f"{item.key}\n")
    trouble = item.where.get("trouble")
    if trouble == "rejected":
        raise Rejected("odd", f"{number} is odd.")
    if isinstance(trouble, Exception):
        raise trouble
    if trouble == "killed" and not (data / "spared").exists():
        (data / "spared").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if trouble == "slow":
        time.sleep(0.2)
    return {"power": settings.power}


SQUARE = Step(name="square", version=1, make=make_square, suffix=".safetensors")


def numbered(*numbers: int, **trouble: str | Exception) -> list[Item]:
    return [Item(key=f"n{n}", inputs={"number": n}, where={"trouble": trouble.get(f"n{n}")}) for n in numbers]


def squares(
    data: Path, *items: Item, settings: Squares = Squares(), step: Step[Squares] = SQUARE
) -> list[Result]:
    return run(step, settings, items, data, Here())


def made(data: Path) -> list[str]:
    return (data / "made.txt").read_text(encoding="ascii").split()


def files(data: Path) -> list[str]:
    return sorted(path.relative_to(data).as_posix() for path in (data / "square").glob("??/*"))


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    first = squares(tmp_path, *numbered(1, 2, 3))
    again = squares(tmp_path, *numbered(3, 1, 2))
    assert made(tmp_path) == ["n1", "n2", "n3"]
    assert [result.cached for result in first + again] == [False] * 3 + [True] * 3
    assert again == [replace(first[i], cached=True) for i in (2, 0, 1)]
    assert load_file(tmp_path / str(again[0].product))["number"].tolist() == [9]


@pytest.mark.parametrize(
    "changed",
    [
        {"settings": Squares(power=3)},
        {"step": replace(SQUARE, version=2)},
        {"item": Item(key="n2", inputs={"number": 4})},
        {"item": Item(key="other", inputs={"number": 2})},
    ],
)
def test_whatever_a_product_is_made_of_is_in_its_name(changed: dict[str, Any]) -> None:
    usual = {"step": SQUARE, "settings": Squares(), "item": Item(key="n2", inputs={"number": 2})}
    assert item_hash(**usual) != item_hash(**{**usual, **changed})
    moved = replace(usual["item"], where={"folder": "elsewhere"})
    assert item_hash(**usual) == item_hash(**{**usual, "item": moved})


def test_a_path_of_the_machine_is_no_input() -> None:
    with pytest.raises(TypeError, match=r"belong in Item\.where"):
        item_hash(SQUARE, Squares(), Item(key="a", inputs={"file": Path("a")}))


def test_new_items_cost_only_themselves(tmp_path: Path) -> None:
    squares(tmp_path, *numbered(1, 2))
    squares(tmp_path, *numbered(1, 2, 3))
    assert made(tmp_path) == ["n1", "n2", "n3"]


def test_equal_items_are_made_once(tmp_path: Path) -> None:
    one, other = squares(tmp_path, *numbered(2, 2))
    assert one == other
    assert made(tmp_path) == ["n2"]


def test_a_rejected_item_keeps_its_reason_and_leaves_no_file(tmp_path: Path) -> None:
    for _ in range(2):
        (result,) = squares(tmp_path, *numbered(1, n1="rejected"))
        assert (result.product, str(result.rejected)) == (None, "odd: 1 is odd.")
    assert made(tmp_path) == ["n1"]
    assert files(tmp_path) == []


def test_what_our_code_got_wrong_is_tried_again(tmp_path: Path) -> None:
    (lost,) = squares(tmp_path, *numbered(1, n1=ZeroDivisionError()))
    assert lost.rejected is not None
    assert lost.rejected.reason == "failed"
    (result,) = squares(tmp_path, *numbered(1))
    assert (result.rejected, result.cached) == (None, False)
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"")], ids=["gone", "empty"])
def test_a_product_that_is_not_whole_is_made_again(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    (result,) = squares(tmp_path, *numbered(3))
    spoil(tmp_path / str(result.product))
    squares(tmp_path, *numbered(3))
    assert made(tmp_path) == ["n3", "n3"]
    assert load_file(tmp_path / str(result.product))["number"].tolist() == [9]


def test_a_spoilt_journal_costs_only_the_spoilt_lines(tmp_path: Path) -> None:
    squares(tmp_path, *numbered(1, 2, 3))
    journal = tmp_path / "square" / "journal.jsonl"
    first, second, third = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(first + b"\0" * len(second[:-1]) + b"\n" + third[:20])
    squares(tmp_path, *numbered(1, 2, 3))
    assert made(tmp_path) == ["n1", "n2", "n3", "n2", "n3"]
    assert [result.key for result in Journal(journal).results()] == ["n1", "n2", "n3"]
    squares(tmp_path, *numbered(1, 2, 3))
    assert len(made(tmp_path)) == 5


def test_a_killed_worker_costs_its_item_until_the_next_run(tmp_path: Path) -> None:
    items, pool = numbered(1, 2, 3, n2="killed"), LocalPool(PoolSettings(processes=2))
    results = run(SQUARE, Squares(), items, tmp_path, pool)
    assert [result.rejected and result.rejected.reason for result in results] == [None, "crashed", None]
    assert [path for path in files(tmp_path) if "/." in path] != []  # what it had half done
    again = run(SQUARE, Squares(), items, tmp_path, pool)
    assert [result.cached for result in again] == [True, False, True]
    assert files(tmp_path) == sorted(str(result.product) for result in again)


@pytest.mark.parametrize(
    "full",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
    ids=["python", "safetensors"],
)
def test_a_full_disk_ends_the_run_and_the_next_continues(tmp_path: Path, full: Exception) -> None:
    with pytest.raises(DataError, match="is full; free some space and run the command again"):
        squares(tmp_path, *numbered(1, 2, 3, n2=full))
    assert len(files(tmp_path)) == 1
    results = squares(tmp_path, *numbered(1, 2, 3))
    assert [result.cached for result in results] == [True, False, False]
    assert made(tmp_path) == ["n1", "n2", "n2", "n3"]


def test_what_the_machine_lacks_ends_the_run_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^no OpenGL here$"):
        squares(tmp_path, *numbered(1, 2, 3, n2=DataError("no OpenGL here")))
    assert [result.cached for result in squares(tmp_path, *numbered(1, 2, 3))] == [True, False, False]


def test_a_run_that_is_interrupted_continues(tmp_path: Path) -> None:
    def interrupt(result: Result) -> None:
        if result.key == "n2":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(SQUARE, Squares(), numbered(1, 2, 3), tmp_path, Here(), interrupt)
    results = squares(tmp_path, *numbered(1, 2, 3))
    assert [result.cached for result in results] == [True, True, False]
    assert made(tmp_path) == ["n1", "n2", "n3"]


def test_a_run_that_is_killed_continues(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", SLOW_RUN, str(tmp_path)])
    journal = tmp_path / "square" / "journal.jsonl"
    try:
        for _ in range(600):
            if journal.exists() and journal.read_bytes().count(b"\n") >= 3:
                break
            time.sleep(0.05)
    finally:
        child.kill()
        child.wait()
    done = journal.read_bytes().count(b"\n")
    assert 3 <= done < 40
    results = squares(tmp_path, *numbered(*range(40)))
    assert sum(result.cached for result in results) == done
    assert files(tmp_path) == sorted(str(result.product) for result in results)
    assert {len(load_file(tmp_path / path)["number"]) for path in files(tmp_path)} == {1}


SLOW_RUN = f"""
import runpy, sys
from pathlib import Path
steps = runpy.run_path({str(Path(__file__))!r})
items = steps["numbered"](*range(40), **{{f"n{{n}}": "slow" for n in range(40)}})
steps["run"](steps["SQUARE"], steps["Squares"](), items, Path(sys.argv[1]), steps["Here"]())
"""


def test_two_runs_of_one_step_do_not_meet(tmp_path: Path) -> None:
    (tmp_path / "square").mkdir()
    with (
        FileLock(tmp_path / "square" / ".lock"),
        pytest.raises(DataError, match="Another run works on"),
    ):
        squares(tmp_path, *numbered(1))


def test_steps_without_a_product_keep_their_facts(tmp_path: Path) -> None:
    counted = Step(name="count", version=1, make=count_digits)
    (result,) = run(counted, Squares(), numbered(123), tmp_path, Here())
    assert (result.facts, result.product, result.bytes) == ({"digits": 3}, None, 0)
    row = json.loads((tmp_path / "count" / "journal.jsonl").read_text(encoding="utf-8"))
    assert row["facts"] == {"digits": 3}


def count_digits(item: Item, settings: Squares, data: Path, product: Path) -> dict[str, Any]:
    return {"digits": len(str(item.inputs["number"]))}


def test_seeds_depend_on_every_name() -> None:
    assert seed_of("a", "bc") == seed_of("a", "bc")
    assert len({seed_of("a", "bc"), seed_of("ab", "c"), seed_of("abc"), seed_of("a", "b", "c")}) == 4
