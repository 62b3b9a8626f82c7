"""The step: pairs that show what they say, in one frame, nothing else moved, the same every time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from backend.geometry.canonical import BOUNDS, EDITED_SIDE
from training.data.assets.asset import Asset, Rejected, read_asset, write_asset
from training.data.edits import EDITS, EditSettings, frame, surgery
from training.data.edits.pairs import pairs_of
from training.data.edits.visibility import change_seen
from training.data.steps import Item

Build = Callable[..., Asset]


def _make(asset: Asset, folder: Path, name: str) -> tuple[dict[str, object], Path]:
    write_asset(folder / "a.asset.safetensors", asset)
    item = Item(key=asset.key, inputs={"asset": "a.asset.safetensors"})
    return EDITS.make(item, EditSettings(), folder, folder / name), folder / name


def test_a_folder_of_pairs_that_is_the_same_every_time(table: Asset, tmp_path: Path) -> None:
    facts, product = _make(table, tmp_path, "one")
    again, second = _make(table, tmp_path, "two")
    rows = json.loads((product / "pairs.json").read_text())
    assert facts == again
    assert len({row["kind"] for row in rows}) >= 4
    assert len(list(product.iterdir())) == 2 * len(rows) + 1
    for row in rows:
        assert 1 <= len(set(row["instructions"])) <= 3
        source, target = (read_asset(product / row[side]) for side in ("source", "target"))
        assert source.provenance["of"] == table.key
        assert np.abs(target.vertices).max() <= BOUNDS
        assert np.array_equal(target.vertices, read_asset(second / row["target"]).vertices)


def test_what_is_not_edited_is_where_it_was(table: Asset) -> None:
    """Looked for without knowing which faces were kept."""
    for pair in pairs_of(table, EditSettings()):
        if pair.facts["unedited_share"] == 0:
            continue
        assert pair.facts["unedited_moved"] == 0.0
        there = {_corners(triangle) for triangle in pair.target.vertices[pair.target.faces]}
        before = pair.source.vertices[pair.source.faces]
        stays = np.array([_corners(triangle) in there for triangle in before])
        assert frame.kept_share(pair.source, stays) >= pair.facts["unedited_share"] - 1e-3


def _corners(triangle: NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(triangle[np.lexsort(triangle.T)].ravel().tolist())


def test_the_frame_follows_from_the_source_alone_and_leaves_room(table: Asset) -> None:
    mask = table.parts == 0
    lifted = surgery.moved(table, mask, lambda points: points + np.array([0, 0, 0.3]))
    far = surgery.moved(table, mask, lambda points: points + np.array([0, 0, 3.0]))
    placed = frame.shared(table, lifted)
    assert placed is not None
    source, target = placed
    assert np.ptp(source.vertices, axis=0).max() == pytest.approx(EDITED_SIDE)
    assert target.vertices[:, 2].max() > source.vertices[:, 2].max()
    assert frame.shared(table, far) is None


def test_moving_what_should_stay_is_measured(table: Asset) -> None:
    everything = np.ones(len(table.faces), bool)
    nudged = surgery.moved(table, table.parts == 2, lambda points: points + np.array([0.01, 0, 0]))
    assert frame.distance_moved(table, nudged, everything, everything) == pytest.approx(0.01, rel=1e-3)


def test_only_what_shows_counts(table: Asset, build: Build) -> None:
    box = ((0.0, 0.0, 0.0), (1.9, 1.9, 1.9), (130, 130, 130))
    inner = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (200, 40, 40))
    nested = build([box, inner], "box")
    kept = nested.parts == 0
    rng = np.random.default_rng(0)
    hidden = change_seen(nested, surgery.without(nested, ~kept), kept, np.ones(12, bool), rng)
    everything = np.ones(len(table.faces), bool)
    blue = surgery.painted(table, table.parts == 0, (40, 60, 200), 0.0, 0.5)
    assert hidden < 0.01
    assert change_seen(table, blue, everything, everything, rng) > 0.3


def test_an_asset_of_one_piece_has_pairs_too(build: Build) -> None:
    lone = build([((0, 0, 0), (1.92, 0.7, 0.9), (60, 140, 70))], "brick")
    kinds = {pair.kind for pair in pairs_of(lone, EditSettings())}
    assert {"add", "remove", "resize", "restyle"} <= kinds


def test_colors_are_known_on_both_sides_or_neither(table: Asset) -> None:
    for pair in pairs_of(replace(table, colors=None), EditSettings()):
        assert (pair.source.colors is None) == (pair.target.colors is None)


def test_too_big_an_asset_is_left_out_with_a_reason(table: Asset, tmp_path: Path) -> None:
    write_asset(tmp_path / "a.asset.safetensors", table)
    item = Item(key=table.key, inputs={"asset": "a.asset.safetensors"})
    with pytest.raises(Rejected, match="too_many_faces"):
        EDITS.make(item, EditSettings(max_faces=10), tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
