"""Folders, packed corpora and seeds to checked assets by steps; and the records and report on them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from training.data.assets.asset import read_asset
from training.data.assets.duplicates import DuplicateSettings
from training.data.assets.ingest import IngestSettings
from training.data.assets.procedural import seeds_of
from training.data.assets.steps import (
    DUPLICATES,
    FILTER,
    INGEST,
    asset_items,
    compared,
    comparison,
    ingest_items,
)
from training.data.filtering import FilterSettings
from training.data.geometry.procedural import original
from training.data.pool import LocalPool, Outcome, PoolSettings, attempt
from training.data.records import Record, Results, make_records, write_records
from training.data.report import ReportSettings, write_report
from training.data.steps import DataError, Pool, Result, run

Made = tuple[Path, Results]


class ThisProcess:
    """A pool without processes."""

    def run(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Outcome]:
        for index, item in enumerate(items):
            result, rejected = attempt(function, item)
            yield Outcome(index=index, result=result, rejected=rejected)


def steps(data: Path, *sources: str, pool: Pool | None = None) -> dict[str, list[Result]]:
    pool = pool or ThisProcess()
    items = ingest_items(sources, data, IngestSettings())
    ingested = run(INGEST, IngestSettings(), items, data, pool)
    filtered = run(FILTER, FilterSettings(), asset_items(ingested), data, pool)
    (found,) = run(DUPLICATES, DuplicateSettings(), [comparison(ingested, filtered)], data, pool)
    return {"ingest": ingested, "filter": filtered, "duplicates": compared(found, filtered, data)}


@pytest.fixture(scope="module")
def odd(odd_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    data = tmp_path_factory.mktemp("data")
    pool = LocalPool(PoolSettings(processes=1, seconds=60))
    return data, steps(data, str(odd_folder), pool=pool)


def test_a_folder_of_odd_files_never_stops_the_run(odd: Made) -> None:
    data, results = odd
    found = {record.source: record for record in make_records(results)}
    assert found["micrometres.stl"].kept
    assert (found["signed.glb"].step, found["signed.glb"].reason) == ("filter", "too_simple")  # a box
    assert (found["cut.glb"].step, found["cut.glb"].reason) == ("ingest", "corrupt")
    assert all(record.detail.endswith(".") for record in found.values() if not record.kept)
    assert {read_asset(data / r.asset).source for r in found.values() if r.asset} <= set(found)
    assert not {r.reason for r in found.values()} & {"failed", "crashed"}


def test_a_second_run_does_nothing(odd: Made, odd_folder: Path) -> None:
    data, results = odd
    again = steps(data, str(odd_folder))
    assert all(result.cached for found in again.values() for result in found)
    assert [r.hash for r in again["ingest"]] == [r.hash for r in results["ingest"]]


def test_a_new_file_costs_only_itself(odd_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.stl", "b.stl"):
        (folder / name).write_bytes((odd_folder / "micrometres.stl").read_bytes())
        results = steps(tmp_path / "data", str(folder))
    assert [result.cached for result in results["ingest"]] == [True, False]
    first, second = make_records(results)
    assert (first.kept, second.reason) == (True, "duplicate")
    assert "a.stl" in second.detail
    assert first.key != second.key
    assert str(first.key)[:24] == str(second.key)[:24]


def test_a_packed_corpus_is_read_with_its_licences(corpus_root: Path, tmp_path: Path) -> None:
    results = steps(tmp_path, str(corpus_root))
    records = make_records(results)
    assert [record.name for record in records] == ["chair cushion", "urn", "wall", "oak"]
    assert {(record.step, record.reason) for record in records} == {("filter", "too_simple")}
    assets = [read_asset(tmp_path / str(record.asset)) for record in records]
    assert [asset.colors is not None for asset in assets] == [True, False, False, True]
    assert [asset.provenance["split"] for asset in assets] == ["train", "train", "val", "train"]


def test_procedural_objects_keep_exact_distances_and_named_parts(tmp_path: Path) -> None:
    results = steps(tmp_path, "procedural:4-6")
    items = asset_items(results["ingest"])
    for seed, item in zip((4, 5, 6), items, strict=True):
        asset = read_asset(tmp_path / item.inputs["asset"])
        assert asset.provenance["seed"] == str(seed)
        assert original(asset) is not None
        assert asset.name == asset.provenance["family"].replace("_", " ")
        assert asset.colors is not None
        assert all(asset.part_names)


def test_sources_that_cannot_be_are_one_sentence(odd_folder: Path, tmp_path: Path) -> None:
    for sources in (["procedural:x"], ["procedural:9-3"], ["/nowhere"], [str(odd_folder)] * 2):
        with pytest.raises(DataError, match=r"\.$"):
            ingest_items(sources, tmp_path, IngestSettings())
    assert seeds_of("procedural:3") == range(3)


def test_a_broken_record_beside_an_asset_is_told(odd_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "chair.stl").write_bytes((odd_folder / "micrometres.stl").read_bytes())
    (folder / "chair.json").write_text('{"licence": ', encoding="utf-8")
    with pytest.raises(DataError, match=r"chair\.json cannot be read"):
        ingest_items([str(folder)], tmp_path / "data", IngestSettings())


def test_nothing_at_all_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    results = steps(tmp_path / "data", str(tmp_path / "in"))
    assert results == {"ingest": [], "filter": [], "duplicates": []}
    write_report(tmp_path / "r.html", tmp_path / "data", results)


def test_records_are_rows_for_peoples_tables(odd: Made, tmp_path: Path) -> None:
    records = make_records(odd[1])
    write_records(tmp_path / "records.jsonl", records)
    lines = (tmp_path / "records.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == len(records)
    assert '"reason": "corrupt"' in "".join(lines)


def test_the_report_holds_every_reason_and_needs_nothing_else(odd: Made, tmp_path: Path) -> None:
    data, results = odd
    facts = results["ingest"][0].facts
    first = next(r for r in results["ingest"] if r.facts.get("assets"))
    named = [{**entry, "name": "<script>alert(1)</script>"} for entry in first.facts["assets"]]
    changed = [replace(r, facts={**facts, "assets": named}) if r is first else r for r in results["ingest"]]
    write_report(tmp_path / "r.html", data, {**results, "ingest": changed})
    page = (tmp_path / "r.html").read_text("utf-8")
    records = make_records(results)
    for reason, count in Counter(r.reason for r in records if not r.kept).items():
        assert f"<b>{str(reason).replace('_', ' ')}</b>" in page, (reason, count)
    assert page.count("data:image/webp") == _shown(records)
    assert "<script" not in page
    assert not re.search(r"https?://", page.replace("https://a.example", ""))


def _shown(records: list[Record]) -> int:
    """One picture of each asset, and one more for each note of those kept."""
    noted = sum(len(record.notes) for record in records if record.kept)
    return noted + sum(record.key is not None for record in records)


def test_a_report_on_thousands_stays_small(odd: Made, tmp_path: Path) -> None:
    data, results = odd
    kept = next(r for r in make_records(results) if r.kept)
    source = next(r for r in results["ingest"] if r.key == kept.source)
    entry = {**source.facts["assets"][0], "notes": []}
    many = [replace(source, facts={"assets": [entry | {"key": str(i)}]}) for i in range(4000)]
    write_report(tmp_path / "r.html", data, {"ingest": many}, ReportSettings(kept=5))
    page = (tmp_path / "r.html").read_text("utf-8")
    assert (page.count("data:image/webp"), len(page) < 100_000) == (5, True)
    assert "4,000 kept" in page
