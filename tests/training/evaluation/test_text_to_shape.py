"""Text to shape, judged by a judge that knows how large things should be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from backend.geometry.mesh import Mesh
from training.evaluation.cases import Case, held_out, of_prompts
from training.evaluation.making import Made
from training.evaluation.novelty import ShapeSet
from training.evaluation.prompt_set import GROUPS, HUNDRED, Prompt, drawn
from training.evaluation.scorers.interface import POINTS, Cloud, cloud
from training.evaluation.text_to_shape import (
    BETWEEN,
    COPIES,
    NEIGHBOUR,
    REAL,
    WRONG,
    Neighbours,
    System,
    judged,
    known_distances,
    novel,
    of_made,
    real,
)

WORDS = ("one", "two", "three", "four")


class Sizes:
    """Shape n has points at distance n; words and shapes are directions on a quarter circle."""

    name = "sizes"

    def texts(self, prompts: Sequence[str]) -> Tensor:
        return self._directions([WORDS.index(prompt) + 1 for prompt in prompts])

    def shapes(self, clouds: Sequence[Cloud]) -> Tensor:
        return self._directions([float(np.abs(one.points).max()) for one in clouds])

    def _directions(self, sizes: Sequence[float]) -> Tensor:
        angles = torch.tensor(sizes, dtype=torch.float32) * 0.3
        return torch.stack([angles.cos(), angles.sin()], dim=1)


class Lengths:
    """A sentence is its number of letters."""

    def encode(self, prompts: Sequence[str]) -> Tensor:
        return torch.nn.functional.one_hot(torch.tensor([len(prompt) for prompt in prompts]), 64).float()


def sized(size: float) -> Cloud:
    return Cloud(points=np.full((4, 3), size, np.float32))


CASES = [Case(text=word, group="odd" if row % 2 == 0 else "even") for row, word in enumerate(WORDS)]


def test_right_shapes_are_found_and_wrong_pairs_are_the_floor() -> None:
    right = System(name="right", clouds=[sized(n) for n in (1, 2, 3, 4)])
    table = judged(Sizes(), CASES, [right], "words")[0]  # type: ignore[arg-type]
    assert table.rows["right"] | {"error": 0} == {
        "score": pytest.approx(1),
        "top 1": 1,
        "top 5": 1,
        "error": 0,
        "no shape": 0,
    }
    assert table.rows[WRONG]["top 1"] == 0
    assert table.rows[WRONG]["score"] < 1  # type: ignore[operator]


def test_a_missing_shape_is_wrong_and_scores_nothing() -> None:
    half = System(name="half", clouds=[sized(1), None, sized(3), None])
    row = judged(Sizes(), CASES, [half], "words")[0].rows["half"]  # type: ignore[arg-type]
    assert (row["top 1"], row["no shape"]) == (0.5, 2)
    assert row["score"] == pytest.approx(0.5)
    assert row["error"] == pytest.approx(0.25)


def test_groups_of_words_have_figures_of_their_own() -> None:
    half = System(name="half", clouds=[sized(1), None, sized(3), None])
    row = judged(Sizes(), CASES, [half], "words")[1].rows["half"]  # type: ignore[arg-type]
    assert (row["odd: top 1"], row["even: top 1"]) == (1, 0)


def test_a_system_without_any_shape_is_still_a_row() -> None:
    none = System(name="none", clouds=[None] * 4)
    some = System(name="some", clouds=[sized(n) for n in (1, 2, 3, 4)])
    rows = judged(Sizes(), CASES, [some, none], "words")[0].rows  # type: ignore[arg-type]
    assert rows["none"]["top 5"] == 0


def test_made_meshes_are_sampled_and_flat_ones_count_as_none() -> None:
    ball = trimesh.creation.icosphere(subdivisions=2)
    mesh = Mesh(vertices=np.float32(ball.vertices), faces=np.int32(ball.faces))
    flat = Mesh(vertices=np.zeros((3, 3), np.float32), faces=np.array([[0, 1, 2]], np.int32))
    clouds = of_made("m", [Made(mesh=mesh), Made(mesh=flat), Made(mesh=None)]).clouds
    assert clouds[0] is not None
    assert clouds[0].points.shape == (POINTS, 3)
    assert clouds[1:] == [None, None]


def test_colours_of_vertices_reach_the_points() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    colors = np.tile(np.array([200, 10, 30, 255], np.uint8), (3, 1))
    made = cloud(Mesh(vertices=vertices, faces=np.array([[0, 1, 2]], np.int32), colors=colors))
    assert made.colors is not None
    assert made.colors[0].tolist() == [200, 10, 30]


def shape_set(count: int) -> ShapeSet:
    """Small sheets in a row, 0.1 apart."""
    sheet = np.random.default_rng(0).random((2048, 3)) * [0, 0.05, 0.05]
    points = [(sheet + np.array([0.1 * n, 0, 0])).astype(np.float16) for n in range(1, count + 1)]
    normals = [np.zeros((2048, 3), np.int8)] * count
    return ShapeSet(points=points, normals=normals, captions=["x" * n for n in range(1, count + 1)])


def test_neighbours_are_shapes_of_the_nearest_caption(tmp_path: Path) -> None:
    cases = [Case(text="abc", group=""), Case(text="a", group="")]
    for _ in range(2):  # the second time from the kept file
        found = Neighbours(shape_set(4), Lengths(), tmp_path).system(cases)  # type: ignore[arg-type]
        places = [float(one.points.max()) for one in found.clouds if one is not None]
        assert places == pytest.approx([0.3, 0.1], abs=0.01)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_copy_of_a_training_shape_shows() -> None:
    known = shape_set(30)
    copy = System(name="model", clouds=[Cloud(points=known.cloud(4))])
    looked_up = System(name=NEIGHBOUR, clouds=[Cloud(points=known.cloud(4))])
    meaning = known_distances(known, [known.cloud(7) + 0.01])
    table = novel([copy, looked_up], known, meaning, "novelty")
    assert table.rows["model"]["median"] == pytest.approx(0, abs=1e-6)
    assert table.rows[BETWEEN]["median"] == pytest.approx(0.1, abs=0.01)
    assert 0 < table.rows[COPIES]["median"] < 0.02  # type: ignore[operator]
    assert NEIGHBOUR not in table.rows


def test_the_nearest_other_shape_is_not_the_shape_itself() -> None:
    known = shape_set(30)
    assert known.nearest(known.cloud(9))[0] == 9
    assert known.nearest(known.cloud(9), but=9)[0] in (8, 10)


def test_the_hundred_are_a_hundred_different_prompts_in_four_groups() -> None:
    assert len({prompt.text for prompt in HUNDRED}) == 100
    assert {len(texts) for texts in GROUPS.values()} == {25}


def test_prompts_are_drawn_by_the_seed() -> None:
    first = drawn(48)
    assert len(first) == 48
    assert first == drawn(48)
    assert first != drawn(48, seed=1)
    assert drawn(200) == HUNDRED


def test_held_out_captions_have_their_shapes() -> None:
    cases = held_out(None, 3)
    ceiling = real(cases)
    assert len({case.text for case in cases}) == 3
    assert ceiling is not None
    assert ceiling.name == REAL
    assert real(of_prompts([Prompt(text="a chair", group="categories")])) is None
