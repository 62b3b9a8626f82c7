"""Small exact shapes, a small data folder, and a fresh accelerate for every run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from accelerate.state import AcceleratorState

from tests.training.data.here import Here, unwatched
from training.data.geometry.settings import GeometrySettings
from training.data.pipeline import Pipeline, PipelineSettings
from training.data.rendering.raster import NoGraphicsError, raster
from training.data.rendering.step import ViewSettings
from training.data.shape_samples import ShapeSamples
from training.data.shards.dataset import Dataset
from training.data.shards.pack import ShardSettings, pack, rows_of
from training.data.steps import Result


@pytest.fixture(autouse=True)
def fresh_accelerator() -> Iterator[None]:
    """accelerate keeps one state per process and refuses a second precision."""
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def balls() -> ShapeSamples:
    """Eight balls off the centre with exact distances, by turns synthetic and from a corpus."""
    rng = np.random.default_rng(0)
    centers = rng.uniform(-0.3, 0.3, (8, 1, 3))
    radii = rng.uniform(0.3, 0.6, (8, 1, 1))
    normals = rng.normal(size=(8, 512, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    points = centers + radii * normals
    near = points[:, :256] + rng.normal(scale=0.05, size=(8, 256, 3))
    queries = np.concatenate([near, rng.uniform(-1.05, 1.05, (8, 128, 3))], axis=1)
    return ShapeSamples(
        ids=[f"{kind}/{row}" for row in range(4) for kind in ("procedural", "pack")],
        sources=["ball"] * 8,
        n_near=256,
        points=points.astype(np.float16),
        normals=np.round(normals * 127).astype(np.int8),
        queries=queries.astype(np.float16),
        distances=(np.linalg.norm(queries - centers, axis=-1) - radii[..., 0]).astype(np.float16),
    )


SETTINGS = PipelineSettings(
    geometry=GeometrySettings(n_points=64, n_near=48, n_uniform=32), views=ViewSettings(size=32, n_lit=1)
)


@pytest.fixture
def here() -> Here:
    return Here()


def run_steps(data: Path, count: int) -> dict[str, list[Result]]:
    pipeline = Pipeline(
        sources=[f"procedural:{count}"],
        data=data,
        settings=SETTINGS,
        pool=Here(),
        watch=unwatched,
    )
    return pipeline.run("captions")


def pack_all(data: Path, count: int, per_shard: int = 2) -> dict[str, list[Result]]:
    results = run_steps(data, count)
    assets = {
        entry["key"]: f"{result.product}/{entry['file']}"
        for result in results["ingest"]
        for entry in result.facts["assets"]
    }
    pool = Here()
    return pack(
        data, rows_of(results, assets), ShardSettings(per_shard=per_shard, held_out=3), pool, unwatched
    )


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of six objects, two to a file."""
    data = tmp_path_factory.mktemp("data")
    pack_all(data, 6)
    return data


@pytest.fixture
def dataset(packed: Path) -> Dataset:
    return Dataset(packed)


@pytest.fixture
def graphics() -> None:
    """Skips the test where no OpenGL context can be made."""
    try:
        raster(32)
    except NoGraphicsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def token_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small folder of token shards with something for every pool."""
    from tests.training.token_shards import write_token_shards

    return write_token_shards(tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="session")
def token_data_without_edits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.training.token_shards import write_token_shards

    return write_token_shards(tmp_path_factory.mktemp("tokens"), leave_out=("edits", "edit_shape_tokens"))
