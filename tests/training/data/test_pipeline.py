"""From sources to shards: what one step lets pass the next receives, and nothing is done twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.training.data.here import Here, unwatched
from training.data.edits import EditSettings
from training.data.geometry.settings import GeometrySettings
from training.data.pipeline import STEPS, Pipeline, PipelineSettings
from training.data.rendering.step import ViewSettings
from training.data.shards.dataset import Dataset
from training.data.steps import Result

SMALL = PipelineSettings(
    geometry=GeometrySettings(n_points=256, n_near=384, n_uniform=128),
    views=ViewSettings(size=32, n_lit=1),
    edits=EditSettings(pairs=4),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is no model, and a captioned picture."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "models").mkdir()
    (folder / "models" / "broken.glb").write_bytes(b"no model")
    (folder / "pictures").mkdir()
    Image.new("RGB", (80, 96), "red").save(folder / "pictures" / "red.png")
    (folder / "pictures" / "red.txt").write_text("a red square\n", encoding="utf-8")
    return folder


def piped(folder: Path, sources: tuple[str, ...]) -> dict[str, list[Result]]:
    pipeline = Pipeline(
        sources=[str(folder / "models"), *sources],
        data=folder / "data",
        settings=SMALL,
        pool=Here(),
        watch=unwatched,
        images=folder / "pictures",
    )
    return pipeline.run()


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, list[Result]]:
    return piped(folder, ("procedural:3",))


def test_every_step_runs_on_what_the_one_before_let_pass(results: dict[str, list[Result]]) -> None:
    assert tuple(results) == STEPS
    assert [r.key for r in results["ingest"] if not r.facts.get("assets")] == ["broken.glb"]
    keys = [r.key for r in results["filter"]]
    assert len(keys) == 3
    for step in ("duplicates", "geometry", "views", "captions", "edits"):
        assert [r.key for r in results[step] if r.rejected is None] == keys


def test_both_sides_of_pairs_are_sampled_and_equal_shapes_once(results: dict[str, list[Result]]) -> None:
    pairs = [pair for r in results["edits"] for pair in r.facts["pairs"] if pair["geometry_changes"]]
    sides = results["edit_geometry"]
    assert len(sides) == 2 * len(pairs) > 0
    keys = [key.partition("-")[0] for pair in pairs for key in pair["keys"]]
    assert len({side.product for side in sides}) == len(set(keys)) < len(sides)


def test_the_shards_describe_themselves(folder: Path, results: dict[str, list[Result]]) -> None:
    dataset = Dataset(folder / "data")
    rows = {name: sum(dataset.rows(name, split) for split in ("train", "val")) for name in dataset.modalities}
    assert rows["shapes"] == rows["views"] == rows["texts"] == 3
    assert rows["pictures"] == 1
    assert rows["edit_shapes"] == 2 * rows["edits"] == len(results["edit_geometry"])


def test_a_second_run_does_nothing_and_a_new_asset_costs_only_itself(
    folder: Path, results: dict[str, list[Result]]
) -> None:
    again = piped(folder, ("procedural:3",))
    assert all(r.cached for found in again.values() for r in found)
    more = piped(folder, ("procedural:4",))
    for step in ("ingest", "filter", "geometry", "views", "captions", "edits"):
        assert sum(not r.cached for r in more[step]) == 1
