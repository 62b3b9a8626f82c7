"""The file of an asset's views: what it gives back, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from training.data.assets.asset import Asset
from training.data.rendering.product import read_views, write_views
from training.data.rendering.raster import raster
from training.data.rendering.step import ViewSettings, planned, shot
from training.data.rendering.surfaces import of_asset

SETTINGS = ViewSettings(size=32, n_lit=2)


@pytest.mark.usefixtures("graphics")
def test_views_come_back_as_they_were_drawn(painted: Asset, tmp_path: Path) -> None:
    plan = planned(painted, SETTINGS)
    pictures = list(raster(32).draw(of_asset(painted), [shot(view) for view in plan]))
    for name in ("a", "b"):
        write_views(tmp_path / name, painted.key, "raster", plan, pictures)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    views = read_views(tmp_path / "a")
    assert (views.key, views.engine, views.size, len(views)) == ("painted-0", "raster", 32, 8)
    assert views.names == ("front", "back", "left", "right", "top", "bottom", "lit 0", "lit 1")
    assert [view.lighting is None for view in views.views] == [True] * 6 + [False] * 2
    for index, picture in enumerate(pictures):
        assert np.array_equal(views.color(index), picture.color)
        assert np.array_equal(views.depth(index) > 0, picture.depth > 0)
    assert views.depth(0)[16, 16] == pytest.approx(views.views[0].pose.distance - 0.4, abs=1e-3)
    np.testing.assert_allclose(views.normals(0)[16, 16], [0, -1, 0], atol=0.01)
    assert not views.normals(0)[0, 0].any()
    assert views.picture(0, (255, 0, 255))[0, 0].tolist() == [255, 0, 255]


def test_other_files_are_refused(tmp_path: Path) -> None:
    save_file({"a": np.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="no views of format"):
        read_views(tmp_path / "other.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "other.safetensors").read_bytes()[:20])
    with pytest.raises(ValueError, match="not a whole file"):
        read_views(tmp_path / "cut.safetensors")
