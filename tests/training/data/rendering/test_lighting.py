"""The pool of lighting set-ups: seeded, varied, and never a dark picture."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.assets.asset import Asset
from training.data.rendering.cameras import CANONICAL, place
from training.data.rendering.lighting import MOST_LIGHTS, POOL, from_pool
from training.data.rendering.raster import Shot, raster
from training.data.rendering.surfaces import of_asset


def test_set_ups_are_numbered_and_stay_what_they_are() -> None:
    assert from_pool(7) == from_pool(7)
    assert len({from_pool(index) for index in range(0, POOL, 20)}) == POOL // 20
    assert {len(from_pool(index).lights) for index in range(200)} == set(range(1, MOST_LIGHTS + 1))
    with pytest.raises(ValueError, match=r"0\.\.1999"):
        from_pool(POOL)


@pytest.mark.usefixtures("graphics")
def test_no_set_up_leaves_a_white_wall_dark_or_burnt(painted: Asset) -> None:
    surface = of_asset(painted)
    surface.corners["color"] = 255
    pose = place(CANONICAL["front"])
    shots = [Shot(pose=pose, lighting=from_pool(index)) for index in range(0, POOL, 25)]
    seen = np.array([picture.color[16, 16, :3].mean() for picture in raster(32).draw(surface, shots)])
    assert seen.min() > 120
    assert (seen > 253).mean() < 0.1
    assert seen.std() > 8
