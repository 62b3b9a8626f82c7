"""The same seed with one draw changed: what the words do not mention stays, to the bit."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from training.data.assets.ingest import IngestSettings
from training.data.assets.procedural import procedural_asset
from training.data.edits import EditSettings, exact
from training.data.edits.draws import Draws
from training.data.edits.pairs import pairs_of
from training.data.edits.variations import variation, variations
from training.data.synthetic.catalog import FAMILIES, generate

NAMES = ("chair", "snowman", "robot", "bookshelf", "house", "teapot")


@pytest.mark.parametrize("family", NAMES)
def test_draws_repeated_unchanged_give_the_same_object(family: str) -> None:
    first = Draws(np.random.default_rng(3))
    before = FAMILIES[family](first.as_generator())
    after = FAMILIES[family](Draws(np.random.default_rng(99), first.made).as_generator())
    assert before.details == after.details
    assert [repr(part) for part in before.parts] == [repr(part) for part in after.parts]


@pytest.mark.parametrize("family", NAMES)
def test_a_variation_starts_from_what_generate_draws_and_keeps_what_it_says(family: str) -> None:
    solid = generate(4, family)
    found = list(variations(family, 4, np.random.default_rng(0)))
    assert found
    for made in found:
        assert sorted(map(repr, made.source)) == sorted(map(repr, solid.parts))
        for a, b in zip(made.source[: made.kept], made.target[: made.kept], strict=True):
            assert repr(replace(a, color=b.color)) == repr(b)
        assert made.instructions == variation(family, 4, made.draw, made.option).instructions  # type: ignore[union-attr]


def test_the_words_follow_from_what_changed() -> None:
    said = {
        sentence
        for made in variations("chair", 0, np.random.default_rng(0))
        for sentence in made.instructions
    }
    solid = generate(0, "chair")
    armed = any(part.name == "arm" for part in solid.parts)
    assert ("remove the armrests" if armed else "add armrests") in said
    assert not any(" a a" in sentence or " a o" in sentence for sentence in said)


def test_both_sides_have_exact_distances_in_the_frame_of_their_file() -> None:
    asset = procedural_asset(12, IngestSettings())
    pairs = [p for p in pairs_of(asset, EditSettings()) if p.facts["made_by"] == "family"]
    assert pairs
    for pair in pairs:
        for side in (pair.source, pair.target):
            solid = exact(side)
            assert solid is not None
            for number, part in enumerate(solid.parts):
                corners = part.to_local(side.vertices[np.unique(side.faces[side.parts == number])])
                assert np.abs(part.primitive.signed_distance(corners)).max() < 1e-5
            assert json.loads(side.provenance["variation"])["seed"] == 12
    assert exact(asset) is None
