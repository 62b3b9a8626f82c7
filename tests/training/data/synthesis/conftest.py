"""Procedural objects to draw; tests that draw are skipped where no OpenGL context can be made."""

from __future__ import annotations

import pytest

from training.data.assets.asset import Asset
from training.data.assets.ingest import IngestSettings
from training.data.assets.procedural import procedural_asset
from training.data.rendering.raster import NoGraphicsError, raster


@pytest.fixture
def graphics() -> None:
    try:
        raster(32)
    except NoGraphicsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def things() -> list[Asset]:
    return [procedural_asset(seed, IngestSettings()) for seed in range(12)]
