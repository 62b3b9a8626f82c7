"""An estimate is what was measured, divided by what came through and multiplied by what is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.data.assets.asset import Rejected
from training.data.estimate import Goal, estimate, measured, table
from training.data.steps import DataError, Journal, Result


def result(key: str, seconds: float, size: int = 0, *, views: int = 0, rejected: bool = False) -> Result:
    return Result(
        key=key,
        hash=f"{key}{seconds}",
        seconds=seconds,
        bytes=size,
        facts={"views": views} if views else {},
        rejected=Rejected("odd", "It is odd.") if rejected else None,
    )


RESULTS = {
    "ingest": [result(f"{i}", 1.0, 100) for i in range(4)],
    "filter": [result(f"{i}", 0.5, rejected=i > 1) for i in range(4)],
    "views": [result("0", 2.0, 3000, views=12), result("1", 4.0, 1000, views=12)],
}


def test_rejected_items_cost_those_that_come_through() -> None:
    found = estimate(RESULTS, Goal(pairs=2400, cores=10))
    assert (found.assets, found.pairs_per_asset, found.assets_needed, found.items_needed) == (2, 12, 200, 400)
    assert [step.asset_seconds for step in found.steps] == [2.0, 1.0, 3.0]
    assert [(step.items, step.kept) for step in found.steps] == [(4, 4), (4, 2), (2, 2)]
    assert [step.asset_bytes for step in found.steps] == [200, 0, 2000]
    assert found.core_days == pytest.approx(6.0 * 200 / 86400)
    assert found.days == pytest.approx(found.core_days / 10)
    assert found.terabytes == pytest.approx(2200 * 200 / 1e12)


def test_fewer_pictures_of_each_asset_need_more_assets() -> None:
    found = estimate(RESULTS, Goal(pairs=2400, pairs_per_asset=6))
    assert found.assets_needed == 400


def test_the_table_says_what_it_comes_to() -> None:
    text = table(estimate(RESULTS, Goal(pairs=120_000_000, cores=100)))
    assert (
        "| views  |     2 |    2 |          3.000 | 3.000 |   3.000 | 0.000 |      2.0 |     347.2 | 0.02 |"
        in text
    )
    assert "10,000,000 assets with 12 pictures each, from 20,000,000 sources." in text
    assert "1.9 core-years and 0.02 TB: 6.9 days on 100 cores, which write 0 MB/s together." in text


def test_journals_give_the_newest_result_of_each_item_in_the_order_of_the_steps(tmp_path: Path) -> None:
    for step, results in {"views": RESULTS["views"], "ingest": [result("0", 1.0), result("0", 2.0)]}.items():
        (tmp_path / step).mkdir()
        with Journal(tmp_path / step / "journal.jsonl") as journal:
            for each in results:
                journal.write(each)
    found = measured(tmp_path)
    assert list(found) == ["ingest", "views"]
    assert [r.seconds for r in found["ingest"]] == [2.0]


def test_edit_pairs_are_counted_where_they_are_wanted(tmp_path: Path) -> None:
    (tmp_path / "geometry").mkdir()
    with Journal(tmp_path / "geometry" / "journal.jsonl") as journal:
        for key, seconds in (("a", 1.0), ("a/0-source", 4.0), ("a/0-target", 5.0)):
            journal.write(result(key, seconds))
    for edits, cost in ((False, [1.0]), (True, [1.0, 9.0])):
        found = estimate(measured(tmp_path), Goal(pairs_per_asset=1, edits=edits))
        assert [step.asset_seconds for step in found.steps] == cost
        assert ("No edit pairs" in table(found)) is not edits


def test_without_measurements_there_is_no_estimate(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run the pipeline on a few hundred first"):
        estimate(measured(tmp_path), Goal())
