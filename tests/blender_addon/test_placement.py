"""From the canonical frame to the scene, and names and words for the artist."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from omni123_extension.blender_addon.core.naming import object_name
from omni123_extension.blender_addon.core.pace import (
    Bar,
    Throttle,
    TimeLeft,
    stage_words,
    stages,
    time_words,
)
from omni123_extension.blender_addon.core.placement import (
    Source,
    Target,
    box_lines,
    box_sides,
    outward,
    place,
    place_preview,
    transformed,
)
from omni123_extension.protocol.jobs import JobSpec
from omni123_extension.protocol.tasks import VIEWS


def test_a_shape_stands_on_the_ground_with_its_longest_side_as_asked() -> None:
    canonical = np.array([[-0.96, -0.3, -0.5], [0.96, 0.3, 0.5], [0.0, 0.1, 0.2]], np.float32)
    placed = place(canonical, 2.5)
    low, high = placed.vertices.min(axis=0), placed.vertices.max(axis=0)
    assert high[0] - low[0] == pytest.approx(2.5)
    assert low[2] == pytest.approx(0.0, abs=1e-6)
    assert low[0] == pytest.approx(-high[0])


def test_the_canonical_shape_can_be_had_back() -> None:
    canonical = np.random.default_rng(0).uniform(-1, 1, (50, 3)).astype(np.float32)
    placed = place(canonical, 0.7)
    back = placed.vertices / placed.scale + np.array(placed.center)
    assert np.abs(back - canonical).max() < 1e-6


def test_a_shape_without_extent_keeps_the_canonical_scale() -> None:
    assert place(np.zeros((3, 3), np.float32), 1.92).scale == pytest.approx(1.0)


def test_a_part_of_a_shape_keeps_its_place_and_scale() -> None:
    part = np.array([[0.4, -0.9, -0.96], [0.5, -0.8, -0.5]], np.float32)
    assert place_preview(part, 1.92) == pytest.approx(part + np.array([0, 0, 0.96]), abs=1e-6)


def test_the_box_has_twelve_edges_and_stands_at_the_cursor() -> None:
    lines = box_lines((1.0, 2.0, 3.0), box_sides(None, 2.0))
    assert lines.shape == (24, 3)
    assert lines.min(axis=0).tolist() == [0.0, 1.0, 3.0]
    assert np.abs(lines[0::2] - lines[1::2]).sum(axis=1).tolist() == [2.0] * 12


def test_a_box_of_other_proportions_has_the_size_as_its_longest_side() -> None:
    lines = box_lines((0.0, 0.0, 0.0), box_sides((1.0, 2.0, 4.0), 2.0))
    assert np.ptp(lines, axis=0).tolist() == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("a round wooden table", "Round wooden table"),
        ("The Eiffel tower, at night", "Eiffel tower"),
        ("a", "A"),
        ("  \n ", "Shape"),
        ("...", "Shape"),
        ("ein grüner Stuhl", "Ein grüner Stuhl"),
        ("x" * 100, "X" + "x" * 39),
        ("one two three four five six seven eight nine ten", "One two three four five six seven eight"),
    ],
)
def test_objects_are_named_from_the_prompt(prompt: str, name: str) -> None:
    assert object_name(prompt) == name
    assert len(object_name(prompt).encode()) <= 40


def test_the_bar_runs_over_all_stages_and_ignores_strangers() -> None:
    bar = Bar(JobSpec(prompt="a chair"))
    names = ("reading prompt", "shape tokens", "polishing", "surface", "shape tokens", "receiving")
    fractions = [bar.advance(stage, 1, 2) for stage in names]
    assert fractions == sorted(fractions)
    assert fractions[1] == fractions[2] < fractions[3] == fractions[4]
    assert bar.advance("receiving", 1, 1) == pytest.approx(1.0)
    assert bar.advance("receiving", 5, 0) == bar.fraction


def test_each_picture_of_a_chain_has_its_share_of_the_bar() -> None:
    bar = Bar(JobSpec(task="shape_to_views", views=VIEWS, inputs=("mesh",)))
    fractions = [bar.advance("image tokens", done, 4) for _ in VIEWS for done in range(5)]
    assert fractions == sorted(fractions)
    assert np.ptp(np.diff(fractions[4::5])) < 1e-9  # equal shares
    assert fractions[-1] > 0.9


def test_colour_comes_after_the_surface() -> None:
    assert stages(JobSpec(prompt="a chair", color=True))[-9:] == [
        "surface",
        *["image tokens"] * 6,
        "colour",
        "receiving",
    ]
    assert stages(JobSpec(task="text_to_image", prompt="a chair", color=True))[-2:] == [
        "image tokens",
        "receiving",
    ]


def test_a_target_is_the_same_after_it_was_written_down() -> None:
    source = Source(
        object="Chair",
        uid=7,
        fingerprint="0" * 64,
        local=tuple(range(12)),
        world=(0.5,) * 12,
        low=(0.0, 0.0, 0.0),
        high=(1.0, 1.0, 2.0),
    )
    target = Target(location=(1.0, 2.0, 3.0), scene="Scene", title="Chair: longer legs", source=source)
    assert Target.from_json(json.loads(json.dumps(asdict(target)))) == target


def test_a_mirrored_object_keeps_its_faces_outward() -> None:
    mirror = (-1.0, 0, 0, 5.0, 0, 1, 0, 0, 0, 0, 1, 0)
    assert transformed(mirror, np.array([[1.0, 2, 3]])).tolist() == [[4.0, 2.0, 3.0]]
    assert outward(mirror, np.array([[0, 1, 2]], np.int32)).tolist() == [[2, 1, 0]]


def test_the_time_left_counts_down_and_takes_new_estimates_calmly() -> None:
    left = TimeLeft()
    assert left.read(0.0) is None
    left.update(0.0, 10.0)
    assert left.read(2.0) == pytest.approx(8.0)
    left.update(2.0, 18.0)
    assert 8.0 < left.read(2.0) < 12.0
    assert left.read(60.0) == 0.0


def test_words_for_times_and_stages() -> None:
    assert [time_words(seconds) for seconds in (None, 0.2, 12.4, 300.0)] == [
        "",
        "almost done",
        "12 s left",
        "5 min left",
    ]
    assert stage_words("shape tokens", 3, 256) == "Shape tokens 3/256"
    assert stage_words("surface", 0, 1) == "Surface"


def test_a_throttle_lets_one_through_per_interval() -> None:
    throttle = Throttle(0.1)
    assert [throttle.ready(now) for now in (0.0, 0.05, 0.11, 0.12)] == [True, False, True, False]
