"""Nearest-family classification, on a few families."""

from __future__ import annotations

import pytest

from training.data.synthetic import generate
from training.evaluation.families import Verdict, held_out, mesh_points, prompt, references, report

KNOWN = references(("bottle", "ladder", "table", "umbrella"), count=3)


@pytest.mark.parametrize("name", KNOWN.names)
def test_unseen_objects_are_nearest_to_their_own_family(name: str) -> None:
    assert KNOWN.ranking(held_out(name, 1))[0] == name


def test_mesh_is_ranked_like_the_object_it_is_of() -> None:
    ranking = KNOWN.ranking(mesh_points(generate(7, "ladder").to_mesh()))
    assert ranking[0] == "ladder"
    assert sorted(ranking) == sorted(KNOWN.names)


def test_report_counts_a_missing_mesh_as_wrong() -> None:
    others = ("d", "e", "f", "g", "h")
    told = report(
        [
            Verdict(family="a", ranking=("a", "b", *others)),
            Verdict(family="a", ranking=("b", "a", *others)),
            Verdict(family="b", ranking=(*others, "b")),
            Verdict(family="b", ranking=()),
        ]
    )
    assert (told["top_1"], told["top_5"], told["no_mesh"]) == (0.25, 0.5, 1)
    assert told["by_family"]["a"]["nearest"] == ["a", "b"]  # type: ignore[index]


def test_prompts_are_nouns_with_their_article() -> None:
    assert [prompt(name) for name in ("airplane", "street_lamp")] == ["an airplane", "a street lamp"]
