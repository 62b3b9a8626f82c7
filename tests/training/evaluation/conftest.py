"""A small data folder with views, captions and edits of both splits."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.data.here import Here, unwatched
from training.data.edits import EditSettings
from training.data.geometry.settings import GeometrySettings
from training.data.pipeline import Pipeline, PipelineSettings
from training.data.records import make_records, write_records
from training.data.rendering.raster import NoGraphicsError, raster
from training.data.rendering.step import ViewSettings
from training.data.shards.pack import ShardSettings

SMALL = PipelineSettings(
    geometry=GeometrySettings(n_points=1024, n_near=48, n_uniform=32),
    views=ViewSettings(size=32, n_lit=1),
    edits=EditSettings(pairs=2, tries=12),
    shards=ShardSettings(per_shard=2, held_out=2),
)


@pytest.fixture(scope="session")
def edited_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three procedural objects, two of them held out; skips where nothing can be drawn."""
    try:
        raster(32)
    except NoGraphicsError as error:
        pytest.skip(str(error))
    data = tmp_path_factory.mktemp("edited")
    pipeline = Pipeline(
        sources=["procedural:100-102"], data=data, settings=SMALL, pool=Here(), watch=unwatched
    )
    write_records(data / "records.jsonl", make_records(pipeline.run()))
    return data
