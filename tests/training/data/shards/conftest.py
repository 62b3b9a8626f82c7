"""A data folder of procedural objects run through the steps once, and its shards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from training.data.geometry.settings import GeometrySettings
from training.data.pipeline import Pipeline, PipelineSettings
from training.data.pool import LocalPool, PoolSettings
from training.data.rendering.step import ViewSettings
from training.data.shards.dataset import Dataset
from training.data.shards.pack import ShardSettings, pack, rows_of
from training.data.steps import Result

SETTINGS = PipelineSettings(
    geometry=GeometrySettings(n_points=64, n_near=48, n_uniform=32), views=ViewSettings(size=32, n_lit=1)
)


def silent(name: str, total: int) -> Callable[[Result], None]:
    return lambda result: None


def run_steps(data: Path, count: int) -> dict[str, list[Result]]:
    pipeline = Pipeline(
        sources=[f"procedural:{count}"],
        data=data,
        settings=SETTINGS,
        pool=LocalPool(PoolSettings(processes=1)),
        watch=silent,
    )
    return pipeline.run("captions")


def pack_all(data: Path, count: int, per_shard: int = 2) -> dict[str, list[Result]]:
    results = run_steps(data, count)
    assets = {
        entry["key"]: f"{result.product}/{entry['file']}"
        for result in results["ingest"]
        for entry in result.facts["assets"]
    }
    pool = LocalPool(PoolSettings(processes=1))
    return pack(data, rows_of(results, assets), ShardSettings(per_shard=per_shard), pool, silent)


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of six objects, two to a file."""
    data = tmp_path_factory.mktemp("data")
    pack_all(data, 6)
    return data


@pytest.fixture
def dataset(packed: Path) -> Dataset:
    return Dataset(packed)
