"""Pieces, what they are called, and operations on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from training.data.assets.asset import Asset
from training.data.edits import surgery
from training.data.edits.changes import choices, removals
from training.data.edits.names import part_name
from training.data.edits.naming import call_group, call_member
from training.data.edits.phrases import a_or_an, read
from training.data.edits.pieces import Pieces, find
from training.data.edits.settings import EditSettings

Build = Callable[..., Asset]


def _found(asset: Asset) -> Pieces:
    found = find(asset, 100, np.random.default_rng(0))
    assert found is not None
    return found


def test_alike_pieces_are_a_group_and_each_has_its_own_words(table: Asset) -> None:
    pieces = _found(table)
    assert [len(group) for group in pieces.groups] == [1, 4]
    legs = pieces.groups[1]
    called = call_group(pieces, legs)
    assert called is not None
    assert (called.the, called.a) == ("the legs", "four legs")
    each = {call_member(pieces, legs, leg) for leg in legs}
    assert {c.the for c in each if c} == {
        f"the {y} {x} leg" for y in ("front", "back") for x in ("left", "right")
    }
    top = call_group(pieces, pieces.groups[0])
    assert top is not None
    assert top.the == "the panel"


def test_named_parts_are_called_by_their_names(build: Build) -> None:
    wood = (120, 80, 50)
    parts = [
        ((0, 0, 0), (1.9, 0.9, 0.3), wood),
        ((0, 0, 0.4), (0.8, 0.6, 0.5), wood),
        ((0.5, 0, 0.2), (0.2, 0.2, 0.2), wood),
    ]
    pieces = _found(build(parts, "boat", ("Hull", "Cabin.001", "Cube.004")))
    called = {c.the for group in pieces.groups if (c := call_group(pieces, group)) and c.sure}
    assert called == {"the hull", "the cabin"}


def test_nothing_is_called_by_words_that_fit_another(build: Build) -> None:
    cube, red = (0.3, 0.3, 0.3), (200, 40, 40)
    asset = build([((-0.2, 0, 0), cube, red), ((0.2, 0, 0), (0.3, 0.3, 0.32), red)], "thing")
    pieces = _found(asset)
    assert {(c.the if (c := call_group(pieces, group)) else None) for group in pieces.groups} <= {
        None,
        "the block on the left",
        "the block on the right",
        "the red block on the left",
        "the red block on the right",
    }


def test_left_and_right_are_not_spoken_of_where_the_front_is_unknown(table: Asset) -> None:
    table.provenance["front_status"] = "unknown (importer default)"
    pieces = _found(table)
    assert all(call_member(pieces, pieces.groups[1], leg) is None for leg in pieces.groups[1])


def test_what_holds_the_rest_together_is_not_taken_away(build: Build) -> None:
    gray = (130, 130, 130)
    parts = [((0, 0, z), (0.6, 0.6, 0.2), gray) for z in (-0.8, 0.8)]
    asset = build([*parts, ((0, 0, 0), (0.2, 0.2, 1.42), (200, 40, 40))], "dumbbell")
    pieces = _found(asset)
    rng = np.random.default_rng(0)
    taken = {choice.chosen for choice in choices(pieces, rng) if list(removals(choice, rng, EditSettings()))}
    middle = next(i for i, piece in enumerate(pieces.pieces) if piece.color == "red")
    assert taken
    assert not any(middle in chosen for chosen in taken)


def test_operations_leave_the_other_faces_as_they_are(table: Asset) -> None:
    mask = table.parts == 1
    before = table.vertices[table.faces[~mask]]
    shift = np.array([0.1, 0, 0])
    for changed, kept in (
        (surgery.without(table, mask), slice(None)),
        (surgery.moved(table, mask, lambda points: points + shift), ~mask),
        (surgery.painted(table, mask, (10, 200, 10), 0.0, 0.5), ~mask),
        (surgery.added(table, np.eye(3), np.array([[0, 1, 2]], np.int32), 0, "bit"), np.r_[~mask, False]),
    ):
        assert np.array_equal(changed.vertices[changed.faces[kept]], before)
    assert len(surgery.without(table, mask).vertices) == 32


def test_mirrored_faces_still_look_outward(table: Asset) -> None:
    mask = table.parts == 1
    flipped = surgery.moved(table, mask, lambda points: points * [-1, 1, 1])
    assert flipped.mesh.signed_volume() == pytest.approx(table.mesh.signed_volume(), rel=1e-5)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("Wheel_FL.001", "wheel"),
        ("frontDoor", "door"),
        ("Cube.003", ""),
        ("Leaves", "leaf"),
        ("Object_4", ""),
    ],
)
def test_part_names_are_nouns_or_nothing(raw: str, name: str) -> None:
    assert part_name(raw) == name


def test_phrases_of_families_are_read() -> None:
    legs = read("four thin round legs")
    assert (legs.count, legs.adjectives, legs.noun, legs.definite) == (
        4,
        ("thin", "round"),
        "legs",
        "the thin round legs",
    )
    assert (read("no hat").count, read("a globe on top").tail) == (0, " on top")
    assert a_or_an("add a orange hat and a hat") == "add an orange hat and a hat"
