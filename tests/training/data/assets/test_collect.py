"""Folders and packed corpora to checked assets and records, bad files and all; and the report on them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from training.data.assets.asset import read_asset
from training.data.assets.collect import STEPS, CollectSettings, asset_path, collect
from training.data.pool import PoolSettings
from training.data.records import Record, read_records
from training.data.report import ReportSettings, write_report

SETTINGS = CollectSettings(pool=PoolSettings(processes=1, seconds=60))


@pytest.fixture(scope="module")
def collected(odd_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    out = tmp_path_factory.mktemp("out")
    return out, collect(odd_folder, out, SETTINGS)


def test_a_folder_of_odd_files_never_stops_the_run(collected: tuple[Path, list[Record]]) -> None:
    out, records = collected
    found = {record.source: record for record in records}
    assert found["micrometres.stl"].kept
    assert (found["signed.glb"].step, found["signed.glb"].reason) == ("filter", "too_simple")  # a box
    assert (found["cut.glb"].step, found["cut.glb"].reason) == ("ingest", "corrupt")
    assert all(record.detail.endswith(".") for record in records if not record.kept)
    assert read_records(out / "records.jsonl") == records
    assert {read_asset(asset_path(out, r.key)).source for r in records if r.key} <= set(found)


def test_a_packed_corpus_is_read_with_its_licences(corpus_root: Path, tmp_path: Path) -> None:
    records = collect(corpus_root, tmp_path, SETTINGS)
    assert [record.name for record in records] == ["chair cushion", "urn", "wall", "oak"]
    assert {(record.step, record.reason) for record in records} == {("filter", "too_simple")}
    colors = [read_asset(asset_path(tmp_path, str(record.key))).colors for record in records]
    assert [color is not None for color in colors] == [True, False, False, True]


def test_duplicates_are_marked_and_the_first_kept(odd_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.stl", "b.stl"):
        (folder / name).write_bytes((odd_folder / "micrometres.stl").read_bytes())
    first, second = collect(folder, tmp_path / "out", SETTINGS)
    assert (first.kept, second.reason) == (True, "duplicate")
    assert "a.stl" in second.detail
    assert first.key != second.key
    assert str(first.key)[:24] == str(second.key)[:24]


def test_the_report_holds_every_reason_and_needs_nothing_else(
    collected: tuple[Path, list[Record]], tmp_path: Path
) -> None:
    out, records = collected
    odd = replace(records[0], name="<script>alert(1)</script>")
    write_report(tmp_path / "r.html", [*records, odd], STEPS, lambda key: asset_path(out, key))
    page = (tmp_path / "r.html").read_text("utf-8")
    for reason, count in Counter(r.reason for r in [*records, odd] if not r.kept).items():
        assert f"<b>{str(reason).replace('_', ' ')}</b>" in page, (reason, count)
    shown = sum(record.key is not None for record in [*records, odd])
    shown += sum(len(record.notes) for record in [*records, odd] if record.kept)
    assert page.count("data:image/webp") == shown
    assert "<script" not in page
    assert "http" not in page.replace("https://a.example", "")


def test_a_report_on_thousands_stays_small(collected: tuple[Path, list[Record]], tmp_path: Path) -> None:
    out, records = collected
    kept = next(record for record in records if record.kept)
    settings = ReportSettings(kept=5)
    many = [replace(kept, notes=())] * 4000
    write_report(tmp_path / "r.html", many, STEPS, lambda key: asset_path(out, key), settings)
    page = (tmp_path / "r.html").read_text("utf-8")
    assert (page.count("data:image/webp"), len(page) < 100_000) == (5, True)
    assert "4,000 kept" in page
