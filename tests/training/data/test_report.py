"""The report shows what every later step made: views, captions, and both sides of edits."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("moderngl")

from training.data.assets.asset import SUFFIX, Rejected, write_asset
from training.data.assets.ingest import IngestSettings
from training.data.assets.procedural import procedural_asset
from training.data.records import GATES, make_records
from training.data.rendering.step import VIEWS, ViewSettings
from training.data.report import write_report
from training.data.steps import Item, Result

CAPTION = {"short": ["<b>mug</b>"], "medium": ["a mug"], "long": ["A mug."], "by": "rules 1", "score": None}


@pytest.fixture
def results(tmp_path: Path) -> dict[str, list[Result]]:
    """One procedural asset through ingest, views, captions and one edit; its second edit has no shape."""
    asset = procedural_asset(7, IngestSettings())
    (tmp_path / "in").mkdir()
    (tmp_path / "pairs").mkdir()
    for path in (f"in/{asset.key}", "pairs/0-source", "pairs/0-target"):
        write_asset(tmp_path / f"{path}{SUFFIX}", asset)
    words = ("key", "name", "category", "source", "licence", "author")
    entry = {**{name: getattr(asset, name) for name in words}, "notes": [], "file": f"{asset.key}{SUFFIX}"}
    item = Item(key=asset.key, inputs={"asset": f"in/{asset.key}{SUFFIX}"})
    seen = VIEWS.make(item, ViewSettings(size=32, n_lit=1), tmp_path, tmp_path / "views.safetensors")
    pair = {"kind": "restyle", "instructions": ["make it red"]}
    lost = Rejected("no_surface", "It has no surface.")
    return {
        "ingest": [Result(key="s", hash="1", facts={"assets": [entry]}, product="in")],
        "views": [Result(key=asset.key, hash="2", facts=seen, product="views.safetensors")],
        "captions": [Result(key=asset.key, hash="3", facts=CAPTION)],
        "edits": [Result(key=asset.key, hash="4", facts={"pairs": [pair]}, product="pairs")],
        "edit_geometry": [Result(key=f"{asset.key}/0-target", hash="5", rejected=lost)],
    }


def test_everything_made_is_shown(results: dict[str, list[Result]], tmp_path: Path) -> None:
    write_report(tmp_path / "r.html", tmp_path, results)
    page = (tmp_path / "r.html").read_text("utf-8")
    assert page.count("data:image/webp") == 1 + 7 + 1 + 2 + 1  # kept, views, caption, pair, lost side
    assert "make it red" in page
    assert "&lt;b&gt;mug" in page
    assert "<b>no surface</b>" in page


def test_what_only_adds_to_an_asset_does_not_stop_it(results: dict[str, list[Result]]) -> None:
    (record,) = make_records(results)
    assert record.kept
    assert "edit_geometry" not in GATES
    (key,) = (result.key for result in results["views"])
    thin = Result(key=key, hash="6", rejected=Rejected("thin", "It is thin."))
    (record,) = make_records({**results, "geometry": [thin]})
    assert (record.step, record.reason) == ("geometry", "thin")


def test_products_that_are_gone_leave_a_gap(results: dict[str, list[Result]], tmp_path: Path) -> None:
    for path in tmp_path.rglob("*.safetensors"):
        path.write_bytes(b"")
    write_report(tmp_path / "r.html", tmp_path, results)
    assert "no views" in (tmp_path / "r.html").read_text("utf-8")
