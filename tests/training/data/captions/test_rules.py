"""Captions from names: word order, articles, plurals, lengths."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.captions.colors import name_of, oklch
from training.data.captions.english import counted, with_article
from training.data.captions.lengths import check, distinct
from training.data.captions.names import read_name
from training.data.captions.uses import use_of


@pytest.mark.parametrize(
    ("name", "category", "said"),
    [
        ("bed double", "furniture", "a double bed"),
        ("SM_TreePine_tall_02", "plant", "a tall pine tree"),
        ("wall window round", "building_part", "a wall with a round window"),
        ("coin stack large", "pickup", "a large stack of coins"),
        ("crate carrots", "container", "a crate of carrots"),
        ("2 story building wide doors", "building", "a two-story building with wide doors"),
        ("stairs wood", "building_part", "a flight of wooden stairs"),
        ("food ingredient cheese chopped", "food", "chopped cheese"),
        ("smooth female dress", "character", "a woman in a dress"),
        ("axe 1 handed", "weapon", "a one-handed axe"),
        ("Cube.003", "furniture", "a piece of furniture"),
        ("oldWoodenChair_LOD0.fbx", None, "an old wooden chair"),
        ("rocks", "rock_terrain", "a group of rocks"),
        ("stack of breeze blocks", "prop", "a stack of breeze blocks"),
        ("terrain mining", "rock_terrain", "mining terrain"),
        ("tower square mid windows", "building_part", "a square tower section with windows"),
        ("tower round roof", "building_part", "a round tower roof"),
        ("street bridge water", "road_tile", "a street bridge over water"),
        ("royal gramma", "animal", "a royal gramma"),
        ("lounge design sofa corner", "furniture", "a corner designer sofa"),
    ],
)
def test_a_name_is_read_as_people_would_write_it(name: str, category: str | None, said: str) -> None:
    assert read_name(name, category).one() == said


def test_articles_follow_the_sound_and_plurals_their_words() -> None:
    assert [with_article(word) for word in ("oak", "uniform", "UFO", "hourglass", "one-handed axe")] == [
        "an oak", "a uniform", "a UFO", "an hourglass", "a one-handed axe"
    ]  # fmt: skip
    assert [counted(2, noun) for noun in ("shelf", "box", "berry", "wooden leg", "sheep")] == [
        "two shelves", "two boxes", "two berries", "two wooden legs", "two sheep"
    ]  # fmt: skip


def test_a_caption_of_the_wrong_length_is_named() -> None:
    check({"short": ["a red chair"], "medium": ["word " * 10], "long": ["word " * 40]})
    with pytest.raises(ValueError, match="long caption has 40 to 70 words, not 3"):
        check({"long": ["a red chair"]})


def test_distinct_n_grams_fall_with_repetition() -> None:
    assert distinct(["a red chair", "a red chair"], 2) == 0.5
    assert distinct([], 1) == 0.0


def test_what_a_thing_is_for_follows_its_noun_and_not_a_doubtful_category() -> None:
    assert use_of("dining chair", "furniture") == "it is a seat for one person."
    assert use_of("corn dog", "food") == use_of("ash tray", "container") == ""
    assert use_of("floor chalkboard", "road_tile") == ""


@pytest.mark.parametrize(
    ("srgb", "name"),
    [
        ((235, 165, 50), "golden yellow"),
        ((255, 0, 0), "red"),
        ((60, 40, 35), "dark brown"),
        ((128, 130, 132), "gray"),
        ((58, 183, 149), "green"),
        ((40, 70, 140), "blue"),
        ((255, 192, 203), "pink"),
    ],
)
def test_colors_have_the_names_people_give_them(srgb: tuple[int, int, int], name: str) -> None:
    (row,) = oklch(np.array([srgb], np.uint8))
    assert name_of(*row)[1] == name
