"""Edits are scored against truths that are known: the truth itself, the source, and a shape that moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from backend.geometry.mesh import Mesh
from tests.backend.small_model import Letters, small_pipeline
from tests.training.data.here import Here
from training.data.assets.asset import Asset, Material
from training.data.shards.dataset import Dataset
from training.data.steps import DataError
from training.evaluation import edits as scoring
from training.evaluation.edited_shapes import Edit, edit_rows, held_out_pairs, prepared, read_edits
from training.evaluation.edits_report import EditSettings, edits_report
from training.evaluation.neighbours import TrainingEdits


def asset(*boxes: trimesh.Trimesh) -> Asset:
    whole = trimesh.util.concatenate(list(boxes))
    m = len(whole.faces)
    return Asset(
        key="k", name="box", source="test", provenance={}, materials=(Material(),), part_names=("",),
        vertices=np.asarray(whole.vertices, np.float32), faces=np.asarray(whole.faces, np.int32),
        face_material=np.zeros(m, np.int32), parts=np.zeros(m, np.int32),
    )  # fmt: skip


def box(sides: tuple[float, float, float], center: tuple[float, float, float]) -> trimesh.Trimesh:
    made = trimesh.creation.box(sides)
    made.apply_translation(center)
    return made


TABLE = asset(box((2, 2, 0.4), (0, 0, 0)))
WITH_BOX = asset(box((2, 2, 0.4), (0, 0, 0)), box((0.5, 0.5, 0.5), (0, 0, 0.4)))


@pytest.fixture(scope="module")
def edit() -> Edit:
    return prepared("table", "add", "put a box on it", TABLE, WITH_BOX)


def test_unedited_surface_is_what_both_sides_show(edit: Edit) -> None:
    covered = (np.abs(edit.unedited[:, :2]) < 0.23).all(axis=1) & (edit.unedited[:, 2] > 0.15)
    assert not covered.any()  # under the new box
    assert len(edit.unedited) > 1900
    assert np.ptp(edit.source.vertices, axis=0).max() == pytest.approx(1.92)


def test_truth_scores_as_another_sample_of_it_and_moves_nothing(edit: Edit) -> None:
    [score], [again] = (
        scoring.score_meshes([edit], [edit.target]),
        scoring.score_points([edit], lambda known: known.target_points[scoring.COMPARED :]),
    )
    assert score.moved is not None
    assert score.moved.max() < 1e-3
    assert score.chamfer == pytest.approx(again.chamfer, rel=0.1)
    [nothing] = scoring.unedited_scores([edit])
    assert nothing.chamfer is not None
    assert score.chamfer is not None
    assert nothing.chamfer > 1.3 * score.chamfer


def test_movement_is_a_share_of_the_sources_size(edit: Edit) -> None:
    shift = np.array([0, 0, 0.05 * 1.92], np.float32)
    raised = Mesh(vertices=edit.target.vertices + shift, faces=edit.target.faces)
    told = scoring.moved(scoring.score_meshes([edit], [raised]))
    assert told["moved median"] == pytest.approx(0.05, abs=1e-3)


def test_result_without_surface_counts_as_failed(edit: Edit) -> None:
    table = scoring.table("t", {"model": scoring.score_meshes([edit], [None])})
    assert table.rows["model"]["failed"] == 1
    assert table.rows["model"]["add CD"] is None
    for word in ("8192 points", "0.02", "1.92"):
        assert word in table.markdown()


def test_held_out_pairs_are_of_the_split_and_know_their_meshes(edited_data: Path) -> None:
    files = held_out_pairs(edited_data, "val", lambda kind: 1)
    assert files == held_out_pairs(edited_data, "val", lambda kind: 1)
    assert len({file.kind for file in files}) == len(files)
    keys = {row["key"] for row in edit_rows(Dataset(edited_data), "val")}
    assert {file.name for file in files} <= keys
    [first] = read_edits(files[:1], Here())
    assert first.target_points.shape == (2 * scoring.COMPARED, 3)


def test_split_without_edits_is_one_sentence(edited_data: Path) -> None:
    with pytest.raises(DataError, match="no edits of the split test"):
        held_out_pairs(edited_data, "test", lambda kind: 1)


def test_nearest_training_pair_of_a_training_source_is_of_that_source(edited_data: Path) -> None:
    known = TrainingEdits(edited_data, Letters())  # type: ignore[arg-type]
    [edit] = read_edits(held_out_pairs(edited_data, "train", lambda kind: 1)[:1], Here())
    _, points = known.target(edit.source_points, edit.instruction)
    [score] = scoring.score_points([edit], lambda known_edit: points)
    assert score.chamfer is not None
    assert score.chamfer < 0.2


def test_report_compares_the_model_with_all_baselines(edited_data: Path) -> None:
    settings = EditSettings(averaged=1, others=1, fresh=0, cells=16, shown=1)
    report = edits_report(small_pipeline(), edited_data, settings, Here())
    [table] = report.tables
    assert list(table.rows) == [
        scoring.MODEL, scoring.NO_EDIT, scoring.NEIGHBOUR, scoring.FLOOR, scoring.TRUTH
    ]  # fmt: skip
    assert table.rows[scoring.NO_EDIT]["moved median"] == 0
    assert len(report.sections[0].panels) == 1
