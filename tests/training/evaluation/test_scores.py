"""Distances between point sets and masks, on cases with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.scores import iou, surface_distance


def test_iou_counts_shared_over_all() -> None:
    a, b = np.array([1, 1, 0, 0], bool), np.array([1, 0, 1, 0], bool)
    assert iou(a, b) == pytest.approx(1 / 3)
    assert iou(~a & a, ~b & b) == 1.0


def test_same_points_have_no_distance() -> None:
    points = np.random.default_rng(0).normal(size=(50, 3))
    distance = surface_distance(points, points)
    assert (distance.chamfer, distance.chamfer_squared, distance.f_score) == (0, 0, 1)


def test_shifted_plane_is_as_far_as_it_moved() -> None:
    grid = np.stack(np.meshgrid(np.arange(20), np.arange(20), [0]), axis=-1).reshape(-1, 3) * 0.5
    distance = surface_distance(grid, grid + np.array([0, 0, 0.1]))
    assert distance.chamfer == pytest.approx(0.1)
    assert distance.chamfer_squared == pytest.approx(0.02)
    assert distance.f_score == 0


def test_f_score_weighs_both_directions() -> None:
    a = np.array([[0.0, 0, 0], [1, 0, 0]])
    assert surface_distance(a, a[:1]).f_score == pytest.approx(2 / 3)
