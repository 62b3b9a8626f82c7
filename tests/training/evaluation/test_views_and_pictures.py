"""Views and pictures beside shapes: a shape agrees with its own renders, and reports have all rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.sequence import VIEWS
from tests.backend.small_model import small_pipeline
from training.data.steps import DataError
from training.evaluation.consistency import ViewSettings, views_report
from training.evaluation.image_shapes import FRONT, LIT, ImageSettings, given, image_report
from training.evaluation.pictured import pictured
from training.evaluation.report import write
from training.evaluation.silhouettes import agreement, canonical_poses, drawn, renders


def test_shape_agrees_with_its_own_renders_and_stored_views(edited_data: Path) -> None:
    [shape] = pictured(edited_data, "val", 1)
    pictures, _ = renders(shape.mesh, canonical_poses(), 64)
    assert min(agreement(pictures, shape.mesh, canonical_poses())) > 0.7  # what is bright is lost on white
    stored = [shape.view(name) for name in VIEWS]
    assert min(agreement(stored, shape.mesh, canonical_poses())) > 0.85
    [lit] = shape.lit
    assert agreement([shape.view(lit)], shape.mesh, [shape.pose(lit)])[0] > 0.85


def test_silhouette_is_what_is_dark_or_opaque() -> None:
    picture = np.full((16, 16, 3), 255, np.uint8)
    picture[4:12, 4:12] = 90
    picture[0, 0] = 0  # a speck
    assert drawn(picture).sum() == 60  # all but the corners
    alpha = np.zeros((16, 16, 1), np.uint8)
    alpha[:2] = 255
    assert drawn(np.concatenate([picture, alpha], axis=2)).sum() == 32


def test_pictures_are_fronts_and_lit_views_in_turn(edited_data: Path) -> None:
    cases = given(pictured(edited_data, "val", 2), seed=0)
    assert [case.kind for case in cases] == [FRONT, LIT]
    assert cases[0].request(0, 24).image_views == ("front",)
    assert cases[1].request(0, 24).image_views == ()


def test_image_report_has_the_truth_on_top(edited_data: Path) -> None:
    settings = ImageSettings(count=2, neighbours=2, cells=16, shown=1)
    report = image_report(small_pipeline(), edited_data, settings)
    [table] = report.tables
    assert table.rows["true shape"]["all silhouette"] > table.rows["model"]["all silhouette"]  # type: ignore[operator]
    assert table.rows["true shape"]["all CD"] < table.rows["model"]["all CD"]  # type: ignore[operator]
    assert len(report.sections[0].panels[0].images) == 3


def test_views_report_compares_two_models(edited_data: Path, tmp_path: Path) -> None:
    before = small_pipeline(tasks=("text_to_shape", "shape_to_view"))
    report = views_report(small_pipeline(), edited_data, ViewSettings(count=1, cells=16, shown=1), before)
    of_truth, of_words = report.tables
    assert {"views one by one", "six views in one chain", "before: views one by one"} <= of_truth.rows.keys()
    assert "before: shape, then views one by one" in of_words.rows
    assert "views, shape, views in one chain" in of_words.rows
    assert of_truth.rows["views one by one"]["views"] == len(VIEWS)
    written = {path.name for path in write(report, tmp_path, "random")}
    assert written == {"views.json", "views.md", "views.png"}


def test_split_without_shapes_is_one_sentence(edited_data: Path) -> None:
    with pytest.raises(DataError, match="no views of the split test"):
        pictured(edited_data, "test", 1)
