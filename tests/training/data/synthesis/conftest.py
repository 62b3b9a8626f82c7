"""Procedural objects to draw."""

from __future__ import annotations

import pytest

from training.data.assets.asset import Asset
from training.data.assets.ingest import IngestSettings
from training.data.assets.procedural import procedural_asset


@pytest.fixture(scope="session")
def things() -> list[Asset]:
    return [procedural_asset(seed, IngestSettings()) for seed in range(12)]
